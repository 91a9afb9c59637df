package oracle

import (
	"fmt"
	"strconv"

	"github.com/ashlar-go/ashlar/replication"
)

// catalogued is a column as ALL_TAB_COLS has it.
type catalogued struct {
	name, dataType                        string
	length, chars, used, precision, scale string // "" is NULL
	nullable, virtual                     bool
}

// column finds the type's DDL and the kind. The catalogue has the precision of
// TIMESTAMP and INTERVAL in the type's name, and that of the others apart.
func (k catalogued) column() replication.Column {
	c := replication.Column{Name: k.name, Native: k.dataType, Nullable: k.nullable, Generated: k.virtual}
	switch k.dataType {
	case "NUMBER":
		k.number(&c)
	case "FLOAT": // a NUMBER with its precision in bits
		c.Kind = replication.Decimal
		if k.precision != "" {
			c.Native = "FLOAT(" + k.precision + ")"
		}
	case "BINARY_FLOAT":
		c.Kind, c.Size = replication.Float, 32
	case "BINARY_DOUBLE":
		c.Kind, c.Size = replication.Float, 64
	case "VARCHAR2", "CHAR":
		c.Kind, c.Fixed = replication.Text, k.dataType == "CHAR"
		unit, n := "CHAR", k.chars
		if k.used == "B" {
			unit, n = "BYTE", k.length
		}
		c.Size = atoi(n)
		c.Native = fmt.Sprintf("%s(%s %s)", k.dataType, n, unit)
	case "NVARCHAR2", "NCHAR":
		c.Kind, c.Fixed = replication.Text, k.dataType == "NCHAR"
		c.Size = atoi(k.chars)
		c.Native = fmt.Sprintf("%s(%s)", k.dataType, k.chars)
	case "CLOB", "NCLOB":
		c.Kind = replication.Text
	case "RAW":
		c.Kind, c.Size = replication.Bytes, atoi(k.length)
		c.Native = "RAW(" + k.length + ")"
	case "BLOB":
		c.Kind = replication.Bytes
	case "DATE":
		c.Kind = replication.Timestamp
	case "BOOLEAN":
		c.Kind = replication.Bool
	case "JSON":
		c.Kind = replication.JSON
	default:
		t, _ := parseType(k.dataType)
		switch t.storage {
		case timestamp:
			c.Kind, c.Scale = replication.Timestamp, column{ddlType: t}.fractionDigits()
		case timestampTZ, timestampLTZ:
			c.Kind, c.Scale = replication.Instant, column{ddlType: t}.fractionDigits()
		default:
			c.Kind = replication.Native
		}
	}
	return c
}

// number: without a precision it is a floating one of 38 digits, unless it has a
// scale, as INTEGER does.
func (k catalogued) number(c *replication.Column) {
	c.Kind = replication.Decimal
	switch {
	case k.precision == "" && k.scale == "":
		return
	case k.precision == "":
		k.precision = "38"
	}
	c.Precision, c.Scale = atoi(k.precision), atoi(k.scale)
	c.Native = fmt.Sprintf("NUMBER(%d,%d)", c.Precision, c.Scale)
	if c.Precision <= 18 && c.Scale == 0 {
		c.Kind, c.Precision = replication.Int, 0
		c.Native = "NUMBER(" + k.precision + ")"
	}
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // of the catalogue
	return n
}
