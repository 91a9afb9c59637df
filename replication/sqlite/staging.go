package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Relax has nothing left to do: Prepare has switched foreign keys off, which
// must be done outside of transactions. The replica's own triggers fire; SQLite
// has no switch for them.
func (dialect) Relax(context.Context, *sql.Conn) (ordered bool, err error) { return false, nil }

// stager writes the statements of an apply.
type stager struct {
	replication.TargetTable
	stage string
}

// Staging uses a temporary table, which is the connection's own. Its columns
// have the types of the table's, so that values and comparisons are the same.
func (dialect) Staging(t replication.TargetTable) replication.Staging {
	name := replication.Name{Schema: "temp", Table: "ashlar_stage_" + t.ID}
	s := stager{t, table(name)}
	return replication.Staging{
		Table:        name,
		Create:       []string{s.create()},
		Clear:        []string{"DELETE FROM " + s.stage},
		DeleteGone:   "DELETE FROM " + table(t.Name) + " WHERE " + s.keyIn("s.ashlar_exists = 0"),
		DeleteStaged: "DELETE FROM " + table(t.Name) + " WHERE " + s.keyIn("1"),
		DeleteOthers: "DELETE FROM " + table(t.Name) + " WHERE NOT " + s.keyIn("s.ashlar_exists = 1") + s.orNull(),
		DeleteRivals: s.deleteRivals(),
		Update:       s.update(),
		Insert:       s.insert(),
		Keep:         "DELETE FROM " + s.stage + ` WHERE NOT ("ashlar_n" >= ? AND "ashlar_n" < ?)`,
	}
}

func (s stager) create() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (%s INTEGER, %s INTEGER", s.stage, quote(replication.StageNumber), quote(replication.StageExists))
	for _, c := range s.Columns {
		b.WriteString(", " + quote(c.Name) + " " + c.Native)
	}
	b.WriteString(")")
	return b.String()
}

func names(columns []replication.Column, prefix string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = prefix + quote(c.Name)
	}
	return strings.Join(out, ", ")
}

// keyIn is the condition that a row's key is staged, in rows that satisfy
// where. SQLite finds the rows by the key's index, one for each staged row.
func (s stager) keyIn(where string) string {
	key := s.KeyColumns()
	in := func(left string) string {
		return "(" + left + ") IN (SELECT " + names(key, "s.") + " FROM " + s.stage + " AS s WHERE " + where + ")"
	}
	own := quote(s.Name.Table) + "."
	q, exact := in(names(key, own)), make([]string, len(key))
	for i, c := range key {
		exact[i] = own + quote(c.Name)
		if c.Folds {
			exact[i] += " COLLATE BINARY"
		}
	}
	if e := strings.Join(exact, ", "); e != names(key, own) {
		q += " AND " + in(e)
	}
	return "(" + q + ")"
}

// orNull is for rows that SQLite's primary keys let in, and no master's have.
func (s stager) orNull() string {
	var q strings.Builder
	for _, c := range s.KeyColumns() {
		q.WriteString(" OR " + quote(s.Name.Table) + "." + quote(c.Name) + " IS NULL")
	}
	return q.String()
}

// sameKey compares the keys of two tables.
func (s stager) sameKey(a, b string) string {
	var parts []string
	for _, c := range s.KeyColumns() {
		x, y := a+"."+quote(c.Name), b+"."+quote(c.Name)
		parts = append(parts, x+" = "+y)
		if c.Folds {
			parts = append(parts, x+" = "+y+" COLLATE BINARY")
		}
	}
	return strings.Join(parts, " AND ")
}

func (s stager) update() string {
	var set, differ []string
	for i, c := range s.Columns {
		if slices.Contains(s.Key, i) {
			continue
		}
		name := quote(c.Name)
		set = append(set, name+" = s."+name)
		d := "t." + name + " IS NOT s." + name
		if c.Folds {
			d += " COLLATE BINARY"
		}
		if c.Kind == replication.Native { // 1 and 1.0 are equal, and not the same
			d += " OR typeof(t." + name + ") <> typeof(s." + name + ")"
		}
		differ = append(differ, d)
	}
	if len(set) == 0 {
		return ""
	}
	return "UPDATE " + table(s.Name) + " AS t SET " + strings.Join(set, ", ") + " FROM " + s.stage + " AS s WHERE s.ashlar_exists = 1 AND " +
		s.sameKey("t", "s") + " AND (" + strings.Join(differ, " OR ") + ")"
}

func (s stager) insert() string {
	return "INSERT INTO " + table(s.Name) + " (" + names(s.Columns, "") + ") SELECT " + names(s.Columns, "s.") + " FROM " + s.stage +
		" AS s WHERE s.ashlar_exists = 1 AND NOT EXISTS (SELECT 1 FROM " + table(s.Name) + " AS t WHERE " + s.sameKey("t", "s") + ")"
}

// deleteRivals returns a statement for each unique index, and one for a key that
// takes different values for equal.
func (s stager) deleteRivals() (out []string) {
	rivals := func(same string) string {
		return "DELETE FROM " + table(s.Name) + " WHERE (" + names(s.KeyColumns(), quote(s.Name.Table)+".") + ") IN (SELECT " + names(s.KeyColumns(), "t.") + " FROM " +
			s.stage + " AS s JOIN " + table(s.Name) + " AS t ON " + same + " WHERE s.ashlar_exists = 1 AND NOT (" + s.sameKey("t", "s") + "))"
	}
	unique := s.Unique
	if slices.ContainsFunc(s.KeyColumns(), func(c replication.Column) bool { return c.Folds }) {
		var key []string
		for _, c := range s.KeyColumns() {
			key = append(key, c.Name)
		}
		unique = append(slices.Clip(unique), key)
	}
	for _, columns := range unique {
		var same []string
		for _, name := range columns {
			if !slices.ContainsFunc(s.Columns, func(c replication.Column) bool { return c.Name == name }) {
				// Not sent: it gets its default, and NULL is no rival of anybody's.
				same = nil
				break
			}
			same = append(same, "t."+quote(name)+" = s."+quote(name))
		}
		if same != nil {
			out = append(out, rivals(strings.Join(same, " AND ")))
		}
	}
	return out
}
