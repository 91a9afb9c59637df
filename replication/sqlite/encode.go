package sqlite

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// encoder turns a value in its kind's spelling into what is bound to a
// statement, or says why the column would not hold it unchanged.
type encoder func(value []byte) (any, error)

// encoderOf returns the encoder for a column, by its kind and by what its
// affinity would do to the value.
func encoderOf(c replication.Column) encoder {
	aff := affinityOf(c.Native)
	numeric := aff == affNumeric || aff == affInteger || aff == affReal
	switch c.Kind {
	case replication.Bool:
		return encodeBool
	case replication.Int:
		return encodeInt
	case replication.Decimal:
		if numeric {
			return encodeNumber
		}
		return encodeNormal(c)
	case replication.Float:
		return encodeFloat(c)
	case replication.Bytes:
		return func(v []byte) (any, error) { return append([]byte{}, v...), nil }
	case replication.Native:
		return encodeNative(numeric)
	case replication.Text, replication.JSON:
		// Of kinds whose texts may look like numbers.
		if numeric {
			return encodeDigits
		}
		return func(v []byte) (any, error) { return string(v), nil }
	}
	return encodeNormal(c)
}

func encodeBool(v []byte) (any, error) {
	switch string(v) {
	case "t":
		return int64(1), nil
	case "f":
		return int64(0), nil
	}
	return nil, errors.New("not a truth value")
}

func encodeInt(v []byte) (any, error) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return nil, errors.New("not an integer of 64 bits")
	}
	return n, nil
}

// encodeNormal stores the normal form, so that equal values are equal texts.
func encodeNormal(c replication.Column) encoder {
	return func(v []byte) (any, error) {
		b, err := replication.AppendNormal(nil, c, v)
		if err != nil {
			return nil, errors.New("not a spelling of the kind " + c.Kind.String())
		}
		return string(b), nil
	}
}

// encodeNumber stores a decimal in a column of numeric affinity as SQLite's
// number, if that reads back as the same one.
func encodeNumber(v []byte) (any, error) {
	normal, err := replication.AppendNormal(nil, replication.Column{Kind: replication.Decimal}, v)
	if err != nil {
		return nil, errors.New("not a decimal number")
	}
	text := string(normal)
	switch text {
	case "NaN":
		return text, nil // stays text, which sorts after the numbers
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || strconv.FormatFloat(f, 'f', -1, 64) != text {
		return nil, errors.New("more digits than a column of numeric affinity holds; declare it DECIMAL_TEXT")
	}
	return f, nil
}

func encodeFloat(c replication.Column) encoder {
	bits := 64
	if c.Size == 32 {
		bits = 32
	}
	return func(v []byte) (any, error) {
		if replication.Float.Check(v) != nil {
			return nil, errors.New("not a number")
		}
		f, err := strconv.ParseFloat(string(v), bits)
		switch {
		case err != nil:
			return nil, errors.New("not a number")
		case math.IsNaN(f):
			return nil, errors.New("SQLite takes NaN for NULL")
		}
		return f, nil
	}
}

func encodeNative(numeric bool) encoder {
	return func(v []byte) (any, error) {
		x, err := parseNative(v)
		if text, ok := x.(string); ok && numeric && looksNumeric(text) {
			return nil, errors.New("the column's affinity would make a number of the text")
		}
		return x, err
	}
}

// encodeDigits stores a text in a column that makes numbers of texts, if the
// number reads back as the same text.
func encodeDigits(v []byte) (any, error) {
	text := string(v)
	if !looksNumeric(text) {
		return text, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return n, nil
	}
	return nil, errors.New("the column's affinity would make a number of the text")
}

// looksNumeric reports whether numeric affinity would convert a text: it is a
// number in decimal, perhaps with blanks around it.
func looksNumeric(text string) bool {
	text = strings.Trim(text, " \t\n\v\f\r")
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return false // ParseFloat takes more for numbers than SQLite
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}
