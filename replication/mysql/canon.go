package mysql

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// canon brings the values of one row from what the driver returns into the
// kinds' spellings. Its buffer is used again for each row.
type canon struct {
	columns []replication.Column
	buf     []byte
}

// value returns the value in its spelling, or what cannot be spelled. The result
// is valid until the next row.
func (k *canon) value(i int, from any) ([]byte, error) {
	switch v := from.(type) {
	case nil:
		return nil, nil
	case []byte:
		return k.text(i, v)
	case int64:
		return k.integer(i, func(b []byte) []byte { return strconv.AppendInt(b, v, 10) }, v)
	case uint64:
		return k.integer(i, func(b []byte) []byte { return strconv.AppendUint(b, v, 10) }, int64(min(v, 2)))
	case float64:
		if k.columns[i].Size == 32 {
			return k.keep(strconv.AppendFloat(k.buf, v, 'g', -1, 32)), nil
		}
		return k.keep(strconv.AppendFloat(k.buf, v, 'g', -1, 64)), nil
	case float32:
		return k.keep(strconv.AppendFloat(k.buf, float64(v), 'g', -1, 32)), nil
	case string:
		return k.text(i, []byte(v))
	}
	return nil, fmt.Errorf("mysql: column %s: the driver returned a %T", k.columns[i].Name, from)
}

// keep returns what was appended to the buffer.
func (k *canon) keep(grown []byte) []byte {
	v := grown[len(k.buf):len(grown):len(grown)]
	k.buf = grown
	return v
}

func (k *canon) integer(i int, appendTo func([]byte) []byte, v int64) ([]byte, error) {
	if k.columns[i].Kind != replication.Bool {
		return k.keep(appendTo(k.buf)), nil
	}
	switch v {
	case 0:
		return falseText, nil
	case 1:
		return trueText, nil
	}
	return nil, k.loss(i, appendTo(nil), "a column marked "+markBool+" is 0 or 1")
}

var trueText, falseText = []byte("t"), []byte("f")

func (k *canon) loss(i int, v []byte, reason string) error {
	return lossOf("", k.columns[i], v, reason)
}

func lossOf(table string, c replication.Column, v []byte, reason string) error {
	return &replication.TypeLossError{Table: table, Column: c.Name, Value: string(v[:min(len(v), 80)]), Reason: reason}
}

// text is for what arrives as text. Most kinds need nothing done.
func (k *canon) text(i int, v []byte) ([]byte, error) {
	switch c := &k.columns[i]; c.Kind {
	case replication.Date:
		if !isDate(v) || len(v) != 10 {
			return nil, k.loss(i, v, "no date of the calendar")
		}
	case replication.Timestamp, replication.Instant:
		if !isDate(v) || len(v) < 19 {
			return nil, k.loss(i, v, "no date of the calendar")
		}
		v = trimFraction(v)
		if c.Kind == replication.Instant {
			v = k.keep(append(append(k.buf, v...), "+00"...))
		}
	case replication.Time:
		if len(v) < 8 || v[2] != ':' || v[0] == '-' || v[0] > '2' || v[0] == '2' && v[1] > '3' {
			return nil, k.loss(i, v, "no time of a day")
		}
		v = trimFraction(v)
	case replication.Decimal:
		// ZEROFILL pads with them.
		for len(v) > 1 && v[0] == '0' && v[1] != '.' {
			v = v[1:]
		}
	case replication.UUID:
		if len(v) != 36 {
			return nil, k.loss(i, v, "no UUID")
		}
		for _, b := range v {
			if b >= 'A' && b <= 'F' {
				return k.keep(append(k.buf, bytes.ToLower(v)...)), nil
			}
		}
	}
	return v, nil
}

// isDate reports whether v begins with a date of the calendar. The server can
// also have zeros and, in a mode of its own, the 31st of any month.
func isDate(v []byte) bool {
	if len(v) < 10 || v[4] != '-' || v[7] != '-' {
		return false
	}
	y, m, d := digits(v[:4]), digits(v[5:7]), digits(v[8:10])
	if y < 1 || m < 1 || m > 12 || d < 1 {
		return false
	}
	return d <= 28 || d <= time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// digits returns the number, or -1.
func digits(v []byte) int {
	n := 0
	for _, b := range v {
		if b < '0' || b > '9' {
			return -1
		}
		n = n*10 + int(b-'0')
	}
	return n
}

// trimFraction takes the zeros at the end of a fraction of a second away.
func trimFraction(v []byte) []byte {
	if bytes.IndexByte(v, '.') < 0 {
		return v
	}
	n := len(v)
	for v[n-1] == '0' {
		n--
	}
	if v[n-1] == '.' {
		n--
	}
	return v[:n]
}
