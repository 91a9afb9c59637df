package mysql

import (
	"encoding/hex"
	"math"
	"strconv"

	"github.com/ashlar-go/ashlar/replication"
)

// textLiteral returns any text as SQL that means the same in every mode and
// has no quotes, backslashes or question marks in it.
func textLiteral(s string) string {
	if s == "" {
		return "''"
	}
	return "_utf8mb4 X'" + hex.EncodeToString([]byte(s)) + "'"
}

// literal returns a value in its kind's spelling as SQL that compares with the
// column as the value does.
func literal(c replication.Column, v []byte) string {
	if v == nil {
		return "NULL"
	}
	switch c.Kind {
	case replication.Int, replication.Decimal:
		if isNumeral(v) {
			return string(v)
		}
	case replication.Bool:
		if string(v) == "t" {
			return "1"
		}
		return "0"
	case replication.Float:
		// A FLOAT compares as the double that it is, which is not the one that
		// its shortest text reads as.
		bits := 64
		if c.Size == 32 {
			bits = 32
		}
		if f, err := strconv.ParseFloat(string(v), bits); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'e', -1, 64)
		}
	case replication.Bytes:
		return "X'" + hex.EncodeToString(v) + "'"
	case replication.Native:
		if typeOf(c).hexed() {
			return "UNHEX('" + hex.EncodeToString(v) + "')" // never a key; kept whole
		}
	case replication.Instant, replication.Timestamp:
		v = cutZone(v)
	}
	return textLiteral(string(v))
}

// isNumeral keeps what is no number out of a text of SQL.
func isNumeral(v []byte) bool {
	if len(v) > 0 && v[0] == '-' {
		v = v[1:]
	}
	digits, point := 0, false
	for _, b := range v {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case b == '.' && !point:
			point = true
		default:
			return false
		}
	}
	return digits > 0
}

// cutZone takes the +00 of an Instant away.
func cutZone(v []byte) []byte {
	if n := len(v); n > 3 && v[n-3] == '+' && v[n-2] == '0' && v[n-1] == '0' {
		return v[:n-3]
	}
	return v
}
