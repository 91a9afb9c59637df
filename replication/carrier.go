package replication

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// carrier respells values of the master's column from for the replica's column
// to, and makes the promise of a checked verdict true where databases do not:
// they cut blanks beyond the length of a VARCHAR without an error, and round
// what a master with lax types, such as SQLite, may hold beyond its column's
// scale. It is for one goroutine.
type carrier struct {
	from, to Column
	same     bool // no value changes, and none is checked
	step     step
	buf      []byte
}

// step is what a carrier does with a value.
type step uint8

const (
	sizeStep     step = iota // checks the length
	trimStep                 // a CHAR goes without its blanks, which makes it the same text from any vendor
	numberStep               // a truth value becomes a number
	truthStep                // a number becomes a truth value
	digitsStep               // checks the digits of a number
	expandStep               // a Float becomes a Decimal
	midnightStep             // a date becomes a time
	dateStep                 // and back, where a key is carried back
	fractionStep             // checks the digits of a second
)

// steps has the pairs of kinds that need more than a check of the length.
var steps = map[kinds]step{
	{Text, Text}:           trimStep,
	{Text, Bytes}:          trimStep,
	{Bool, Int}:            numberStep,
	{Bool, Decimal}:        numberStep,
	{Int, Bool}:            truthStep,
	{Decimal, Bool}:        truthStep,
	{Int, Decimal}:         digitsStep,
	{Decimal, Decimal}:     digitsStep,
	{Decimal, Int}:         digitsStep,
	{Float, Decimal}:       expandStep,
	{Date, Timestamp}:      midnightStep,
	{Timestamp, Date}:      dateStep,
	{Time, Time}:           fractionStep,
	{Timestamp, Timestamp}: fractionStep,
	{Instant, Instant}:     fractionStep,
	{Instant, Timestamp}:   fractionStep,
}

// newCarrier is for columns that lossOf does not refuse, and for the way back.
func newCarrier(from, to Column, sameVendor bool) carrier {
	c := carrier{from: from, to: to, step: steps[kinds{from.Kind, to.Kind}]}
	if c.step == trimStep && (!from.Fixed || to.Fixed) {
		c.step = sizeStep
	}
	sized := to.Size > 0 && (to.Kind == Text || to.Kind == Bytes)
	c.same = sameType(&from, &to, sameVendor) ||
		c.step == sizeStep && !sized ||
		c.step == digitsStep && to.Kind == Decimal && !to.limited()
	return c
}

// carry returns the value as the replica's column spells it, valid until the
// next call, or a *TypeLossError without its Table. NULL stays NULL.
func (c *carrier) carry(value []byte) ([]byte, error) {
	if c.same || value == nil {
		return value, nil
	}
	switch c.step {
	case trimStep:
		value = trimBlanks(value)
	case numberStep:
		if err := Bool.Check(value); err != nil {
			return nil, c.lost(value, unprefixed(err))
		}
		c.buf = append(c.buf[:0], '0')
		if value[0] == 't' {
			c.buf[0] = '1'
		}
		return c.buf, nil
	case truthStep:
		n, ok := parseNumber(value)
		c.buf = n.append(c.buf[:0])
		switch {
		case ok && string(c.buf) == "0":
			c.buf[0] = 'f'
		case ok && string(c.buf) == "1":
			c.buf[0] = 't'
		default:
			return nil, c.lost(value, "the replica's column holds only 0 and 1")
		}
		return c.buf, nil
	case digitsStep:
		if err := c.checkDigits(value); err != nil || c.to.Kind == Decimal {
			return value, err
		}
		n, _ := parseNumber(value)
		c.buf = n.append(c.buf[:0]) // without a point
		return c.buf, nil
	case expandStep:
		return c.expand(value)
	case midnightStep:
		c.buf = append(append(c.buf[:0], value...), midnight...)
		return c.buf, nil
	case dateStep:
		end, ok := timestampEnd(value)
		date, ok2 := bytes.CutSuffix(value[:end], midnight)
		if !ok || !ok2 {
			return nil, c.lost(value, "the time of day would be cut off")
		}
		return date, nil
	case fractionStep:
		if err := c.checkFraction(value); err != nil {
			return nil, err
		}
		if c.from.Kind != c.to.Kind {
			value = bytes.TrimSuffix(value, utc)
		}
		return value, nil
	}
	return value, c.checkSize(value)
}

var midnight = []byte(" 00:00:00")

// checkSize checks the length of texts and bytes.
func (c *carrier) checkSize(value []byte) error {
	most := c.to.Size
	if most == 0 || len(value) <= most {
		return nil
	}
	switch c.to.Kind {
	case Bytes:
		return c.lost(value, fmt.Sprintf("the replica's column holds at most %d bytes, and this has %d", most, len(value)))
	case Text:
		text := value
		if c.to.Fixed {
			text = trimBlanks(text)
		}
		if n := utf8.RuneCount(text); n > most {
			return c.lost(value, fmt.Sprintf("the replica's column holds at most %d characters, and this has %d", most, n))
		}
	}
	return nil
}

// checkDigits checks the digits of a number before and after the point.
func (c *carrier) checkDigits(value []byte) error {
	n, ok := parseNumber(value)
	before, after := c.to.Precision-c.to.Scale, c.to.Scale
	switch {
	case !ok:
		return c.lost(value, unprefixed(misspelled(c.from.Kind, value)))
	case c.to.Kind == Int && !n.fitsInt():
		return c.lost(value, "the replica's column holds only integers of at most 64 bits")
	case c.to.Kind == Int || n.class != finite: // if the column has no NaN, its database says so
		return nil
	case len(n.fraction) > max(0, after):
		return c.lost(value, fmt.Sprintf("the replica's column holds only %d digits after the point", max(0, after)))
	case len(n.whole) > max(0, before):
		return c.lost(value, fmt.Sprintf("the replica's column holds only %d digits before the point", max(0, before)))
	case before < 0 && zeros(n.fraction) < min(-before, len(n.fraction)):
		return c.lost(value, fmt.Sprintf("the replica's column begins %d digits after the point", -before))
	case after < 0 && len(n.whole)-len(bytes.TrimRight(n.whole, "0")) < min(-after, len(n.whole)):
		return c.lost(value, fmt.Sprintf("the replica's column rounds the last %d digits before the point", -after))
	}
	return nil
}

// zeros returns how many zeros text begins with.
func zeros(text []byte) int { return len(text) - len(bytes.TrimLeft(text, "0")) }

// checkFraction checks the digits of a second.
func (c *carrier) checkFraction(value []byte) error {
	_, fraction, ok := bytes.Cut(value, []byte("."))
	if !ok {
		return nil
	}
	if n := len(bytes.TrimRight(fraction[:digits(fraction)], "0")); n > c.to.Scale {
		return c.lost(value, fmt.Sprintf("the replica's column holds only %d digits of a second", c.to.Scale))
	}
	return nil
}

// expand writes a number of any exponent as a Decimal.
func (c *carrier) expand(value []byte) ([]byte, error) {
	f, err := parseFloat(value, c.from.bits())
	if err != nil {
		return nil, c.lost(value, unprefixed(misspelled(Float, value)))
	}
	if parseClass(value) != finite {
		return value, nil
	}
	c.buf = strconv.AppendFloat(c.buf[:0], f, 'f', -1, c.from.bits())
	return c.buf, nil
}

func (c *carrier) lost(value []byte, reason string) error {
	return &TypeLossError{Column: c.to.Name, Value: clip(value), Reason: reason}
}

// unprefixed returns what an error says, for use within another one.
func unprefixed(err error) string {
	return strings.TrimPrefix(err.Error(), "replication: ")
}
