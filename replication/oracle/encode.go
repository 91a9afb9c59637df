package oracle

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/replication"
)

// insertText returns the expression that makes the column's value of what
// encode returned, bound as :n.
func (c column) insertText(n int) string {
	bind := fmt.Sprintf(":%d", n)
	switch c.storage {
	case date:
		return "TO_DATE(" + bind + ", " + dateIn + ")"
	case timestamp:
		return "TO_TIMESTAMP(" + bind + ", " + timestampIn + ")"
	case timestampTZ, timestampLTZ:
		return "FROM_TZ(TO_TIMESTAMP(" + bind + ", " + timestampIn + "), '+00:00')"
	case intervalYM:
		return "TO_YMINTERVAL(" + bind + ")"
	case intervalDS:
		return "TO_DSINTERVAL(" + bind + ")"
	case rowid:
		return "CHARTOROWID(" + bind + ")"
	case boolean:
		return "TO_BOOLEAN(" + bind + ")"
	}
	return bind
}

// encode checks that the column holds the value unchanged and returns it as it
// is bound. It may return v itself.
func (c column) encode(v []byte) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	s := string(v)
	switch c.storage {
	case number:
		return c.encodeNumber(s)
	case binaryFloat, binaryDouble:
		return v, c.checkFloat(s)
	case varchar, nvarchar, char, nchar, clob, nclob, jsonType:
		return c.encodeText(v)
	case raw, blob:
		return c.encodeBytes(v)
	case date, timestamp, timestampTZ, timestampLTZ:
		m, reason := parseMoment(s)
		if reason == "" {
			reason = m.exceeds(c.fractionDigits())
		}
		if reason != "" {
			return nil, c.loss(s, reason)
		}
		if c.storage == date {
			return []byte(m.String()), nil
		}
		return []byte(m.nano()), nil
	case boolean:
		switch s {
		case "t":
			return []byte("true"), nil
		case "f":
			return []byte("false"), nil
		}
		return nil, c.loss(s, "is neither t nor f")
	case intervalYM, intervalDS, rowid:
		return v, nil
	}
	return nil, c.loss("", fmt.Sprintf("no text makes a value of type %s", c.Native))
}

func (c column) fractionDigits() int {
	switch {
	case c.storage == date:
		return 0
	case len(c.args) == 0:
		return 6 // TIMESTAMP is TIMESTAMP(6)
	}
	return c.args[0]
}

func (c column) encodeNumber(s string) ([]byte, error) {
	// Booleans arrive as they are spelled, also in a column that was described
	// as a number.
	if c.Kind == replication.Bool || c.Kind == replication.Int {
		switch s {
		case "t":
			s = "1"
		case "f":
			s = "0"
		}
	}
	d, ok := parseDecimal(s)
	if !ok {
		return nil, c.loss(s, "no NUMBER holds it")
	}
	reason := d.exceeds()
	switch {
	case reason != "":
	case c.base == "FLOAT" && len(c.args) == 1:
		if digits := int(math.Ceil(float64(c.args[0]) * math.Log10(2))); len(d.digits) > digits {
			reason = fmt.Sprintf("would be rounded to %d digits", digits)
		}
	case len(c.args) == 1:
		reason = d.exceedsScale(c.args[0], 0)
	case len(c.args) == 2:
		reason = d.exceedsScale(c.args[0], c.args[1])
	}
	if reason != "" {
		return nil, c.loss(s, reason)
	}
	return []byte(d.short()), nil
}

func (c column) checkFloat(s string) error {
	f, ok := parseFloat(s, 64)
	if !ok {
		return c.loss(s, "no "+c.base+" holds it")
	}
	if c.storage == binaryFloat {
		// Unchanged means that the shortest text is.
		short := formatFloat(float64(float32(f)), 32)
		if back, _ := parseFloat(string(short), 64); back != f && !math.IsNaN(f) {
			return c.loss(s, "would be rounded to 32 bits")
		}
	}
	return nil
}

func (c column) encodeText(v []byte) ([]byte, error) {
	if !utf8.Valid(v) {
		return nil, c.loss(string(v), "is not UTF-8")
	}
	if c.Fixed || c.storage == char || c.storage == nchar {
		v = []byte(strings.TrimRight(string(v), " "))
		if len(v) == 0 && (c.storage == char || c.storage == nchar) {
			return []byte(" "), nil // Oracle fills it up with blanks
		}
	}
	if err := c.checkEmpty(v); err != nil {
		return nil, err
	}
	if len(c.args) == 1 && c.storage != clob && c.storage != nclob {
		n, unit := utf8.RuneCount(v), "characters"
		if c.bytes {
			n, unit = len(v), "bytes"
		}
		if n > c.args[0] {
			return nil, c.loss(string(v), fmt.Sprintf("has %d %s, more than %s holds", n, unit, c.text))
		}
	}
	return v, nil
}

func (c column) encodeBytes(v []byte) ([]byte, error) {
	if c.storage == raw && c.Kind == replication.UUID {
		b, err := hex.DecodeString(strings.ReplaceAll(string(v), "-", ""))
		if err != nil || len(b) != 16 {
			return nil, c.loss(string(v), "is no UUID")
		}
		v = b
	}
	if err := c.checkEmpty(v); err != nil {
		return nil, err
	}
	if c.storage == raw && len(c.args) == 1 && len(v) > c.args[0] {
		return nil, c.loss(string(v), fmt.Sprintf("has %d bytes, more than %s holds", len(v), c.text))
	}
	return v, nil
}

// checkEmpty refuses the empty value where it would be NULL and may not be.
// Elsewhere Type has said that it becomes NULL.
func (c column) checkEmpty(v []byte) error {
	if len(v) > 0 || c.storage.lob() || c.Nullable {
		return nil
	}
	return c.loss("", "the empty value is NULL on Oracle, and the column is NOT NULL")
}
