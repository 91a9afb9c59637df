package mysql

import (
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// byteOrdered is the collation of text columns that we make: no two texts are
// equal in it, also not 'a' and 'a ', and its order is that of the bytes. Each
// vendor has its own name for it and takes the other's part for a comment.
const byteOrdered = " CHARACTER SET utf8mb4 COLLATE /*M!100600 utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */"

// What a DECIMAL and a fraction of a second can have at most.
const (
	maxDigits   = 65
	maxScale    = 30
	maxFraction = 6
)

// Type chooses types that hold every value, or refuse it loudly:
//
//   - Bool, Instant and UUID become TINYINT(1), DATETIME and CHAR(36) with a mark
//     in the column's comment, so that Describe knows them again. TIMESTAMP would
//     end in 2038.
//   - Text gets a collation of bytes without padding.
//   - Text and Bytes of up to 255 become VARCHAR and VARBINARY, since a row has
//     only 65,535 bytes; longer ones the smallest TEXT and BLOB that holds them.
//   - JSON stays the text that it is: MySQL's own type keeps numbers as doubles.
//
// NaN and the infinities are refused when one comes.
func (dialect) Type(c replication.Column) (ddl, loss string) {
	switch c.Kind {
	case replication.Bool:
		return "TINYINT(1) COMMENT '" + markBool + "'", ""
	case replication.Int:
		return "BIGINT", ""
	case replication.Decimal:
		return decimalType(c)
	case replication.Float:
		if c.Size == 32 {
			return "FLOAT", "NaN and the infinities"
		}
		return "DOUBLE", "NaN and the infinities"
	case replication.Text:
		return textType(c.Size), ""
	case replication.Bytes:
		return bytesType(c.Size), ""
	case replication.Date:
		return "DATE", ""
	case replication.Time:
		return withFraction("TIME", c)
	case replication.Timestamp:
		return withFraction("DATETIME", c)
	case replication.Instant:
		ddl, loss = withFraction("DATETIME", c)
		return ddl + " COMMENT '" + markInstant + "'", loss
	case replication.UUID:
		return "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin COMMENT '" + markUUID + "'", ""
	case replication.JSON:
		return "/*M!100600 JSON */ /*!80000 LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT '" + markJSON + "' */", ""
	}
	if t := typeOf(c); t.hexed() || t.base == "inet4" || t.base == "inet6" {
		if !strings.ContainsAny(t.ddl, "[]?") { // PostgreSQL has a point and arrays of them
			return t.ddl, ""
		}
	}
	return "", fmt.Sprintf("type %s is known to its own database only", c.Native)
}

func decimalType(c replication.Column) (ddl, loss string) {
	p, s := c.Precision, c.Scale
	if p == 0 {
		return fmt.Sprintf("DECIMAL(%d,%d)", maxDigits, maxScale),
			fmt.Sprintf("numbers with more than %d digits before or %d after the point, NaN and the infinities", maxDigits-maxScale, maxScale)
	}
	if s < 0 { // Oracle: rounded before the point
		p, s = p-s, 0
	}
	p = max(p, s)
	if p <= maxDigits && s <= maxScale {
		return fmt.Sprintf("DECIMAL(%d,%d)", p, s), ""
	}
	whole := min(max(p-s, 0), maxDigits)
	after := min(s, maxScale, maxDigits-whole)
	return fmt.Sprintf("DECIMAL(%d,%d)", whole+after, after),
		fmt.Sprintf("numbers with more than %d digits before or %d after the point", whole, after)
}

func textType(size int) string {
	switch {
	case size <= 0:
		return "LONGTEXT" + byteOrdered
	case size <= 255:
		return fmt.Sprintf("VARCHAR(%d)", size) + byteOrdered
	case size <= 1<<14-1: // characters of four bytes
		return "TEXT" + byteOrdered
	case size <= 1<<22-1:
		return "MEDIUMTEXT" + byteOrdered
	}
	return "LONGTEXT" + byteOrdered
}

func bytesType(size int) string {
	switch {
	case size <= 0:
		return "LONGBLOB"
	case size <= 255:
		return fmt.Sprintf("VARBINARY(%d)", size)
	case size <= 1<<16-1:
		return "BLOB"
	case size <= 1<<24-1:
		return "MEDIUMBLOB"
	}
	return "LONGBLOB"
}

func withFraction(base string, c replication.Column) (ddl, loss string) {
	digits := c.Scale
	if digits > maxFraction {
		digits, loss = maxFraction, "fractions of a second beyond six digits"
	}
	if digits <= 0 {
		return base, ""
	}
	return fmt.Sprintf("%s(%d)", base, digits), loss
}

// maxKeyBytes is how long an index of InnoDB with pages of 16 KB may be.
const maxKeyBytes = 3072

// Create makes the table with its primary key, of the types that the columns
// name, as Type or Describe gave them. A text in the key gets a collation that
// tells all texts apart, and a text or bytes without a length as much as the index
// has room for: longer values are refused, with an error, when one comes.
func (d dialect) Create(t replication.TargetTable) []string {
	share := keyShare(t.KeyColumns())
	key := make(map[int]bool, len(t.Key))
	for _, n := range t.Key {
		key[n] = true
	}
	parts := make([]string, 0, len(t.Columns)+1)
	for i, c := range t.Columns {
		ddl := c.Native
		if ddl == "" {
			ddl, _ = d.Type(c)
		}
		null := " NULL"
		if key[i] || !c.Nullable {
			null = " NOT NULL"
			if typeOf(c).base == "timestamp" {
				null += " DEFAULT '2000-01-01 00:00:00'" // else one that changes by itself
			}
		}
		if key[i] {
			ddl = keyType(c, ddl, share)
		}
		parts = append(parts, quote(c.Name)+" "+ddl+null)
	}
	if len(t.Key) > 0 {
		parts = append(parts, "PRIMARY KEY ("+list(t.KeyColumns(), func(c replication.Column) string { return quote(c.Name) })+")")
	}
	var out []string
	if t.Name.Schema != "" {
		out = append(out, "CREATE DATABASE IF NOT EXISTS "+quote(t.Name.Schema))
	}
	return append(out, "CREATE TABLE IF NOT EXISTS "+qualified(t.Name)+" ("+strings.Join(parts, ", ")+") ENGINE=InnoDB ROW_FORMAT=DYNAMIC")
}

// isLong reports whether a key's column needs a length that fits into an index.
func isLong(c replication.Column) bool {
	switch c.Kind {
	case replication.Text:
		return c.Size == 0 || c.Size > maxKeyBytes/4
	case replication.Bytes:
		return c.Size == 0 || c.Size > maxKeyBytes
	}
	return false
}

// keyShare is how many bytes of the key each long column may have.
func keyShare(key []replication.Column) int {
	room, long := maxKeyBytes, 0
	for _, c := range key {
		switch {
		case isLong(c):
			long++
		case c.Kind == replication.Text:
			room -= 4 * c.Size
		case c.Kind == replication.Bytes:
			room -= c.Size
		default:
			room -= 36 // a UUID; a DECIMAL has 30 bytes at most
		}
	}
	return max(room, 0) / max(long, 1)
}

func keyType(c replication.Column, ddl string, share int) string {
	t := typeOf(c)
	switch {
	case c.Kind == replication.Text && t.listed():
		return ddl // compared as a label
	case c.Kind == replication.Text && isLong(c):
		return fmt.Sprintf("VARCHAR(%d)", share/4) + byteOrdered
	case c.Kind == replication.Text:
		return fmt.Sprintf("VARCHAR(%d)", c.Size) + byteOrdered
	case c.Kind == replication.Bytes && isLong(c):
		return fmt.Sprintf("VARBINARY(%d)", share)
	case c.Kind == replication.Bytes && t.base != "binary":
		return fmt.Sprintf("VARBINARY(%d)", c.Size)
	}
	return ddl
}

// list joins what f makes of each column by commas.
func list(columns []replication.Column, f func(replication.Column) string) string {
	return join(columns, ", ", f)
}

func join(columns []replication.Column, by string, f func(replication.Column) string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = f(c)
	}
	return strings.Join(parts, by)
}

// joinAt is join with the column's number.
func joinAt(columns []replication.Column, by string, f func(int, replication.Column) string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = f(i, c)
	}
	return strings.Join(parts, by)
}
