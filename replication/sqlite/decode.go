package sqlite

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/replication"
)

// Names of result columns, by which a query tells Stream what it selects.
const (
	plainColumn  = "v"
	keyColumn    = "k" // a NULL, or another spelling than the one of its kind, is refused
	existsColumn = "x"
)

// decoder reads one column. What SQLite returns has one of five storage classes
// whatever the column's type; a class or spelling that does not fit the kind is
// refused, never converted.
type decoder struct {
	column *replication.Column
	key    bool
	number bool // the column's affinity makes numbers of texts

	buf    []byte // the value
	null   bool
	reason string // why the value was refused
	seen   any    // the value that was refused
}

// Scan takes a value from the driver, without database/sql copying it before.
func (d *decoder) Scan(src any) error {
	d.null, d.reason = false, ""
	switch v := src.(type) {
	case nil:
		if d.null = true; d.key {
			d.reason = "NULL in a key"
		}
	case int64:
		d.reason = d.integer(v)
	case float64:
		d.reason = d.real(v)
	case string:
		d.reason = d.text(v)
	case []byte:
		if temporal(d.column.Kind) {
			d.reason = d.text(string(v)) // see readable
		} else {
			d.reason = d.blob(v)
		}
	case time.Time:
		d.reason = "the driver made a time of the text; open the database without that (_texttotime, _inttotime)"
	default:
		d.reason = fmt.Sprintf("the driver made a %T of it", src)
	}
	if d.key && d.column.Kind == replication.JSON && !d.null {
		d.reason = "JSON in a key, where many texts are of one value"
	}
	if d.reason != "" {
		d.seen = src
		if b, ok := src.([]byte); ok {
			d.seen = bytes.Clone(b)
		}
	}
	return nil
}

// temporal kinds are read as the bytes of their text, out of the reach of
// drivers that make times of texts.
func temporal(k replication.Kind) bool {
	return k == replication.Date || k == replication.Time || k == replication.Timestamp || k == replication.Instant
}

// readable is a column as a query selects it for a decoder. Drivers convert by
// the declared type of a result column; expressions have none.
func readable(column string, k replication.Kind) string {
	switch {
	case temporal(k):
		// A blob arrives as 0, which no such kind is.
		return "CASE typeof(" + column + ") WHEN 'blob' THEN 0 ELSE CAST(" + column + " AS BLOB) END"
	case k == replication.Bool:
		return "+" + column
	}
	return column
}

func (d *decoder) integer(v int64) string {
	switch d.column.Kind {
	case replication.Bool:
		switch v {
		case 0:
			d.buf = append(d.buf, 'f')
		case 1:
			d.buf = append(d.buf, 't')
		default:
			return "neither 0 nor 1 in a column of truth values"
		}
		return ""
	case replication.Float:
		if exact := int64(1) << 53; v < -exact || v > exact {
			return "an integer that is no float"
		}
		return d.real(float64(v))
	case replication.Text:
		if !d.number {
			return "an integer in a column of texts"
		}
		// The column's type made it of a text: STRING has numeric affinity.
	case replication.Int, replication.Decimal, replication.Native, replication.JSON:
	default:
		return "an integer in a column of kind " + d.column.Kind.String()
	}
	d.buf = strconv.AppendInt(d.buf, v, 10)
	return ""
}

func (d *decoder) real(v float64) string {
	switch d.column.Kind {
	case replication.Float:
		if d.column.Size == 32 && float64(float32(v)) != v {
			return "more than the 32 bits that the column's type declares"
		}
		d.buf = appendFloat(d.buf, v, d.column.Size)
		return ""
	case replication.Decimal:
		if math.IsInf(v, 0) {
			d.buf = appendFloat(d.buf, v, 64)
		} else {
			d.buf = strconv.AppendFloat(d.buf, v, 'f', -1, 64)
		}
		return ""
	case replication.JSON:
		if math.IsInf(v, 0) {
			return "infinity is not JSON"
		}
		d.buf = strconv.AppendFloat(d.buf, v, 'g', -1, 64)
		return ""
	case replication.Native:
		if d.key {
			return "a floating-point number in a key without a type, where other spellings may be equal to it"
		}
		d.buf = appendReal(d.buf, v)
		return ""
	}
	return "a floating-point number in a column of kind " + d.column.Kind.String()
}

// appendFloat writes a float in its kind's spelling.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	case v == 0:
		return append(dst, '0') // also -0
	case bits != 32:
		bits = 64
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}

func (d *decoder) text(v string) string {
	kind := d.column.Kind
	switch kind {
	case replication.Text:
		if !utf8.ValidString(v) {
			return "not UTF-8"
		}
		d.buf = append(d.buf, v...)
		return ""
	case replication.JSON:
		if !json.Valid([]byte(v)) {
			return "not JSON"
		}
		d.buf = append(d.buf, v...)
		return ""
	case replication.Native:
		d.buf = appendQuoted(d.buf, v)
		return ""
	case replication.Int, replication.Float, replication.Bytes:
		return "text in a column of kind " + kind.String()
	}
	from := len(d.buf)
	dst, ok := d.respell(v)
	if !ok {
		return "not a spelling of the kind " + kind.String()
	}
	if d.key && string(dst[from:]) != d.keySpelling(v) {
		// Another row may have the same value in another spelling; and the order
		// of the spellings is not that of the values.
		return "not the one spelling of a " + kind.String() + " in a key, which is " + string(dst[from:])
	}
	d.buf = dst
	return ""
}

// keySpelling is how a value of a key is spelled that is stored as v.
func (d *decoder) keySpelling(v string) string {
	if d.column.Kind == replication.Bool {
		return "" // only 0 and 1 sort as truth values do
	}
	if d.column.Kind == replication.Decimal && d.number && v != "NaN" {
		return "" // text sorts after all numbers, as only NaN does
	}
	return v
}

// respell appends the kind's spelling of a text, if the text can mean only one
// value of the kind.
func (d *decoder) respell(v string) ([]byte, bool) {
	kind := d.column.Kind
	if !temporal(kind) {
		if dst, err := replication.AppendNormal(d.buf, *d.column, []byte(v)); err == nil {
			return dst, true
		}
	}
	switch kind {
	case replication.Bool:
		switch strings.ToLower(v) {
		case "true":
			return append(d.buf, 't'), true
		case "false":
			return append(d.buf, 'f'), true
		}
	case replication.UUID:
		v = strings.TrimSuffix(strings.TrimPrefix(v, "{"), "}")
		if raw, err := hex.DecodeString(strings.ReplaceAll(v, "-", "")); err == nil && len(raw) == 16 {
			return appendUUID(d.buf, raw), true
		}
	case replication.Date, replication.Time, replication.Timestamp, replication.Instant:
		return respellTime(d.buf, kind, v)
	}
	return d.buf, false
}

func (d *decoder) blob(v []byte) string {
	switch d.column.Kind {
	case replication.Bytes:
		d.buf = append(d.buf, v...)
		return ""
	case replication.Native:
		d.buf = append(d.buf, "X'"...)
		d.buf = hex.AppendEncode(d.buf, v)
		d.buf = append(d.buf, '\'')
		return ""
	case replication.UUID:
		if len(v) == 16 && !d.key {
			d.buf = appendUUID(d.buf, v)
			return ""
		}
	}
	return "a blob in a column of kind " + d.column.Kind.String()
}

func appendUUID(dst, raw []byte) []byte {
	for i, b := range raw {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte{b})
	}
	return dst
}
