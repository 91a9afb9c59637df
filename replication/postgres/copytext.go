package postgres

import (
	"bytes"
	"unicode/utf8"
)

// The text format of COPY: a row is a line, columns are separated by tabs, \N is
// NULL, and a backslash escapes what would be taken for one of these.

const hexDigits = "0123456789abcdef"

// Classes of bytes, for one look at a value.
const (
	escaped = 1 << iota
	zero
	high
)

var classes = func() (t [256]uint8) {
	for i := 0x80; i < 256; i++ {
		t[i] = high
	}
	t['\\'], t['\n'], t['\r'], t['\t'] = escaped, escaped, escaped, escaped
	t[0] = zero
	return t
}()

// appendField appends a value to a line. It reports false if PostgreSQL does not
// take the value as text: it is not UTF-8, or has a zero byte.
func appendField(dst, value []byte) ([]byte, bool) {
	if value == nil {
		return append(dst, '\\', 'N'), true
	}
	var class uint8
	for _, c := range value {
		class |= classes[c]
	}
	if class == 0 {
		return append(dst, value...), true
	}
	if class&zero != 0 || class&high != 0 && !utf8.Valid(value) {
		return dst, false
	}
	if class&escaped == 0 {
		return append(dst, value...), true
	}
	start := 0
	for i, c := range value {
		if classes[c] != escaped {
			continue
		}
		dst = append(dst, value[start:i]...)
		switch c {
		case '\n':
			c = 'n'
		case '\r':
			c = 'r'
		case '\t':
			c = 't'
		}
		dst = append(dst, '\\', c)
		start = i + 1
	}
	return append(dst, value[start:]...), true
}

// appendBytes appends any bytes to a line as bytea in hexadecimal.
func appendBytes(dst, value []byte) []byte {
	if value == nil {
		return append(dst, '\\', 'N')
	}
	dst = append(dst, '\\', '\\', 'x')
	for _, c := range value {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// fields splits a line, without its newline, into columns, which share its
// memory and are written over it. It reports false if there are not len(row).
func fields(line []byte, row [][]byte) bool {
	plain := bytes.IndexByte(line, '\\') < 0
	last := len(row) - 1
	for i := range row {
		end := bytes.IndexByte(line, '\t')
		if end < 0 {
			if i != last {
				return false
			}
			end = len(line)
		} else if i == last {
			return false
		}
		field := line[:end:end]
		if i != last {
			line = line[end+1:]
		}
		if !plain {
			if len(field) == 2 && field[0] == '\\' && field[1] == 'N' {
				field = nil
			} else if at := bytes.IndexByte(field, '\\'); at >= 0 {
				field = unescape(field, at)
			}
		}
		row[i] = field
	}
	return len(row) > 0
}

// unescape takes the backslashes out of a field, in place, from the one at from.
func unescape(field []byte, from int) []byte {
	w := from
	for r := from; r < len(field); r++ {
		c := field[r]
		if c == '\\' && r+1 < len(field) {
			r++
			switch c = field[r]; c {
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'v':
				c = '\v'
			}
		}
		field[w] = c
		w++
	}
	return field[:w]
}

var hexValues = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte(hexDigits) {
		t[c] = uint8(i)
		t[bytes.ToUpper([]byte{c})[0]] = uint8(i)
	}
	return t
}()

// unhex turns a bytea in hexadecimal, \x6162, into its bytes, in place.
func unhex(field []byte) ([]byte, bool) {
	if len(field) < 2 || len(field)%2 != 0 || field[0] != '\\' || field[1] != 'x' {
		return nil, false
	}
	out := field[:0]
	for i := 2; i < len(field); i += 2 {
		hi, lo := hexValues[field[i]], hexValues[field[i+1]]
		if hi|lo > 15 {
			return nil, false
		}
		out = append(out, hi<<4|lo)
	}
	return out, true
}
