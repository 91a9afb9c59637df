package oracle

import (
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/replication"
)

// selectText returns the expression that reads a column, which is ref, such that
// decode can spell its value.
func (c column) selectText(ref string) string {
	switch c.storage {
	case number:
		return "TO_CHAR(" + ref + ", 'TM9')"
	case date:
		return "TO_CHAR(" + ref + ", " + dateOut + ")"
	case timestamp:
		return "TO_CHAR(" + ref + ", " + timestampOut + ")"
	case timestampTZ, timestampLTZ:
		return "TO_CHAR(SYS_EXTRACT_UTC(" + ref + "), " + timestampOut + ")"
	case intervalYM, intervalDS:
		return "TO_CHAR(" + ref + ")"
	case rowid:
		return "ROWIDTOCHAR(" + ref + ")"
	case boolean:
		return "CASE WHEN " + ref + " THEN 't' WHEN NOT " + ref + " THEN 'f' END"
	case jsonType:
		return "JSON_SERIALIZE(" + ref + " RETURNING CLOB)"
	}
	return ref // text and bytes as they are, BINARY_FLOAT as a number of the driver's
}

// decode spells a value of the driver's as the column's kind does.
func (c column) decode(v any) ([]byte, error) {
	if r, ok := v.(io.Reader); ok { // a LOB
		all, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("oracle: reading the LOB in column %s: %w", c.Name, err)
		}
		if all == nil {
			all = []byte{}
		}
		return c.decodeText(all)
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		if v == "" && !c.storage.lob() {
			return nil, nil // the driver's NULL
		}
		return c.decodeText([]byte(v))
	case []byte:
		return c.decodeText(v)
	case float32:
		return formatFloat(float64(v), 32), nil
	case float64:
		bits := 64
		if c.storage == binaryFloat {
			bits = 32
		}
		return formatFloat(v, bits), nil
	case int64:
		return c.decodeText(strconv.AppendInt(nil, v, 10))
	}
	return nil, c.loss("", fmt.Sprintf("type %s has no text here", c.Native))
}

func (c column) decodeText(b []byte) ([]byte, error) {
	switch c.storage {
	case number:
		return c.decodeNumber(string(b))
	case char, nchar:
		// Blanks at the end mean nothing. Nor does a value of only blanks, and
		// it is not NULL.
		for len(b) > 0 && b[len(b)-1] == ' ' {
			b = b[:len(b)-1]
		}
	case date, timestamp, timestampTZ, timestampLTZ:
		m, reason := parseMoment(string(b))
		if reason != "" {
			return nil, c.loss(string(b), reason)
		}
		return c.spell(m, string(b))
	case raw:
		if c.Kind == replication.UUID {
			if len(b) != 16 {
				return nil, c.loss(hex.EncodeToString(b), "is no UUID, which has 16 bytes")
			}
			h := hex.EncodeToString(b)
			return []byte(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]), nil
		}
		return b, nil
	case blob:
		return b, nil
	case opaque:
		return nil, c.loss("", fmt.Sprintf("type %s has no text here", c.Native))
	}
	if !utf8.Valid(b) {
		return nil, c.loss(string(b), "is not UTF-8")
	}
	return b, nil
}

func (c column) decodeNumber(s string) ([]byte, error) {
	d, ok := parseDecimal(s)
	if !ok || d.exceeds() != "" {
		return nil, c.loss(s, "is no number with an end")
	}
	if c.Kind == replication.Bool {
		switch d.String() {
		case "0":
			return []byte("f"), nil
		case "1":
			return []byte("t"), nil
		}
		return nil, c.loss(s, "is neither 0 nor 1")
	}
	return []byte(d.String()), nil
}

// spell returns the moment as the kind of the column has it.
func (c column) spell(m moment, value string) ([]byte, error) {
	switch c.Kind {
	case replication.Date:
		if m.clock != "00:00:00" || m.fraction != "" {
			return nil, c.loss(value, "has a time of day")
		}
		return []byte(m.day), nil
	case replication.Instant:
		return []byte(m.String() + "+00"), nil
	}
	return []byte(m.String()), nil
}

func formatFloat(f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return []byte("NaN")
	case math.IsInf(f, 1):
		return []byte("Infinity")
	case math.IsInf(f, -1):
		return []byte("-Infinity")
	}
	return strconv.AppendFloat(nil, f, 'g', -1, bits)
}

func parseFloat(s string, bits int) (float64, bool) {
	switch s {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	// ParseFloat also reads inf, hexadecimal digits and underscores.
	if strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, bits)
	return f, err == nil
}

func (c column) loss(value, reason string) error {
	return &replication.TypeLossError{Column: c.Name, Value: value, Reason: reason}
}
