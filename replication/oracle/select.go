package oracle

import (
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Select seeks by a condition whose first part is a simple range of the first
// column of the key, because an index is entered by no disjunction.
func (dialect) Select(t replication.SourceTable, after [][]byte, limit int) string {
	columns := resolve(t.Columns, t.Key)
	var b strings.Builder
	b.WriteString("SELECT ")
	if limit > 0 {
		fmt.Fprintf(&b, "/*+ FIRST_ROWS(%d) */ ", limit)
	}
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s C%d", c.selectText("t."+quote(c.Name)), i+1)
	}
	b.WriteString("\nFROM " + quoteName(t.Name) + " t")
	var where []string
	if t.Where != "" {
		where = append(where, "("+t.Where+"\n)") // the condition may end in a comment
	}
	key := make([]column, len(t.Key))
	for i, n := range t.Key {
		key[i] = columns[n]
	}
	if after != nil {
		where = append(where, beyond(key, after))
	}
	if len(where) > 0 {
		b.WriteString("\nWHERE " + strings.Join(where, "\n  AND "))
	}
	for i, c := range key {
		if i == 0 {
			b.WriteString("\nORDER BY ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(c.order("t." + quote(c.Name)))
	}
	if limit <= 0 {
		return b.String()
	}
	// FETCH FIRST is of 12.1.
	return fmt.Sprintf("SELECT * FROM (\n%s\n) WHERE ROWNUM <= %d", b.String(), limit)
}

// Lookup compares the columns as they are, which is what the key's index has.
func (dialect) Lookup(t replication.SourceTable, keys [][][]byte) string {
	columns := resolve(t.Columns, t.Key)
	selected := make([]string, len(columns))
	for i, c := range columns {
		selected[i] = fmt.Sprintf("%s C%d", c.selectText("t."+quote(c.Name)), i+1)
	}
	refs := make([]string, len(t.Key))
	for k, i := range t.Key {
		refs[k] = columns[i].lookup("t." + quote(columns[i].Name))
	}
	tuples := make([]string, len(keys))
	for n, key := range keys {
		values := make([]string, len(t.Key))
		for k, i := range t.Key {
			values[k] = columns[i].lookupLiteral(key[k])
		}
		tuples[n] = "(" + strings.Join(values, ", ") + ")"
	}
	among := "1 = 0"
	if len(keys) > 0 {
		among = "(" + strings.Join(refs, ", ") + ") IN (" + strings.Join(tuples, ", ") + ")"
	}
	where := ""
	if t.Where != "" {
		where = "\n  AND (" + t.Where + "\n)"
	}
	return "SELECT " + strings.Join(selected, ", ") + "\nFROM " + quoteName(t.Name) + " t\nWHERE " + among + where
}

// lookup returns the expression that lookupLiteral is equal to.
func (c column) lookup(ref string) string {
	switch c.storage {
	case varchar, nvarchar, char, nchar:
		return ref
	}
	return c.order(ref)
}

// lookupLiteral casts text to the column's type: without that, values of CHAR
// and NCHAR would be compared with blanks and all, or not by their index.
func (c column) lookupLiteral(value []byte) string {
	switch c.storage {
	case char, nchar:
		if len(value) == 0 {
			value = []byte(" ")
		}
		return "CAST(" + text(string(value)) + " AS " + c.text + ")"
	case varchar:
		return text(string(value))
	case nvarchar:
		return "TO_NCHAR(" + text(string(value)) + ")"
	}
	return c.literal(value)
}

// SeeksKeys: an index has the order of text too, since Prepare pins binary
// comparison and UTF-8; not of NCHAR and NVARCHAR2, which are UTF-16, nor of
// CHAR, whose blanks sort behind control characters.
func (dialect) SeeksKeys(t replication.SourceTable) bool {
	if len(t.Key) == 0 {
		return false
	}
	columns := resolve(t.Columns, t.Key)
	for _, i := range t.Key {
		if c := columns[i]; c.Folds || c.order("x") != "x" {
			return false
		}
	}
	return true
}

// order returns the expression by which the column sorts as its text does.
func (c column) order(ref string) string {
	switch c.storage {
	case varchar, nvarchar, char, nchar:
		if c.storage == nvarchar || c.storage == nchar {
			ref = "TO_CHAR(" + ref + ")" // UTF-16 to the database's UTF-8
		}
		if c.Fixed || c.storage == char || c.storage == nchar {
			ref = "RTRIM(" + ref + ")"
		}
		if c.Folds {
			ref = "UTL_RAW.CAST_TO_RAW(" + ref + ")"
		}
	case intervalYM, intervalDS, rowid, boolean:
		return c.selectText(ref)
	}
	return ref
}

// literal returns the value that order's expression is compared with.
func (c column) literal(value []byte) string {
	s := string(value)
	switch c.storage {
	case number:
		switch {
		case c.Kind == replication.Bool && s == "t":
			s = "1"
		case c.Kind == replication.Bool && s == "f":
			s = "0"
		}
		return "TO_NUMBER(" + text(s) + ")"
	case binaryFloat:
		return "TO_BINARY_FLOAT(" + text(s) + ")"
	case binaryDouble:
		return "TO_BINARY_DOUBLE(" + text(s) + ")"
	case raw:
		if c.Kind == replication.UUID {
			return "HEXTORAW(" + text(strings.ReplaceAll(s, "-", "")) + ")"
		}
		return fmt.Sprintf("HEXTORAW('%X')", value)
	case date, timestamp, timestampTZ, timestampLTZ:
		plain, nano := s, s // what is no moment makes the server say so
		if m, reason := parseMoment(s); reason == "" {
			plain, nano = m.day+" "+m.clock, m.nano()
		}
		switch c.storage {
		case date:
			return "TO_DATE(" + text(plain) + ", " + dateIn + ")"
		case timestamp:
			return "TO_TIMESTAMP(" + text(nano) + ", " + timestampIn + ")"
		}
		return "FROM_TZ(TO_TIMESTAMP(" + text(nano) + ", " + timestampIn + "), '+00:00')"
	case varchar, nvarchar, char, nchar:
		if c.Folds {
			return fmt.Sprintf("HEXTORAW('%X')", value)
		}
	}
	return text(s)
}

// beyond returns the condition for the keys after one. A value of CHAR that is
// all blanks is ” here and NULL to Oracle, and sorts first.
func beyond(key []column, after [][]byte) string {
	var first string
	condition := ""
	for i := len(key) - 1; i >= 0; i-- {
		ref := key[i].order("t." + quote(key[i].Name))
		greater, equal := ref+" IS NOT NULL", ref+" IS NULL"
		first = ""
		if len(after[i]) > 0 {
			value := key[i].literal(after[i])
			greater, equal = ref+" > "+value, ref+" = "+value
			first = ref + " >= " + value
		}
		if condition == "" {
			condition = greater
		} else {
			condition = "(" + greater + " OR (" + equal + " AND " + condition + "))"
		}
	}
	if len(key) > 1 && first != "" {
		condition = first + " AND " + condition
	}
	return condition
}
