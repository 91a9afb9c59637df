package replication

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Check returns an error if text is not a value in the kind's spelling. It
// takes a value for what it says, not for whether a column can hold it, and
// allows the zeros that mean nothing in numbers and fractions of a second. The
// text of NULL, nil, is not for it. It does not allocate if all is well.
func (k Kind) Check(text []byte) error {
	switch k {
	case Native, Bytes:
		return nil
	case Bool:
		if len(text) == 1 && (text[0] == 't' || text[0] == 'f') {
			return nil
		}
	case Int:
		if n, ok := parseInt(text); ok && !n.plus {
			return nil
		}
	case Decimal:
		if n, ok := parseNumber(text); ok && !n.plus {
			return nil
		}
	case Float:
		if _, err := parseFloat(text, 64); err == nil && text[0] != '+' {
			return nil
		}
	case Text:
		if utf8.Valid(text) {
			return nil
		}
	case Date:
		if validDate(text) {
			return nil
		}
	case Time:
		if _, ok := clockEnd(text, 6); ok {
			return nil
		}
	case Timestamp:
		if _, ok := timestampEnd(text); ok {
			return nil
		}
	case Instant:
		if rest, ok := bytes.CutSuffix(text, utc); ok {
			if _, ok := timestampEnd(rest); ok {
				return nil
			}
		}
	case UUID:
		if validUUID(text) && !slices.ContainsFunc(text, func(c byte) bool { return 'A' <= c && c <= 'F' }) {
			return nil
		}
	case JSON:
		return checkJSON(text)
	}
	return misspelled(k, text)
}

// AppendNormal appends to dst the one text that all spellings of a value have
// in common, so that values of any vendors are equal exactly if their normal
// forms are:
//
//   - Int and Decimal have no plus sign, no zeros that mean nothing, and no -0;
//   - Float is the shortest text at the column's size, and -0 is 0, because a
//     database takes them for equal and would never write the one over the other;
//   - Text of a Fixed column has no blanks at its end; other Text and Bytes, and
//     Native, are what they are;
//   - times have no zeros at the end of the fraction, UUIDs no capitals;
//   - JSON has no blanks, the keys sorted, strings with as few escapes as can be,
//     and numbers as digits and a power of ten, so that 1, 1.0 and 10e-1 are equal.
//
// It is an error if value is not in the kind's spelling. JSON has no normal form
// if it is deeper than 1000, longer than 64 MiB, or has a key twice in one object,
// since databases differ in which of the two counts. The text of NULL, nil, is
// not for it. On an error it returns dst as it was.
func AppendNormal(dst []byte, c Column, value []byte) ([]byte, error) {
	switch c.Kind {
	case Native, Bytes:
		return append(dst, value...), nil
	case Text:
		if c.Fixed {
			value = trimBlanks(value)
		}
		return append(dst, value...), nil
	case Bool:
		if c.Kind.Check(value) == nil {
			return append(dst, value[0]), nil
		}
	case Int:
		if n, ok := parseInt(value); ok {
			return n.append(dst), nil
		}
	case Decimal:
		if n, ok := parseNumber(value); ok {
			return n.append(dst), nil
		}
	case Float:
		if f, err := parseFloat(value, c.bits()); err == nil {
			return appendFloat(dst, f, c.bits()), nil
		}
	case Date:
		if validDate(value) {
			return append(dst, value...), nil
		}
	case Time:
		if end, ok := clockEnd(value, 6); ok {
			return append(dst, value[:end]...), nil
		}
	case Timestamp:
		if end, ok := timestampEnd(value); ok {
			return append(dst, value[:end]...), nil
		}
	case Instant:
		if rest, ok := bytes.CutSuffix(value, utc); ok {
			if end, ok := timestampEnd(rest); ok {
				return append(append(dst, rest[:end]...), utc...), nil
			}
		}
	case UUID:
		if validUUID(value) {
			n := len(dst)
			dst = append(dst, value...)
			for i, b := range dst[n:] {
				if 'A' <= b && b <= 'F' {
					dst[n+i] = b + 'a' - 'A'
				}
			}
			return dst, nil
		}
	case JSON:
		return appendJSON(dst, value)
	}
	return dst, misspelled(c.Kind, value)
}

// spellings are what the errors say that a value should look like.
var spellings = [...]string{
	Bool:      "t or f",
	Int:       "digits, of at most 64 bits with sign",
	Decimal:   "[-]digits[.digits], NaN, Infinity or -Infinity",
	Float:     "a decimal number in the range of its size, NaN, Infinity or -Infinity",
	Text:      "UTF-8",
	Date:      "2006-01-02 in the years 0001 to 9999",
	Time:      "15:04:05[.999999] before 24:00:00",
	Timestamp: "2006-01-02 15:04:05[.999999999] in the years 0001 to 9999",
	Instant:   "2006-01-02 15:04:05[.999999999]+00 in the years 0001 to 9999",
	UUID:      "32 hexadecimal digits in five groups",
}

func misspelled(k Kind, text []byte) error {
	if int(k) >= len(spellings) {
		return fmt.Errorf("replication: %q is of unknown kind %s", clip(text), k)
	}
	return fmt.Errorf("replication: %q is no %s, which is %s", clip(text), k, spellings[k])
}

// clip returns as much of a value as an error shows.
func clip(text []byte) string {
	const most = 80
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "..."
}

func trimBlanks(text []byte) []byte { return bytes.TrimRight(text, " ") }

// bits is the size of a Float.
func (c Column) bits() int {
	if c.Size == 32 {
		return 32
	}
	return 64
}
