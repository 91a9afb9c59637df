package sqlite

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Create makes a table with its key. Collations are binary, as SQLite's are
// unless a table says otherwise.
func (d dialect) Create(t replication.TargetTable) []string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + table(t.Name) + " (" + d.definition(t) + ")")
	return []string{b.String()}
}

func (d dialect) definition(t replication.TargetTable) string {
	var parts []string
	for i, c := range t.Columns {
		ddl := c.Native
		if ddl == "" {
			ddl, _ = d.Type(c)
		}
		part := quote(c.Name) + " " + ddl
		if !c.Nullable || slices.Contains(t.Key, i) {
			part += " NOT NULL"
		}
		parts = append(parts, part)
	}
	if len(t.Key) > 0 {
		parts = append(parts, "PRIMARY KEY ("+names(t.KeyColumns(), "")+")")
	}
	for _, u := range t.Unique {
		quoted := make([]string, len(u))
		for i, name := range u {
			quoted[i] = quote(name)
		}
		parts = append(parts, "UNIQUE ("+strings.Join(quoted, ", ")+")")
	}
	return strings.Join(parts, ", ")
}

// copyName is a name that nobody else has: it tells the number of the copy.
func copyName(t replication.TargetTable, n int) replication.Name {
	return replication.Name{Schema: t.Name.Schema, Table: t.Name.Table + "_ashlar" + strconv.Itoa(n)}
}

func view(t replication.TargetTable, n int) string {
	return " VIEW " + table(t.Name) + " (" + names(t.Columns, "") + ") AS SELECT " + names(t.Columns, quote(copyName(t, n).Table)+".") + " FROM " + quote(copyName(t, n).Table)
}

// Publish keeps two tables behind a view. Which of them is public is in the
// view's own text, so that it changes with it.
func (d dialect) Publish(t replication.TargetTable) replication.Publishing {
	p := replication.Publishing{
		Copies: func(n int) replication.Name { return copyName(t, n) },
		Clear:  func(n int) []string { return []string{"DELETE FROM " + table(copyName(t, n))} },
		Ready:  func(n int) []string { return []string{"ANALYZE " + table(copyName(t, n))} },
		Public: "SELECT CASE WHEN instr(sql, " + literal(" FROM "+quote(copyName(t, 0).Table)) + ") > 0 THEN 0 WHEN instr(sql, " + literal(" FROM "+quote(copyName(t, 1).Table)) + ") > 0 THEN 1 ELSE -1 END" +
			" FROM main.sqlite_schema WHERE type IN ('view', 'table') AND name = " + literal(t.Name.Table) + " COLLATE NOCASE",
	}
	for n := range 2 {
		p.Create = append(p.Create, "CREATE TABLE IF NOT EXISTS "+table(copyName(t, n))+" ("+d.definition(t)+")")
	}
	p.Create = append(p.Create, "CREATE VIEW IF NOT EXISTS"+strings.TrimPrefix(view(t, 0), " VIEW"))
	return p
}

// Flip makes the views anew, in one transaction: a savepoint is one by itself,
// and a part of another one within it.
func (dialect) Flip(tables []replication.TargetTable, to []int) []string {
	out := []string{`SAVEPOINT "ashlar_flip"`}
	for i, t := range tables {
		out = append(out, "DROP VIEW IF EXISTS "+table(t.Name), "CREATE"+view(t, to[i]))
	}
	return append(out, `RELEASE "ashlar_flip"`)
}
