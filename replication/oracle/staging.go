package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Relax defers what is declared DEFERRABLE. It cannot know whether other foreign
// keys are in the way. The replica's own triggers can tell by CLIENT_INFO who
// writes; no session can turn them off.
func (dialect) Relax(ctx context.Context, c *sql.Conn) (ordered bool, err error) {
	for _, statement := range relaxStatements {
		if _, err := c.ExecContext(ctx, statement); err != nil {
			return true, fmt.Errorf("oracle: deferring constraints: %w", err)
		}
	}
	return true, nil
}

var relaxStatements = []string{
	"BEGIN\n  DBMS_APPLICATION_INFO.SET_CLIENT_INFO('ashlar');\nEND;",
	"SET CONSTRAINTS ALL DEFERRED",
}

// Create makes the table with its key. A schema is a user on Oracle, and is not
// made. Names in lower case become upper, as they do without quotes.
func (dialect) Create(t replication.TargetTable) []string {
	t = folded(t)
	if strings.HasPrefix(t.Name.Table, bookkeeping) {
		t.Columns = slices.Clone(t.Columns)
		for i, c := range t.Columns {
			// Tokens are compared, which a CLOB cannot be.
			if c.Name == "TOKEN" || c.Name == "NEXT" {
				t.Columns[i].Native = "VARCHAR2(128 CHAR)"
			}
		}
	}
	return []string{createTable(t.Name, t)}
}

func createTable(name replication.Name, t replication.TargetTable) string {
	var parts []string
	for _, c := range resolve(t.Columns, t.Key) {
		part := quote(c.Name) + " " + c.text
		if !c.Nullable {
			part += " NOT NULL"
		}
		parts = append(parts, part)
	}
	if len(t.Key) > 0 {
		parts = append(parts, "PRIMARY KEY ("+strings.Join(quoted(t.KeyColumns(), ""), ", ")+")")
	}
	return "CREATE TABLE " + quoteName(name) + " (\n  " + strings.Join(parts, ",\n  ") + "\n)"
}

// folded returns the table with its names as it is made.
func folded(t replication.TargetTable) replication.TargetTable {
	t.Name = replication.Name{Schema: fold(t.Name.Schema), Table: fold(t.Name.Table)}
	t.Columns = slices.Clone(t.Columns)
	for i := range t.Columns {
		t.Columns[i].Name = fold(t.Columns[i].Name)
	}
	return t
}

func quoted(columns []replication.Column, alias string) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = alias + quote(c.Name)
	}
	return names
}

// Staging has a temporary table whose rows end with the transaction, so there is
// nothing to clear. It has no statistics: the optimizer samples it.
func (dialect) Staging(t replication.TargetTable) replication.Staging {
	columns := resolve(t.Columns, t.Key)
	definition := []string{quote(replication.StageNumber) + " NUMBER(19)", quote(replication.StageExists) + " NUMBER(19)"}
	for _, c := range columns {
		definition = append(definition, quote(c.Name)+" "+c.text)
	}
	name := replication.Name{Table: stageTable(t.ID, strings.Join(definition, ","))}
	table, stage := quoteName(t.Name), quoteName(name)
	names, staged := strings.Join(quoted(t.Columns, ""), ", "), strings.Join(quoted(t.Columns, "s."), ", ")
	key, stagedKey := strings.Join(quoted(t.KeyColumns(), ""), ", "), strings.Join(quoted(t.KeyColumns(), "s."), ", ")
	exists := "s." + quote(replication.StageExists)
	number := quote(replication.StageNumber)
	same := sameKey(t)

	st := replication.Staging{
		Table: name,
		Create: []string{unlessExists("CREATE GLOBAL TEMPORARY TABLE " + stage + " (" + strings.Join(definition, ", ") +
			") ON COMMIT DELETE ROWS")},
		DeleteGone:   fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s s WHERE %s = 0)", table, key, stagedKey, stage, exists),
		DeleteStaged: fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s s)", table, key, stagedKey, stage),
		DeleteOthers: fmt.Sprintf("DELETE FROM %s t WHERE NOT EXISTS (SELECT 1 FROM %s s WHERE %s = 1 AND %s)", table, stage, exists, same),
		Insert: fmt.Sprintf("INSERT INTO %s (%s)\nSELECT %s FROM %s s WHERE %s = 1 AND NOT EXISTS (SELECT 1 FROM %s t WHERE %s)",
			table, names, staged, stage, exists, table, same),
		Keep: fmt.Sprintf("DELETE FROM %s WHERE %s < :1 OR %s >= :2", stage, number, number),
	}
	var sets, differs []string
	for i, c := range columns {
		if slices.Contains(t.Key, i) {
			continue
		}
		name := quote(c.Name)
		sets = append(sets, "t."+name+" = s."+name)
		differs = append(differs, c.differs("t."+name, "s."+name))
	}
	st.Update = fmt.Sprintf("UPDATE %s SET %s = %s WHERE 1 = 0", table, quote(t.Columns[0].Name), quote(t.Columns[0].Name))
	if len(sets) > 0 && len(t.Key) > 0 {
		st.Update = fmt.Sprintf("MERGE INTO %s t USING (SELECT %s FROM %s s WHERE %s = 1) s ON (%s)\nWHEN MATCHED THEN UPDATE SET %s\nWHERE %s",
			table, staged, stage, exists, same, strings.Join(sets, ", "), strings.Join(differs, "\n  OR "))
	}
	for _, u := range t.Unique {
		if q, ok := deleteRivals(t, u, table, stage, exists, same); ok {
			st.DeleteRivals = append(st.DeleteRivals, q)
		}
	}
	return st
}

// sameKey is the condition that t and s are of the same key.
func sameKey(t replication.TargetTable) string {
	parts := make([]string, len(t.Key))
	for i, c := range t.KeyColumns() {
		parts[i] = "s." + quote(c.Name) + " = t." + quote(c.Name)
	}
	return strings.Join(parts, " AND ")
}

// differs is the condition that two values are not the same, NULL being the same
// as NULL. What cannot be compared differs.
func (c column) differs(a, b string) string {
	switch c.storage {
	case clob, nclob, blob:
		// COMPARE of NULL is NULL.
		return fmt.Sprintf("COALESCE(DBMS_LOB.COMPARE(%s, %s), CASE WHEN %s IS NULL AND %s IS NULL THEN 0 ELSE 1 END) <> 0", a, b, a, b)
	case jsonType, opaque:
		return "1 = 1"
	}
	return "DECODE(" + a + ", " + b + ", 0, 1) = 1"
}

// deleteRivals deletes whoever holds one unique value. Oracle takes (1, NULL) and
// (1, NULL) for equal, and only all NULLs for different.
func deleteRivals(t replication.TargetTable, unique []string, table, stage, exists, same string) (string, bool) {
	var held, some []string
	for _, name := range unique {
		i := slices.IndexFunc(t.Columns, func(c replication.Column) bool { return c.Name == name })
		if i < 0 {
			return "", false // of a column that is not written
		}
		a, b := "t."+quote(name), "s."+quote(name)
		if t.Columns[i].Nullable && len(unique) > 1 {
			held = append(held, fmt.Sprintf("(%s = %s OR %s IS NULL AND %s IS NULL)", a, b, a, b))
		} else {
			held = append(held, a+" = "+b)
		}
		some = append(some, a+" IS NOT NULL")
	}
	if len(some) > 1 {
		held = append(held, "("+strings.Join(some, " OR ")+")")
	}
	return fmt.Sprintf("DELETE FROM %s WHERE ROWID IN (\n  SELECT t.ROWID FROM %s t, %s s WHERE %s = 1 AND %s AND NOT (%s)\n)",
		table, table, stage, exists, strings.Join(held, " AND "), same), len(held) > 0
}
