package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Describe finds tables and views, not synonyms. Without a schema it looks in
// the session's.
func (dialect) Describe(ctx context.Context, c *sql.Conn, table string) (replication.Layout, error) {
	l, err := find(ctx, c, table)
	if err != nil {
		return l, err
	}
	for _, read := range []func(context.Context, *sql.Conn, *replication.Layout) error{
		readColumns, readCollations, readKeys, readReferences,
	} {
		if err := read(ctx, c, &l); err != nil {
			return replication.Layout{}, fmt.Errorf("oracle: describing %s: %w", l.Name, err)
		}
	}
	return l, nil
}

// candidate is a table or view whose name is the wanted one but for case.
type candidate struct {
	schema, name string
	view         bool
}

func find(ctx context.Context, c *sql.Conn, table string) (replication.Layout, error) {
	found, err := query(ctx, c, candidatesQuery, table, table)
	if err != nil {
		return replication.Layout{}, fmt.Errorf("oracle: looking for table %s: %w", table, err)
	}
	var all []candidate
	for _, f := range found {
		all = append(all, candidate{f[0], f[1], f[2] == "VIEW"})
	}
	schema, _, dotted := strings.Cut(table, ".")
	best, ok := choose(all, table, schema, dotted)
	if !ok {
		return replication.Layout{}, fmt.Errorf("oracle: %s: %w", table, replication.ErrNoTable)
	}
	return replication.Layout{Name: replication.Name{Schema: best.schema, Table: best.name}, View: best.view, Rows: -1}, nil
}

// A name with a dot may also be one table's.
const candidatesQuery = "SELECT o.OWNER, o.OBJECT_NAME, MIN(o.OBJECT_TYPE) FROM ALL_OBJECTS o\n" +
	"WHERE o.OBJECT_TYPE IN ('TABLE', 'VIEW') AND (\n" +
	"  o.OWNER = " + schemaNow + " AND UPPER(o.OBJECT_NAME) = UPPER(:1)\n" +
	"  OR UPPER(o.OWNER || '.' || o.OBJECT_NAME) = UPPER(:2))\n" +
	"GROUP BY o.OWNER, o.OBJECT_NAME"

// choose prefers the name as written, then the only one in another case.
func choose(all []candidate, table, schema string, dotted bool) (candidate, bool) {
	exact := func(f candidate) bool { return f.name == table || dotted && f.schema+"."+f.name == table }
	if i := slices.IndexFunc(all, exact); i >= 0 {
		return all[i], true
	}
	if len(all) == 1 {
		return all[0], true
	}
	// The schema may be as written and only the table in another case, or the
	// other way round.
	var near []candidate
	for _, f := range all {
		if dotted && f.schema == schema || dotted && strings.HasSuffix(table, "."+f.name) {
			near = append(near, f)
		}
	}
	if len(near) == 1 {
		return near[0], true
	}
	return candidate{}, false
}

func readColumns(ctx context.Context, c *sql.Conn, l *replication.Layout) error {
	table, err := described(ctx, c, l)
	if err != nil {
		return err
	}
	rows, err := query(ctx, c, "SELECT COLUMN_NAME, DATA_TYPE, TO_CHAR(DATA_LENGTH, 'TM9'), TO_CHAR(CHAR_LENGTH, 'TM9'), CHAR_USED,\n"+
		"  TO_CHAR(DATA_PRECISION, 'TM9'), TO_CHAR(DATA_SCALE, 'TM9'), NULLABLE, VIRTUAL_COLUMN\n"+
		"FROM ALL_TAB_COLS WHERE OWNER = :1 AND TABLE_NAME = :2 AND HIDDEN_COLUMN = 'NO' ORDER BY COLUMN_ID", l.Name.Schema, table)
	if err != nil {
		return err
	}
	for _, r := range rows {
		l.Columns = append(l.Columns, catalogued{name: r[0], dataType: r[1], length: r[2], chars: r[3], used: r[4],
			precision: r[5], scale: r[6], nullable: r[7] == "Y", virtual: r[8] == "YES"}.column())
	}
	if len(l.Columns) == 0 {
		return replication.ErrNoTable // dropped meanwhile
	}
	return nil
}

// described returns the table whose columns are described: of a view of our own a
// copy, since a view over two tables forgets the precision of their numbers.
func described(ctx context.Context, c *sql.Conn, l *replication.Layout) (string, error) {
	if !l.View {
		return l.Name.Table, nil
	}
	rows, err := query(ctx, c, "SELECT ID FROM "+quoteName(replication.Name{Schema: l.Name.Schema, Table: tablePublic})+" WHERE NAME = :1", l.Name.Table)
	if code(err) == noTable {
		return l.Name.Table, nil
	}
	if err != nil || len(rows) == 0 {
		return l.Name.Table, err
	}
	return copyTable(0, rows[0][0]), nil
}

// readCollations marks the columns whose collation folds; there are none before
// Oracle 12.2, where the catalogue does not know the word.
func readCollations(ctx context.Context, c *sql.Conn, l *replication.Layout) error {
	rows, err := query(ctx, c, "SELECT COLUMN_NAME FROM ALL_TAB_COLS WHERE OWNER = :1 AND TABLE_NAME = :2\n"+
		"  AND COLLATION NOT IN ('BINARY', 'USING_NLS_COMP')", l.Name.Schema, l.Name.Table)
	if code(err) == errNoColumn {
		return nil
	}
	for _, r := range rows {
		for i := range l.Columns {
			l.Columns[i].Folds = l.Columns[i].Folds || l.Columns[i].Name == r[0]
		}
	}
	return err
}

// readKeys takes the primary key if it is enforced on all rows, else the first
// unique index of columns that are NOT NULL. An index over expressions, as one
// with DESC is, is none.
func readKeys(ctx context.Context, c *sql.Conn, l *replication.Layout) error {
	rows, err := query(ctx, c, "SELECT CASE CONSTRAINT_TYPE WHEN 'P' THEN '0' ELSE '1' END R, c.CONSTRAINT_NAME N, k.COLUMN_NAME, k.POSITION P\n"+
		"FROM ALL_CONSTRAINTS c, ALL_CONS_COLUMNS k\n"+
		"WHERE c.OWNER = :1 AND c.TABLE_NAME = :2 AND c.CONSTRAINT_TYPE IN ('P', 'U') AND c.STATUS = 'ENABLED' AND c.VALIDATED = 'VALIDATED'\n"+
		"  AND k.OWNER = c.OWNER AND k.CONSTRAINT_NAME = c.CONSTRAINT_NAME\n"+
		"UNION ALL\n"+
		"SELECT '2', i.INDEX_NAME, k.COLUMN_NAME, k.COLUMN_POSITION FROM ALL_INDEXES i, ALL_IND_COLUMNS k\n"+
		"WHERE i.TABLE_OWNER = :3 AND i.TABLE_NAME = :4 AND i.UNIQUENESS = 'UNIQUE' AND i.INDEX_TYPE IN ('NORMAL', 'IOT - TOP') AND i.STATUS <> 'UNUSABLE'\n"+
		"  AND k.INDEX_OWNER = i.OWNER AND k.INDEX_NAME = i.INDEX_NAME\n"+
		"ORDER BY 1, 2, 4", l.Name.Schema, l.Name.Table, l.Name.Schema, l.Name.Table)
	if err != nil {
		return err
	}
	setKeys(l, rows)
	return nil
}

// setKeys takes rows of rank, name and column, in the order of rank, name and
// position. Rank 0 is the primary key.
func setKeys(l *replication.Layout, rows [][]string) {
	var sets [][]string
	primary, last := false, ""
	for _, r := range rows {
		if name := r[0] + r[1]; len(sets) == 0 || name != last {
			sets, last = append(sets, nil), name
		}
		primary = primary || r[0] == "0"
		sets[len(sets)-1] = append(sets[len(sets)-1], r[2])
	}
	key := -1
	if primary {
		key = 0
	} else {
		key = slices.IndexFunc(sets, func(set []string) bool {
			return !slices.ContainsFunc(set, func(name string) bool {
				i := slices.IndexFunc(l.Columns, func(c replication.Column) bool { return c.Name == name })
				return i < 0 || l.Columns[i].Nullable
			})
		})
	}
	if key >= 0 {
		l.Key = sets[key]
	}
	for _, set := range sets {
		same := func(other []string) bool { return slices.Equal(set, other) }
		if !same(l.Key) && !slices.ContainsFunc(l.Unique, same) {
			l.Unique = append(l.Unique, set)
		}
	}
}

func readReferences(ctx context.Context, c *sql.Conn, l *replication.Layout) error {
	rows, err := query(ctx, c, "SELECT DISTINCT p.OWNER, p.TABLE_NAME FROM ALL_CONSTRAINTS c, ALL_CONSTRAINTS p\n"+
		"WHERE c.OWNER = :1 AND c.TABLE_NAME = :2 AND c.CONSTRAINT_TYPE = 'R' AND c.STATUS = 'ENABLED'\n"+
		"  AND p.OWNER = c.R_OWNER AND p.CONSTRAINT_NAME = c.R_CONSTRAINT_NAME ORDER BY 1, 2", l.Name.Schema, l.Name.Table)
	if err != nil {
		return err
	}
	for _, r := range rows {
		l.References = append(l.References, replication.Name{Schema: r[0], Table: r[1]})
	}
	rows, err = query(ctx, c, "SELECT TO_CHAR(NUM_ROWS, 'TM9') FROM ALL_TABLES WHERE OWNER = :1 AND TABLE_NAME = :2", l.Name.Schema, l.Name.Table)
	if err == nil && len(rows) == 1 {
		if n, ok := parseBatch(rows[0][0]); ok { // of the statistics; NULL without
			l.Rows = n
		}
	}
	return err
}

// query returns all rows of a query as text; NULL is "".
func query(ctx context.Context, c *sql.Conn, q string, args ...any) ([][]string, error) {
	rows, err := c.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(names))
		for i, v := range values {
			row[i] = v.String
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
