package postgres

import (
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Suffixes of Column.Native, as in the column's DDL. The statements for a table
// depend on them.
const (
	// alwaysIdentity marks a column that no UPDATE may set.
	alwaysIdentity = " generated always as identity"
	// An index over a column with one of these has the order of the bytes.
	collateC       = ` collate "C"`
	collateDefault = ` collate "default"` // of a database whose own collation is C
)

func isIdentity(c replication.Column) bool { return strings.HasSuffix(c.Native, alwaysIdentity) }

// bytewise reports whether the column's own order is that of its bytes.
func bytewise(c replication.Column) bool {
	return strings.HasSuffix(c.Native, collateC) || strings.HasSuffix(c.Native, collateDefault)
}

// kindOf fills in what a base type of the catalogue is in words of all vendors.
// extension types, other than citext, and all that is left stay Native.
func kindOf(c *replication.Column, schema, name, class string, typmod int) {
	if class == "e" {
		c.Kind = replication.Text // the labels; the target's type tests them
		return
	}
	if name == "citext" {
		c.Kind, c.Folds = replication.Text, true
		return
	}
	if schema != "pg_catalog" {
		return
	}
	second := func(k replication.Kind) {
		c.Kind, c.Scale = k, typmod
		if typmod < 0 {
			c.Scale = 6
		}
	}
	switch name {
	case "bool":
		c.Kind = replication.Bool
	case "int2":
		c.Kind, c.Size = replication.Int, 16
	case "int4":
		c.Kind, c.Size = replication.Int, 32
	case "int8":
		c.Kind, c.Size = replication.Int, 64
	case "numeric":
		c.Kind = replication.Decimal
		if typmod >= 4 {
			c.Precision = (typmod - 4) >> 16 & 0xffff
			c.Scale = ((typmod-4)&0x7ff ^ 1024) - 1024 // 11 bits with sign since version 15
		}
	case "float4":
		c.Kind, c.Size = replication.Float, 32
	case "float8":
		c.Kind, c.Size = replication.Float, 64
	case "text":
		c.Kind = replication.Text
	case "varchar", "bpchar":
		c.Kind, c.Fixed = replication.Text, name == "bpchar"
		c.Size = max(typmod-4, 0)
	case "bytea":
		c.Kind = replication.Bytes
	case "date":
		c.Kind = replication.Date
	case "time":
		second(replication.Time)
	case "timestamp":
		second(replication.Timestamp)
	case "timestamptz":
		second(replication.Instant)
	case "uuid":
		c.Kind = replication.UUID
	case "json", "jsonb":
		c.Kind = replication.JSON
	}
}

// Type makes an Int a bigint unless its Size is 16 or 32 bits.
func (dialect) Type(c replication.Column) (ddl, loss string) {
	seconds := func(format string) (string, string) {
		scale := max(c.Scale, 0)
		if scale > 6 {
			loss = "digits of seconds after the sixth"
		}
		return fmt.Sprintf(format, min(scale, 6)), loss
	}
	switch c.Kind {
	case replication.Bool:
		return "boolean", ""
	case replication.Int:
		switch c.Size {
		case 16:
			return "smallint", ""
		case 32:
			return "integer", ""
		}
		return "bigint", ""
	case replication.Decimal:
		if c.Precision <= 0 || c.Precision > 1000 || c.Scale < 0 || c.Scale > c.Precision {
			return "numeric", "" // of any length
		}
		return fmt.Sprintf("numeric(%d,%d)", c.Precision, c.Scale), ""
	case replication.Float:
		if c.Size == 32 {
			return "real", ""
		}
		return "double precision", ""
	case replication.Text:
		const most = 10485760
		switch {
		case c.Size <= 0 || c.Size > most:
			return "text", ""
		case c.Fixed:
			return fmt.Sprintf("character(%d)", c.Size), ""
		}
		return fmt.Sprintf("character varying(%d)", c.Size), ""
	case replication.Bytes:
		return "bytea", ""
	case replication.Date:
		return "date", ""
	case replication.Time:
		return seconds("time(%d) without time zone")
	case replication.Timestamp:
		return seconds("timestamp(%d) without time zone")
	case replication.Instant:
		return seconds("timestamp(%d) with time zone")
	case replication.UUID:
		return "uuid", ""
	case replication.JSON:
		if c.Native == "json" {
			return "json", ""
		}
		return "jsonb", ""
	case replication.Native:
		return c.Native, ""
	}
	return "", "postgres has no type for " + c.Kind.String()
}
