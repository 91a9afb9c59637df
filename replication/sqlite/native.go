package sqlite

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A value of a column without a type travels as SQL writes it, so that its
// storage class arrives too: 1, 1.0, 'text', X'626c6f62'. Infinity is 9.0e999,
// and the bytes of a text are as they are but for quotes.

func appendQuoted(dst []byte, text string) []byte {
	dst = append(dst, '\'')
	dst = append(dst, strings.ReplaceAll(text, "'", "''")...)
	return append(dst, '\'')
}

func appendReal(dst []byte, v float64) []byte {
	if math.IsInf(v, 0) {
		if v < 0 {
			dst = append(dst, '-')
		}
		return append(dst, "9.0e999"...)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	if !bytes.ContainsAny(dst[from:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// parseNative reads a value in that spelling.
func parseNative(b []byte) (any, error) {
	bad := fmt.Errorf("not a value as SQL writes it")
	switch {
	case len(b) == 0:
		return nil, bad
	case b[0] == '\'':
		if len(b) < 2 || b[len(b)-1] != '\'' {
			return nil, bad
		}
		inside := string(b[1 : len(b)-1])
		if strings.Contains(strings.ReplaceAll(inside, "''", ""), "'") {
			return nil, bad
		}
		return strings.ReplaceAll(inside, "''", "'"), nil
	case b[0] == 'X':
		if len(b) < 3 || b[1] != '\'' || b[len(b)-1] != '\'' {
			return nil, bad
		}
		raw, err := hex.AppendDecode([]byte{}, b[2:len(b)-1])
		if err != nil {
			return nil, bad
		}
		return raw, nil
	case string(b) == "9.0e999":
		return math.Inf(1), nil
	case string(b) == "-9.0e999":
		return math.Inf(-1), nil
	}
	if strings.Trim(string(b), "0123456789+-.e") != "" {
		return nil, bad
	}
	if bytes.ContainsAny(b, ".e") {
		f, err := strconv.ParseFloat(string(b), 64)
		if err != nil {
			return nil, bad
		}
		return f, nil
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return nil, bad
	}
	return n, nil
}
