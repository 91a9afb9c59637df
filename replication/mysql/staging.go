package mysql

import (
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Staging is a temporary table of InnoDB, so that it follows savepoints as the
// target does. Its columns are exactly the target's, by CREATE ... SELECT, from an
// outer join that finds nothing: so they may be NULL, as those of a row that is
// gone are. Its primary key begins with the target's, so that both are read in one
// order, and ends with the number, because two staged keys may be equal to the
// collation. No statement names it twice, which no vendor allows.
//
// The order of joins is written down where it can only be one. In Update it is
// left to the optimizer, who knows how many rows are staged: an update of a large
// part of a table is six times as fast when it reads the table first.
//
// Keys are compared by the target's collation. Where that takes different texts
// for equal, a row that is gone is deleted only if its key is the same byte for
// byte: 'a' that became 'A' is staged as gone and as existing.
func (dialect) Staging(t replication.TargetTable) replication.Staging {
	stage := replication.Name{Schema: t.Name.Schema, Table: "ashlar_stage_" + t.ID}
	key := t.KeyColumns()
	s, target := qualified(stage), qualified(t.Name)
	in := func(alias string) func(replication.Column) string {
		return func(c replication.Column) string { return alias + "." + quote(c.Name) }
	}
	bare := func(c replication.Column) string { return quote(c.Name) }
	equal := func(columns []replication.Column) string {
		return join(columns, " AND ", func(c replication.Column) string { return in("ashlar_t")(c) + "=" + in("ashlar_s")(c) })
	}
	var exact strings.Builder
	exact.WriteString(equal(key))
	for _, c := range key {
		if isText(c) && c.Folds {
			exact.WriteString(" AND CAST(" + in("ashlar_t")(c) + " AS BINARY)=CAST(" + in("ashlar_s")(c) + " AS BINARY)")
		}
	}
	from := func(on string) string {
		return s + " AS ashlar_s STRAIGHT_JOIN " + target + " AS ashlar_t ON " + on
	}
	out := replication.Staging{
		Table: stage,
		Create: []string{"CREATE TEMPORARY TABLE IF NOT EXISTS " + s + " (" + replication.StageNumber + " BIGINT NOT NULL, " +
			replication.StageExists + " TINYINT NOT NULL, PRIMARY KEY (" + list(key, bare) + ", " + replication.StageNumber + ")) ENGINE=InnoDB" +
			" SELECT 0 AS " + replication.StageNumber + ", 0 AS " + replication.StageExists + ", " + list(t.Columns, in("ashlar_t")) +
			" FROM (SELECT 1 AS ashlar_one) AS ashlar_d LEFT JOIN " + target + " AS ashlar_t ON FALSE WHERE FALSE"},
		Clear: []string{"TRUNCATE TABLE " + s},

		DeleteGone:   "DELETE ashlar_t FROM " + from(exact.String()) + " WHERE ashlar_s." + replication.StageExists + "=0",
		DeleteStaged: "DELETE ashlar_t FROM " + from(equal(key)),
		DeleteOthers: "DELETE ashlar_t FROM " + target + " AS ashlar_t LEFT JOIN " + s + " AS ashlar_s ON " + equal(key) +
			" AND ashlar_s." + replication.StageExists + "=1 WHERE ashlar_s." + replication.StageNumber + " IS NULL",
		Insert: "INSERT INTO " + target + " (" + list(t.Columns, bare) + ") SELECT " + list(t.Columns, in("ashlar_s")) +
			" FROM " + s + " AS ashlar_s LEFT JOIN " + target + " AS ashlar_t ON " + equal(key) +
			" WHERE ashlar_s." + replication.StageExists + "=1 AND " + in("ashlar_t")(key[0]) + " IS NULL",
		Keep: "DELETE FROM " + s + " WHERE " + replication.StageNumber + " < ? OR " + replication.StageNumber + " >= ?",
	}
	byName := make(map[string]replication.Column, len(t.Columns))
	for _, c := range t.Columns {
		byName[c.Name] = c
	}
	for _, unique := range t.Unique {
		columns := make([]replication.Column, len(unique))
		sent := true
		for i, name := range unique {
			c, ok := byName[name]
			columns[i], sent = c, sent && ok
		}
		if sent { // else the staged row does not have its value
			out.DeleteRivals = append(out.DeleteRivals, "DELETE ashlar_t FROM "+from(equal(columns))+
				" WHERE ashlar_s."+replication.StageExists+"=1 AND NOT ("+equal(key)+")")
		}
	}
	out.Update = update(t, s+" AS ashlar_s JOIN "+target+" AS ashlar_t ON "+equal(key))
	return out
}

// update sets the columns that are not in the key, and those of the key that can
// differ while they are equal.
func update(t replication.TargetTable, from string) string {
	inKey := make(map[int]bool, len(t.Key))
	for _, n := range t.Key {
		inKey[n] = true
	}
	var sets, same []string
	for n, c := range t.Columns {
		if inKey[n] && !(isText(c) && c.Folds) {
			continue
		}
		to, with := "ashlar_t."+quote(c.Name), "ashlar_s."+quote(c.Name)
		sets = append(sets, to+"="+with)
		same = append(same, byBytes(c, to)+" <=> "+byBytes(c, with))
	}
	if len(sets) == 0 {
		return "DO 0"
	}
	return "UPDATE " + from + " SET " + strings.Join(sets, ", ") + " WHERE ashlar_s." + replication.StageExists + "=1 AND NOT (" + strings.Join(same, " AND ") + ")"
}
