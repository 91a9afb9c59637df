package postgres

import (
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Staging is a temporary table that empties itself at the end of a transaction.
// It takes its types from the table, domains from their base types, so that the
// rows that are gone may have NULLs.
//
// The statements are for Exec without arguments, which pgx sends without
// preparing them: a plan that was made for five staged rows is not run on
// 200,000, nor the other way round.
func (dialect) Staging(t replication.TargetTable) replication.Staging {
	names := []string{quoteName(t.Name)}
	for _, c := range t.Columns {
		names = append(names, c.Name, c.Native)
	}
	stage := replication.Name{Schema: "pg_temp", Table: "ashlar_" + t.ID + "_" + shortHash(names...)}
	st := replication.Staging{
		Table: stage,
		Create: []string{
			"CREATE TEMPORARY TABLE IF NOT EXISTS " + quoteName(stage) + " ON COMMIT DELETE ROWS AS SELECT 0::bigint AS " +
				replication.StageNumber + ", 0::smallint AS " + replication.StageExists + ", " + columnList("t.", t.Columns) +
				" FROM " + quoteName(t.Name) + " t WITH NO DATA",
			withoutDomains(stage),
		},
		// What the joins are planned by; the other columns would only take time.
		Ready: []string{"ANALYZE " + quoteName(stage) + " (" + replication.StageExists + ", " + columnList("", t.KeyColumns()) + ")"},
	}
	table, staged := quoteName(t.Name)+" AS t", quoteName(stage)+" AS s"
	exists := "s." + replication.StageExists + " = 1"
	key := equal(t.KeyColumns())
	st.DeleteGone = "DELETE FROM " + table + " USING " + staged + " WHERE s." + replication.StageExists + " = 0 AND " + key
	st.DeleteStaged = "DELETE FROM " + table + " USING " + staged + " WHERE " + key
	st.DeleteOthers = "DELETE FROM " + table + " WHERE NOT EXISTS (SELECT FROM " + staged + " WHERE " + exists + " AND " + key + ")"
	for _, unique := range t.Unique {
		columns := make([]replication.Column, 0, len(unique))
		for _, name := range unique {
			if i := slices.IndexFunc(t.Columns, func(c replication.Column) bool { return c.Name == name }); i >= 0 {
				columns = append(columns, t.Columns[i])
			}
		}
		if len(columns) < len(unique) {
			continue // a column that is not written: no staged row has a value for it
		}
		st.DeleteRivals = append(st.DeleteRivals, "DELETE FROM "+table+" USING "+staged+" WHERE "+exists+
			" AND "+equal(columns)+" AND NOT ("+key+")")
	}
	st.Update, st.Reinserts = update(t, table, staged, exists+" AND "+key)
	st.Insert = "INSERT INTO " + quoteName(t.Name) + " (" + columnList("", t.Columns) + ") OVERRIDING SYSTEM VALUE SELECT " +
		columnList("s.", t.Columns) + " FROM " + staged + " WHERE " + exists + " AND NOT EXISTS (SELECT FROM " + table + " WHERE " + key + ")"
	n := replication.StageNumber
	st.Keep = "DELETE FROM " + quoteName(stage) + " WHERE " + n + " < ? OR " + n + " >= ?"
	return st
}

// update writes the rows that differ. A column that is GENERATED ALWAYS AS
// IDENTITY takes a value from an INSERT only: with such a column outside of the
// key, the rows that differ are deleted, for Insert to bring back.
func update(t replication.TargetTable, table, staged, match string) (statement string, deletes bool) {
	var set, differ []string
	for i, c := range t.Columns {
		if slices.Contains(t.Key, i) {
			continue
		}
		own, new := exactly(c, "t."+ident(c.Name)), exactly(c, "s."+ident(c.Name))
		set = append(set, ident(c.Name)+" = s."+ident(c.Name))
		differ = append(differ, own+" IS DISTINCT FROM "+new)
		deletes = deletes || isIdentity(c)
	}
	switch {
	case len(set) == 0:
		return "", false
	case deletes:
		return "DELETE FROM " + table + " USING " + staged + " WHERE " + match + " AND (" + strings.Join(differ, " OR ") + ")", true
	}
	return "UPDATE " + table + " SET " + strings.Join(set, ", ") + " FROM " + staged +
		" WHERE " + match + " AND (" + strings.Join(differ, " OR ") + ")", false
}

// exactly is an expression that differs whenever a column's text does. Many
// types have values that are equal and print differently (1.0 and 1.00, 0 and
// -0, '24 hours' and '1 day'), and some have no equality.
func exactly(c replication.Column, column string) string {
	switch c.Kind {
	case replication.Native, replication.JSON, replication.Float:
		return column + "::text"
	case replication.Decimal:
		if c.Precision == 0 {
			return column + "::text"
		}
	case replication.Text:
		if c.Folds {
			return column + `::text COLLATE "C"`
		}
	}
	return column
}

func equal(columns []replication.Column) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = "t." + ident(c.Name) + " = s." + ident(c.Name)
	}
	return strings.Join(parts, " AND ")
}

// withoutDomains gives a table's columns of domains the types below them.
func withoutDomains(n replication.Name) string {
	return "DO " + dollarQuote("ashlar", `
DECLARE
	our_row record;
BEGIN
	LOOP
		SELECT a.attname, format_type(d.typbasetype, d.typtypmod) AS type INTO our_row FROM pg_attribute a
		JOIN pg_type d ON d.oid = a.atttypid AND d.typtype = 'd' WHERE a.attrelid = `+literal(quoteName(n))+`::regclass LIMIT 1;
		EXIT WHEN NOT FOUND;
		EXECUTE format('ALTER TABLE %s ALTER %I TYPE %s', `+literal(quoteName(n))+`, our_row.attname, our_row.type);
	END LOOP;
END `)
}
