package mysql

import (
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// What a column's comment says to make it another kind than its type is. Type
// writes them, so that a column comes back as what it was made for.
const (
	markBool    = "ashlar:bool"
	markInstant = "ashlar:instant"
	markUUID    = "ashlar:uuid"
	markJSON    = "ashlar:json"
)

// colType is what Column.Native says: the type as the catalogue has it, then
// CHARACTER SET and COLLATE, then a mark as COMMENT.
type colType struct {
	base      string // in lower case: varchar
	ddl       string // the type without charset, collation and mark
	charset   string
	collation string
}

// typeOf reads Column.Native. A column that another vendor described, or that was
// made by hand, has only its kind.
func typeOf(c replication.Column) colType {
	ddl, rest := c.Native, ""
	n := strings.LastIndex(ddl, " CHARACTER SET ") // the last: an ENUM may have it in a label
	if n < 0 {
		n = strings.LastIndex(ddl, " COMMENT 'ashlar:")
	}
	if n >= 0 {
		ddl, rest = ddl[:n], ddl[n:]
	}
	t := colType{ddl: ddl}
	end := strings.IndexFunc(ddl, func(r rune) bool { return r == '(' || r == ' ' })
	if end < 0 {
		end = len(ddl)
	}
	t.base = strings.ToLower(ddl[:end])
	if strings.HasSuffix(rest, byteOrdered) { // what Type made, not yet read back
		t.charset, t.collation = "utf8mb4", "utf8mb4_nopad_bin"
		return t
	}
	words := strings.Fields(rest)
	for i, w := range words {
		switch {
		case w == "SET" && i+1 < len(words):
			t.charset = words[i+1]
		case w == "COLLATE" && i+1 < len(words):
			t.collation = words[i+1]
		}
	}
	return t
}

// spell is the other way round.
func (t colType) spell(mark string) string {
	s := t.ddl
	if t.charset != "" {
		s += " CHARACTER SET " + t.charset + " COLLATE " + t.collation
	}
	if mark != "" {
		s += " COMMENT '" + mark + "'"
	}
	return s
}

// hexed reports whether values of the type travel as hexadecimal digits.
func (t colType) hexed() bool {
	switch t.base {
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
		"geometrycollection", "geomcollection", "vector":
		return true
	}
	return false
}

// listed reports whether the type has a list of the texts that it takes.
func (t colType) listed() bool { return t.base == "enum" || t.base == "set" }

// labels returns that list.
func (t colType) labels() []string {
	_, list, ok := strings.Cut(t.ddl, "(")
	if !ok || !t.listed() {
		return nil
	}
	var out []string
	var label strings.Builder
	in := false
	for i := 0; i < len(list); i++ {
		switch b := list[i]; {
		case !in && b == '\'':
			in = true
		case !in:
		case b == '\'' && i+1 < len(list) && list[i+1] == '\'':
			label.WriteByte(b)
			i++
		case b == '\'':
			in = false
			out = append(out, label.String())
			label.Reset()
		default:
			label.WriteByte(b)
		}
	}
	return out
}

// inByteOrder reports whether the collation sorts as the bytes of UTF-8 do, and
// takes no two texts for equal. The _bin collations without nopad do not: 'a'
// equals 'a ' there, and comes after "a\t".
func inByteOrder(collation string) bool {
	switch collation {
	case "utf8mb4_nopad_bin", "utf8mb4_0900_bin", "utf8mb3_nopad_bin", "utf8_nopad_bin", "ascii_nopad_bin", "binary":
		return true
	}
	return false
}

// maxBytes is how long a character of a charset may be.
func maxBytes(charset string) int {
	switch charset {
	case "utf8", "utf8mb3", "ujis", "eucjpms":
		return 3
	case "ucs2", "gbk", "gb2312", "sjis", "cp932", "big5", "euckr":
		return 2
	case "utf8mb4", "utf16", "utf16le", "utf32", "gb18030":
		return 4
	}
	return 1
}

// isText reports whether the column is a text to the server, whatever its kind is.
func isText(c replication.Column) bool { return typeOf(c).charset != "" }

// read is the SQL expression that gives the column's value to Stream.
func read(c replication.Column, ref string) string {
	t := typeOf(c)
	switch {
	case t.base == "float":
		return "(" + ref + "+0e0)" // else the server prints six digits
	case t.base == "bit" && c.Kind != replication.Native:
		return "(" + ref + "+0)"
	case t.hexed() && c.Kind == replication.Native:
		return "HEX(" + ref + ")"
	case (t.base == "inet4" || t.base == "inet6" || t.base == "uuid") && t.charset == "":
		return "CAST(" + ref + " AS CHAR)"
	}
	return ref
}

// byBytes is what to compare two values of the column by, so that they are equal
// only if they are the same.
func byBytes(c replication.Column, ref string) string {
	if isText(c) && !(c.Kind == replication.Text && !c.Folds) || typeOf(c).hexed() {
		return "CAST(" + ref + " AS BINARY)"
	}
	return ref
}

// order is what to sort the column by, for the order of CompareKeys.
func order(c replication.Column, ref string) string {
	if seeks(c) {
		return ref
	}
	text := "CONVERT(" + read(c, ref) + " USING utf8mb4)"
	if c.Fixed {
		text = "TRIM(TRAILING ' ' FROM " + text + ")"
	}
	return "CAST(" + text + " AS BINARY)"
}

// seeks reports whether an index of the column has that order.
func seeks(c replication.Column) bool {
	t := typeOf(c)
	switch c.Kind {
	case replication.Text:
		return !c.Folds && !c.Fixed && !t.listed() && inByteOrder(t.collation)
	case replication.UUID:
		// Of 36 characters each, so blanks at the end do not matter. MariaDB's
		// own type sorts by its bytes in another order.
		return t.base == "char" && t.collation == "ascii_bin"
	case replication.JSON, replication.Native:
		return false
	}
	return true
}

func keySeeks(key []replication.Column) bool {
	for _, c := range key {
		if !seeks(c) {
			return false
		}
	}
	return true
}
