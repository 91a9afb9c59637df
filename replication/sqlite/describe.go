package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Describe finds a table or view of the main database. Names are without regard
// to case in SQLite, so that at most one matches.
func (dialect) Describe(ctx context.Context, c *sql.Conn, name string) (replication.Layout, error) {
	d := describer{ctx: ctx, conn: c}
	if err := d.find(name); err != nil {
		return d.layout, err
	}
	for _, step := range []func() error{d.readColumns, d.readIndexes, d.readReferences, d.readEstimate} {
		if err := step(); err != nil {
			return replication.Layout{}, fmt.Errorf("sqlite: describing %s: %w", d.layout.Name, err)
		}
	}
	return d.layout, nil
}

// describer gathers what Describe returns.
type describer struct {
	ctx    context.Context
	conn   *sql.Conn
	layout replication.Layout
	source string // the CREATE statement
	info   []columnInfo
	rowid  string // a name by which the rowid can be had that no column has; "" if there is none
}

// columnInfo is what table_xinfo says besides.
type columnInfo struct {
	name     string
	def      sql.NullString // the default, as SQL
	required bool
}

func (d *describer) find(name string) error {
	const query = `SELECT name, type, ifnull(sql, '') FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE`
	candidates := []string{name}
	if schema, table, ok := strings.Cut(name, "."); ok && strings.EqualFold(schema, "main") {
		candidates = append(candidates, table)
	}
	for _, n := range candidates {
		var kind string
		err := d.conn.QueryRowContext(d.ctx, query, n).Scan(&d.layout.Name.Table, &kind, &d.source)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return fmt.Errorf("sqlite: looking for table %s: %w", name, err)
		}
		d.layout.View = kind == "view"
		return nil
	}
	return fmt.Errorf("sqlite: %s: %w", name, replication.ErrNoTable)
}

func (d *describer) readColumns() error {
	rows, err := d.conn.QueryContext(d.ctx, `SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?, 'main') ORDER BY cid`, d.layout.Name.Table)
	if err != nil {
		return err
	}
	defer rows.Close()
	collations := columnCollations(d.source)
	var key []string
	at := map[int]string{}
	for rows.Next() {
		var c replication.Column
		var declared string
		var required bool
		var def sql.NullString
		var pk, hidden int
		if err := rows.Scan(&c.Name, &declared, &required, &def, &pk, &hidden); err != nil {
			return err
		}
		setType(&c, declared)
		c.Nullable = !required
		c.Generated = hidden == 2 || hidden == 3
		c.Folds = c.Kind == replication.Text && folds(collations[strings.ToLower(c.Name)])
		if pk > 0 {
			at[pk] = c.Name
			// An ordinary table lets NULL into its primary key. Stream refuses it.
			c.Nullable = false
		}
		if hidden == 1 {
			continue // of a virtual table, and not a column
		}
		d.layout.Columns = append(d.layout.Columns, c)
		d.info = append(d.info, columnInfo{c.Name, def, required})
	}
	for i := 1; i <= len(at); i++ {
		key = append(key, at[i])
	}
	d.layout.Key = key
	d.rowid = ""
	for _, alias := range []string{"rowid", "_rowid_", "oid"} {
		if !slices.ContainsFunc(d.info, func(c columnInfo) bool { return strings.EqualFold(c.name, alias) }) {
			d.rowid = alias
			break
		}
	}
	return rows.Err()
}

func folds(collation string) bool { return collation != "" && !strings.EqualFold(collation, "BINARY") }

func (d *describer) column(name string) *replication.Column {
	for i := range d.layout.Columns {
		if d.layout.Columns[i].Name == name {
			return &d.layout.Columns[i]
		}
	}
	return nil
}

func (d *describer) readReferences() error {
	rows, err := d.conn.QueryContext(d.ctx, `SELECT DISTINCT f."table", ifnull(s.name, f."table") FROM pragma_foreign_key_list(?, 'main') f
		LEFT JOIN main.sqlite_schema s ON s.type = 'table' AND s.name = f."table" COLLATE NOCASE ORDER BY 2`, d.layout.Name.Table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var written string
		var n replication.Name
		if err := rows.Scan(&written, &n.Table); err != nil {
			return err
		}
		d.layout.References = append(d.layout.References, n)
	}
	return rows.Err()
}

// readEstimate takes what ANALYZE found, if it ever ran.
func (d *describer) readEstimate() error {
	d.layout.Rows = -1
	var there bool
	if err := d.conn.QueryRowContext(d.ctx, `SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_stat1')`).Scan(&there); err != nil || !there {
		return err
	}
	var stat sql.NullString
	err := d.conn.QueryRowContext(d.ctx, `SELECT stat FROM main.sqlite_stat1 WHERE tbl = ? LIMIT 1`, d.layout.Name.Table).Scan(&stat)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	first, _, _ := strings.Cut(stat.String, " ")
	if n, bad := strconv.ParseInt(first, 10, 64); bad == nil {
		d.layout.Rows = n
	}
	return err
}
