package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// affinity is what SQLite does to a value that is stored in a column.
type affinity uint8

const (
	affBlob    affinity = iota // nothing
	affText                    // numbers become text
	affNumeric                 // text that looks like a number becomes one
	affInteger                 // the same
	affReal                    // the same, and integers become floating point
)

// affinityOf follows section 3.1 of https://sqlite.org/datatype3.html.
func affinityOf(declared string) affinity {
	d := strings.ToUpper(declared)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(d, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return affInteger
	case has("CHAR", "CLOB", "TEXT"):
		return affText
	case has("BLOB") || d == "":
		return affBlob
	case has("REAL", "FLOA", "DOUB"):
		return affReal
	}
	return affNumeric
}

// anyType is declared by columns that hold values of any storage class.
const anyType = "ANY_BLOB"

// kinds are the types whose names say more than their affinity.
var kinds = map[string]replication.Kind{
	"BOOL": replication.Bool, "BOOLEAN": replication.Bool,
	"DATE": replication.Date,
	"TIME": replication.Time, "TIME WITHOUT TIME ZONE": replication.Time,
	"DATETIME": replication.Timestamp, "TIMESTAMP": replication.Timestamp, "TIMESTAMP WITHOUT TIME ZONE": replication.Timestamp,
	"TIMESTAMPTZ": replication.Instant, "TIMESTAMP WITH TIME ZONE": replication.Instant, "TIMESTAMP WITH LOCAL TIME ZONE": replication.Instant,
	"DATETIMEOFFSET": replication.Instant,
	"UUID":           replication.UUID, "GUID": replication.UUID, "UNIQUEIDENTIFIER": replication.UUID,
	"JSON": replication.JSON, "JSONB": replication.JSON, "JSON_TEXT": replication.JSON,
	"BYTEA": replication.Bytes, "BINARY": replication.Bytes, "VARBINARY": replication.Bytes, "RAW": replication.Bytes,
	"DECIMAL_TEXT": replication.Decimal,
	"STRING":       replication.Text,
	"":             replication.Native, "ANY": replication.Native, anyType: replication.Native,
}

// setType fills in what a declared type says of a column.
func setType(c *replication.Column, declared string) {
	c.Native = strings.TrimSpace(declared)
	name, a, b := splitType(declared)
	kind, known := kinds[name]
	if !known {
		switch affinityOf(declared) {
		case affInteger:
			kind = replication.Int
		case affText:
			kind = replication.Text
		case affBlob:
			kind = replication.Bytes
		case affReal:
			kind = replication.Float
		case affNumeric:
			kind = replication.Decimal
		}
	}
	c.Kind = kind
	switch kind {
	case replication.Text, replication.Bytes:
		c.Size = max(0, a)
	case replication.Decimal:
		if c.Precision = max(0, a); c.Precision > 0 {
			c.Scale = b
		}
	case replication.Float:
		c.Size = 64
		if name == "FLOAT32" {
			c.Size = 32
		}
	case replication.Time, replication.Timestamp, replication.Instant:
		c.Scale = mostDigits(kind)
		if strings.Contains(declared, "(") {
			c.Scale = max(0, min(a, c.Scale))
		}
	}
}

// mostDigits is how many digits of a second a kind has.
func mostDigits(k replication.Kind) int {
	if k == replication.Time {
		return 6
	}
	return 9
}

// splitType takes a declared type apart: its name in upper case with single
// blanks, and the numbers behind it.
func splitType(declared string) (name string, a, b int) {
	name, rest, ok := strings.Cut(declared, "(")
	if ok {
		inside, after, _ := strings.Cut(rest, ")")
		first, second, _ := strings.Cut(inside, ",")
		a, _ = strconv.Atoi(strings.TrimSpace(first))
		b, _ = strconv.Atoi(strings.TrimSpace(second))
		name += " " + after
	}
	return strings.ToUpper(strings.Join(strings.Fields(name), " ")), a, b
}

// Digits of decimal numbers that SQLite's own numbers hold: any of 15 digits by
// a float64, any of 18 by an integer of 64 bits.
const (
	floatDigits = 15
	intDigits   = 18
)

// Type returns the type for what c holds. Decimals with few digits become
// SQLite's numbers, which compare and add up as such; more of them become text.
func (dialect) Type(c replication.Column) (ddl, loss string) {
	sized := func(name string, n ...int) string {
		if n[0] <= 0 {
			return name
		}
		if len(n) == 2 {
			return fmt.Sprintf("%s(%d,%d)", name, n[0], n[1])
		}
		return fmt.Sprintf("%s(%d)", name, n[0])
	}
	digits := func(name string) string { return fmt.Sprintf("%s(%d)", name, max(0, min(c.Scale, mostDigits(c.Kind)))) }
	switch c.Kind {
	case replication.Native:
		switch name, _, _ := splitType(c.Native); name {
		case "", "ANY", anyType:
			return anyType, ""
		}
		return "", ""
	case replication.Bool:
		return "BOOLEAN", ""
	case replication.Int:
		return "INTEGER", ""
	case replication.Decimal:
		whole := c.Precision // digits before the point, and after it
		if c.Scale < 0 {
			whole -= c.Scale
		}
		if c.Precision > 0 && (whole <= floatDigits && c.Scale <= floatDigits || c.Scale <= 0 && whole <= intDigits) {
			return sized("DECIMAL", c.Precision, c.Scale), ""
		}
		return sized("DECIMAL_TEXT", c.Precision, c.Scale), ""
	case replication.Float:
		const loss = "refuses NaN, which SQLite takes for NULL"
		if c.Size == 32 {
			return "FLOAT32", loss
		}
		return "DOUBLE", loss
	case replication.Text:
		switch {
		case c.Size > 0 && c.Fixed:
			return sized("CHAR", c.Size), ""
		case c.Size > 0:
			return sized("VARCHAR", c.Size), ""
		}
		return "TEXT", ""
	case replication.Bytes:
		return sized("BLOB", c.Size), ""
	case replication.Date:
		return "DATE", ""
	case replication.Time:
		return digits("TIME"), ""
	case replication.Timestamp:
		return digits("TIMESTAMP"), ""
	case replication.Instant:
		return digits("TIMESTAMPTZ"), ""
	case replication.UUID:
		return "UUID", ""
	case replication.JSON:
		return "JSON_TEXT", ""
	}
	return "", ""
}
