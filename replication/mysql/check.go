package mysql

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/go-sql-driver/mysql"
)

// A slot is how the values of one column are written.
type slot struct {
	column replication.Column
	table  string
	form   form
	check  func(s *slot, v []byte) ([]byte, error) // what the server would change silently; may be nil
	labels []string
	fixed  int // BINARY(n): n
}

// form is how a value is spelled in SQL.
type form uint8

const (
	plain  form = iota // as text
	number             // as an integer without quotes: a text means something else to BIT and YEAR
	hexed              // UNHEX of the value's digits
	digit              // the value is digits already: UNHEX of it
)

func slotsOf(table replication.Name, columns []replication.Column) []slot {
	slots := make([]slot, len(columns))
	for i, c := range columns {
		s := slot{column: c, table: table.String()}
		t := typeOf(c)
		switch c.Kind {
		case replication.Bool:
			s.check = (*slot).boolean
		case replication.Int:
			s.check = (*slot).integer
			switch t.base {
			case "bit":
				s.form, s.check = number, (*slot).bits
			case "year":
				s.form, s.check = number, (*slot).year
			}
		case replication.Decimal:
			s.check = (*slot).finite
			if t.base == "bit" {
				s.form, s.check = number, (*slot).bits
			}
		case replication.Float:
			s.check = (*slot).finite
			if t.base == "float" {
				s.check = (*slot).single
			}
		case replication.Text:
			if t.listed() {
				s.labels, s.check = t.labels(), (*slot).label
				if t.base == "set" {
					s.check = (*slot).set
				}
			}
		case replication.Bytes:
			s.form = hexed
			if t.base == "binary" {
				s.fixed, s.check = c.Size, (*slot).padded
			}
		case replication.Date:
			s.check = (*slot).date
		case replication.Time, replication.Timestamp, replication.Instant:
			s.check = (*slot).fraction
		case replication.Native:
			if t.hexed() {
				s.form = digit
			}
		}
		slots[i] = s
	}
	return slots
}

// prepare returns the value as it is to be sent. Gone rows have only a key.
func (s *slot) prepare(v []byte, gone bool) ([]byte, error) {
	if v == nil {
		if !gone && !s.column.Nullable {
			// TIMESTAMP and AUTO_INCREMENT take NULL for something else.
			return nil, &mysql.MySQLError{Number: 1048, SQLState: [5]byte{'2', '3', '0', '0', '0'},
				Message: "Column " + quote(s.column.Name) + " of " + s.table + " cannot be null"}
		}
		return nil, nil
	}
	if s.check != nil {
		return s.check(s, v)
	}
	return v, nil
}

func (s *slot) loss(v []byte, reason string) ([]byte, error) {
	return nil, lossOf(s.table, s.column, v, reason)
}

var one, zero = []byte("1"), []byte("0")

// boolean takes the other vendors' booleans and numbers.
func (s *slot) boolean(v []byte) ([]byte, error) {
	switch string(v) {
	case "t", "1":
		return one, nil
	case "f", "0":
		return zero, nil
	}
	return s.loss(v, "neither true nor false")
}

// integer takes a Bool, and a Decimal that is whole: the server would round.
func (s *slot) integer(v []byte) ([]byte, error) {
	switch string(v) {
	case "t":
		return one, nil
	case "f":
		return zero, nil
	}
	whole := v
	if before, after, ok := bytes.Cut(v, []byte{'.'}); ok {
		if len(bytes.Trim(after, "0")) > 0 {
			return s.loss(v, "not an integer")
		}
		whole = before
	}
	n := bytes.TrimPrefix(whole, []byte("-"))
	if len(n) == 0 {
		return s.loss(v, "not an integer")
	}
	for _, b := range n {
		if b < '0' || b > '9' {
			return s.loss(v, "not an integer")
		}
	}
	return whole, nil
}

// year refuses what the server takes for the last two digits.
func (s *slot) year(v []byte) ([]byte, error) {
	v, err := s.integer(v)
	if err != nil {
		return nil, err
	}
	if n := digits(v); len(v) > 4 || n != 0 && (n < 1901 || n > 2155) {
		return s.loss(v, "YEAR is 1901 to 2155, or 0")
	}
	return v, nil
}

// finite refuses NaN and the infinities.
func (s *slot) finite(v []byte) ([]byte, error) {
	n := bytes.TrimPrefix(v, []byte("-"))
	if len(n) == 0 || n[0] != '.' && (n[0] < '0' || n[0] > '9') {
		return s.loss(v, "the database has finite numbers only")
	}
	return v, nil
}

// single writes all digits of the number that a FLOAT is to be: the shortest text
// of the greatest one reads as a double that is out of its range.
func (s *slot) single(v []byte) ([]byte, error) {
	if v, err := s.finite(v); err != nil {
		return v, err
	}
	f, err := strconv.ParseFloat(string(v), 32)
	if err != nil {
		return s.loss(v, "out of the range of FLOAT")
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
}

// bits are not signed.
func (s *slot) bits(v []byte) ([]byte, error) {
	v, err := s.integer(v)
	if err == nil && v[0] == '-' {
		return s.loss(v, "BIT has no negative numbers")
	}
	return v, err
}

// label refuses what the server takes for a label's number, or for another label
// by its collation.
func (s *slot) label(v []byte) ([]byte, error) {
	if slices.Contains(s.labels, string(v)) {
		return v, nil
	}
	return s.loss(v, "not a label of the column")
}

func (s *slot) set(v []byte) ([]byte, error) {
	if len(v) == 0 {
		return v, nil
	}
	for label := range strings.SplitSeq(string(v), ",") {
		if !slices.Contains(s.labels, label) {
			return s.loss(v, "not a label of the column")
		}
	}
	return v, nil
}

// padded refuses what the server would fill up with zeros.
func (s *slot) padded(v []byte) ([]byte, error) {
	if len(v) != s.fixed {
		return s.loss(v, "BINARY has a fixed length")
	}
	return v, nil
}

// date takes a timestamp of midnight: the server would cut off any.
func (s *slot) date(v []byte) ([]byte, error) {
	if !isDate(v) {
		return s.loss(v, "no date of the calendar")
	}
	if len(v) > 10 {
		if string(trimFraction(v[10:])) != " 00:00:00" {
			return s.loss(v, "the column has no time of day")
		}
		v = v[:10]
	}
	return v, nil
}

// fraction refuses digits of a second that the server would cut off, and takes
// the zone away, which is always UTC.
func (s *slot) fraction(v []byte) ([]byte, error) {
	v = cutZone(v)
	if s.column.Kind != replication.Time && !isDate(v) {
		return s.loss(v, "no date of the calendar")
	}
	if n := bytes.IndexByte(v, '.'); n >= 0 {
		v = trimFraction(v)
		if len(v)-n-1 > min(s.column.Scale, maxFraction) {
			return s.loss(v, "more digits of a second than the column has")
		}
	}
	return v, nil
}
