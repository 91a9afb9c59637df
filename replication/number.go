package replication

import (
	"bytes"
	"math"
	"strconv"
)

// number is an exact number taken apart. Its digits are parts of the text.
type number struct {
	class    class
	neg      bool // of finite numbers; false for zero
	plus     bool // the text began with a plus sign, which is no spelling of ours
	whole    []byte
	fraction []byte // both without zeros that mean nothing
}

// class is in the order of PostgreSQL, which is the only one to sort them.
type class int8

const (
	negInf class = iota - 1
	finite
	posInf
	nan
)

var (
	textNaN    = []byte("NaN")
	textPosInf = []byte("Infinity")
	textNegInf = []byte("-Infinity")
	utc        = []byte("+00")
)

func parseClass(text []byte) class {
	switch {
	case bytes.Equal(text, textNaN):
		return nan
	case bytes.Equal(text, textPosInf):
		return posInf
	case bytes.Equal(text, textNegInf):
		return negInf
	}
	return finite
}

// parseNumber reads [+-]digits[.digits] or one of the three that are no numbers.
func parseNumber(text []byte) (n number, ok bool) {
	if n.class = parseClass(text); n.class != finite {
		return n, true
	}
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		n.neg, n.plus = text[0] == '-', text[0] == '+'
		text = text[1:]
	}
	whole := digits(text)
	n.whole = text[:whole]
	switch rest := text[whole:]; {
	case whole == 0:
		return n, false
	case len(rest) == 0:
	case rest[0] != '.' || len(rest) == 1 || digits(rest[1:]) != len(rest)-1:
		return n, false
	default:
		n.fraction = bytes.TrimRight(rest[1:], "0")
	}
	n.whole = bytes.TrimLeft(n.whole, "0")
	n.neg = n.neg && (len(n.whole) > 0 || len(n.fraction) > 0)
	return n, true
}

// parseInt reads [+-]digits of at most 64 bits.
func parseInt(text []byte) (n number, ok bool) {
	n, ok = parseNumber(text)
	if !ok || n.class != finite || bytes.IndexByte(text, '.') >= 0 {
		return n, false
	}
	return n, n.fitsInt()
}

func (n number) fitsInt() bool {
	const most, least = "9223372036854775807", "9223372036854775808"
	switch {
	case n.class != finite || len(n.fraction) > 0 || len(n.whole) > len(most):
		return false
	case len(n.whole) < len(most):
		return true
	case n.neg:
		return string(n.whole) <= least
	}
	return string(n.whole) <= most
}

func (n number) append(dst []byte) []byte {
	switch n.class {
	case nan:
		return append(dst, textNaN...)
	case posInf:
		return append(dst, textPosInf...)
	case negInf:
		return append(dst, textNegInf...)
	}
	if n.neg {
		dst = append(dst, '-')
	}
	if len(n.whole) == 0 {
		dst = append(dst, '0')
	}
	dst = append(dst, n.whole...)
	if len(n.fraction) > 0 {
		dst = append(append(dst, '.'), n.fraction...)
	}
	return dst
}

// digits returns how many decimal digits text begins with.
func digits(text []byte) int {
	for i, c := range text {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(text)
}

// parseFloat is strconv's, without what only Go and C write: 0x1p4, 1_000, inf.
func parseFloat(text []byte, bits int) (float64, error) {
	if parseClass(text) == finite {
		for _, c := range text {
			if (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' && c != 'e' && c != 'E' {
				return 0, strconv.ErrSyntax
			}
		}
	}
	f, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return 0, err
	}
	return f + 0, nil // -0 + 0 is 0
}

// appendFloat writes one spelling of a number that parseFloat returned.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, textNaN...)
	case math.IsInf(f, 1):
		return append(dst, textPosInf...)
	case math.IsInf(f, -1):
		return append(dst, textNegInf...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}
