package postgres

import (
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Select orders by bytes whatever collation the key has. A row comparison finds
// its place by an index of that order.
func (dialect) Select(t replication.SourceTable, after [][]byte, limit int) string {
	var b strings.Builder
	own := ident(t.Name.Table)
	b.WriteString("SELECT " + columnList(own+".", t.Columns) + " FROM " + quoteName(t.Name) + " AS " + own + " WHERE true")
	if t.Where != "" {
		b.WriteString(" AND (" + t.Where + "\n)")
	}
	key := t.KeyColumns()
	order := make([]string, len(key))
	for i, c := range key {
		order[i] = keyOrder(c, own+"."+ident(c.Name))
	}
	if after != nil && len(key) > 0 {
		values := make([]string, len(key))
		for i, c := range key {
			values[i] = value(c, after[i])
		}
		fmt.Fprintf(&b, " AND (%s) > (%s)", strings.Join(order, ", "), strings.Join(values, ", "))
	}
	if len(key) > 0 {
		b.WriteString(" ORDER BY " + strings.Join(order, ", "))
	}
	if limit > 0 {
		fmt.Fprintf(&b, " LIMIT %d", limit)
	}
	return b.String()
}

// Lookup lets the columns' types read the keys.
func (dialect) Lookup(t replication.SourceTable, keys [][][]byte) string {
	var b strings.Builder
	own := ident(t.Name.Table)
	b.WriteString("SELECT " + columnList(own+".", t.Columns) + " FROM " + quoteName(t.Name) + " AS " + own + " WHERE ")
	if len(keys) == 0 {
		return b.String() + "false"
	}
	columns := t.KeyColumns()
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = own + "." + ident(c.Name)
	}
	in := func(names []string, column func(i int) bool) {
		b.WriteString("(" + strings.Join(names, ", ") + ") IN (")
		for n, key := range keys {
			if n > 0 {
				b.WriteString(", ")
			}
			b.WriteByte('(')
			sep := ""
			for i, c := range columns {
				if column(i) {
					b.WriteString(sep + value(c, key[i]))
					if c.Kind == replication.Native && c.Native != "" {
						b.WriteString("::" + c.Native) // a literal alone is not read as a composite type
					}
					sep = ", "
				}
			}
			b.WriteByte(')')
		}
		b.WriteByte(')')
	}
	in(names, func(int) bool { return true })
	// Of what a folding column takes for equal, only the texts that were asked for.
	for i, c := range columns {
		if c.Folds {
			b.WriteString(" AND ")
			in([]string{bytesOf(c, names[i])}, func(n int) bool { return n == i })
		}
	}
	if t.Where != "" {
		b.WriteString(" AND (" + t.Where + "\n)")
	}
	return b.String()
}

// SeeksKeys needs the column's own order to be that of Select.
func (dialect) SeeksKeys(t replication.SourceTable) bool {
	for _, c := range t.KeyColumns() {
		if keyOrder(c, "") != "" {
			return false
		}
	}
	return len(t.Key) > 0
}

// keyOrder is the expression that orders a column as CompareKeys does; the
// column itself where its type has that order.
func keyOrder(c replication.Column, column string) string {
	switch c.Kind {
	case replication.Text:
		switch {
		case bytewise(c):
			return column
		case collatable(c) && !c.Folds:
			return column + ` COLLATE "C"`
		}
		return column + `::text COLLATE "C"`
	case replication.Native, replication.JSON:
		// As it is printed: a cast to text is something else for some types, as inet.
		return "format('%s', " + column + `) COLLATE "C"`
	}
	return column
}

// collatable tells the types of text from enumerations and others' types.
func collatable(c replication.Column) bool {
	return strings.HasPrefix(c.Native, "text") || strings.HasPrefix(c.Native, "character") ||
		strings.HasPrefix(c.Native, "varchar") || strings.HasPrefix(c.Native, "bpchar")
}

// value is a value as a literal that its column's type reads.
func value(c replication.Column, v []byte) string {
	if v == nil {
		return "NULL"
	}
	if c.Kind == replication.Bytes {
		return fmt.Sprintf(`'\x%x'`, v)
	}
	return literal(string(v))
}

// Create gives key columns of text the order of their bytes, so that an index
// serves Select.
func (d dialect) Create(t replication.TargetTable) []string {
	var statements []string
	if t.Name.Schema != "" {
		statements = append(statements, createSchema(t.Name.Schema))
	}
	return append(statements, "CREATE TABLE "+quoteName(t.Name)+" ("+d.definitions(t)+")")
}

func (d dialect) definitions(t replication.TargetTable) string {
	inKey := make(map[int]bool)
	for _, at := range t.Key {
		inKey[at] = true
	}
	var lines []string
	for i, c := range t.Columns {
		ddl := strings.TrimSuffix(strings.TrimSuffix(c.Native, alwaysIdentity), collateDefault)
		if ddl == "" {
			ddl, _ = d.Type(c)
		}
		if inKey[i] && c.Kind == replication.Text && collatable(replication.Column{Native: ddl}) && !strings.HasSuffix(ddl, collateC) {
			ddl += collateC
		}
		if !c.Nullable || inKey[i] {
			ddl += " NOT NULL"
		}
		lines = append(lines, ident(c.Name)+" "+ddl)
	}
	if len(t.Key) > 0 {
		lines = append(lines, "PRIMARY KEY ("+columnList("", t.KeyColumns())+")")
	}
	return strings.Join(lines, ", ")
}
