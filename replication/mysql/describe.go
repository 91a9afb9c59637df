package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Describe reads information_schema. Tables of engines other than InnoDB are
// refused: they have neither snapshots nor transactions.
func (dialect) Describe(ctx context.Context, c *sql.Conn, table string) (replication.Layout, error) {
	var l replication.Layout
	f, err := resolve(ctx, c, table)
	if err != nil {
		return l, err
	}
	name, kind, engine := f.name, f.kind, f.engine
	l.Name, l.Rows = name, f.rows
	l.View = strings.Contains(kind, "VIEW")
	if !l.View && !strings.EqualFold(engine, "InnoDB") {
		return l, fmt.Errorf("mysql: table %s is of engine %s, which has no snapshots; only InnoDB can be replicated", name, engine)
	}
	if l.Columns, err = describeColumns(ctx, c, name); err != nil {
		return l, fmt.Errorf("mysql: describe %s: %w", name, err)
	}
	if l.View {
		return l, nil
	}
	if err := describeKeys(ctx, c, &l); err != nil {
		return l, fmt.Errorf("mysql: describe %s: %w", name, err)
	}
	if err := describeForeign(ctx, c, &l); err != nil {
		return l, fmt.Errorf("mysql: describe %s: %w", name, err)
	}
	return l, nil
}

// found is a row of information_schema.TABLES.
type found struct {
	name         replication.Name
	kind, engine string
	rows         int64
}

// resolve finds the one table that is meant: as written, first without a schema,
// then with one, then the same in any case.
func resolve(ctx context.Context, c *sql.Conn, table string) (found, error) {
	tries := []replication.Name{{Table: table}}
	for i := range len(table) {
		if table[i] == '.' {
			tries = append(tries, replication.Name{Schema: table[:i], Table: table[i+1:]})
		}
	}
	var folded []found
	for _, try := range tries {
		where := " WHERE LOWER(TABLE_NAME)=LOWER(" + textLiteral(try.Table) + ") AND "
		if try.Schema == "" {
			where += "TABLE_SCHEMA=DATABASE()"
		} else {
			where += "LOWER(TABLE_SCHEMA)=LOWER(" + textLiteral(try.Schema) + ")"
		}
		rows, err := texts(ctx, c, "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE,''), COALESCE(TABLE_ROWS,-1)"+
			" FROM information_schema.TABLES"+where, 5)
		if err != nil {
			return found{}, fmt.Errorf("mysql: look for table %s: %w", table, err)
		}
		for _, r := range rows {
			f := found{name: replication.Name{Schema: r[0], Table: r[1]}, kind: r[2], engine: r[3], rows: -1}
			if n, err := strconv.ParseInt(r[4], 10, 64); err == nil {
				f.rows = n
			}
			if r[1] == try.Table && (try.Schema == "" || r[0] == try.Schema) {
				return f, nil
			}
			folded = append(folded, f)
		}
	}
	switch len(folded) {
	case 0:
		return found{}, fmt.Errorf("%w: %s", replication.ErrNoTable, table)
	case 1:
		return folded[0], nil
	}
	return found{}, fmt.Errorf("%w: %s: several have that name in another case", replication.ErrNoTable, table)
}

func describeColumns(ctx context.Context, c *sql.Conn, name replication.Name) ([]replication.Column, error) {
	rows, err := texts(ctx, c, "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COALESCE(CHARACTER_MAXIMUM_LENGTH,0),"+
		" COALESCE(NUMERIC_PRECISION,0), COALESCE(NUMERIC_SCALE,0), COALESCE(DATETIME_PRECISION,0),"+
		" COALESCE(CHARACTER_SET_NAME,''), COALESCE(COLLATION_NAME,''), IS_NULLABLE, EXTRA,"+
		" COALESCE(GENERATION_EXPRESSION,''), COLUMN_COMMENT, VERSION() FROM information_schema.COLUMNS"+
		" WHERE TABLE_SCHEMA="+schemaOf(name)+" AND TABLE_NAME="+textLiteral(name.Table)+" ORDER BY ORDINAL_POSITION", 14)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, replication.ErrNoTable // dropped meanwhile
	}
	var json map[string]bool
	if isMariaDB(rows[0][13]) {
		if json, err = jsonChecks(ctx, c, name); err != nil {
			return nil, err
		}
	}
	out := make([]replication.Column, 0, len(rows))
	for _, r := range rows {
		num := func(i int) int { n, _ := strconv.Atoi(r[i]); return n }
		t := colType{base: strings.ToLower(r[1]), ddl: r[2], charset: r[7], collation: r[8]}
		col := replication.Column{
			Name:      r[0],
			Nullable:  r[9] == "YES",
			Generated: r[11] != "" || strings.Contains(strings.ToUpper(r[10]), "STORED GENERATED"),
		}
		mark := classify(&col, t, num(3), num(4), num(5), num(6), r[12], json[r[0]])
		col.Native = t.spell(mark)
		out = append(out, col)
	}
	return out, nil
}

// classify finds the kind. It returns the mark that was heeded.
func classify(col *replication.Column, t colType, length, precision, scale, fraction int, comment string, json bool) (mark string) {
	marked := func(m string) bool {
		if strings.Contains(comment, m) {
			mark = m
		}
		return mark != ""
	}
	unsigned := strings.Contains(t.ddl, "unsigned")
	switch t.base {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		col.Kind = replication.Int
		if t.base == "bigint" && unsigned {
			col.Kind, col.Precision = replication.Decimal, 20
		}
		if t.base == "tinyint" && marked(markBool) {
			col.Kind = replication.Bool
		}
	case "year":
		col.Kind = replication.Int
	case "bit":
		col.Kind = replication.Int
		if precision > 63 {
			col.Kind, col.Precision = replication.Decimal, 20
		}
	case "decimal":
		col.Kind, col.Precision, col.Scale = replication.Decimal, precision, scale
	case "float":
		col.Kind, col.Size = replication.Float, 32
	case "double":
		col.Kind, col.Size = replication.Float, 64
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		col.Kind, col.Size = replication.Text, length
		col.Fixed = t.base == "char"
		col.Folds = !inByteOrder(t.collation)
		switch {
		case t.base == "longtext":
			col.Size = 0
			if json || marked(markJSON) {
				*col = replication.Column{Name: col.Name, Kind: replication.JSON, Nullable: col.Nullable, Generated: col.Generated}
			}
		case t.base == "char" && length == 36 && marked(markUUID):
			*col = replication.Column{Name: col.Name, Kind: replication.UUID, Nullable: col.Nullable, Generated: col.Generated}
		}
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob":
		col.Kind, col.Size = replication.Bytes, length
	case "longblob":
		col.Kind = replication.Bytes
	case "date":
		col.Kind = replication.Date
	case "time":
		col.Kind, col.Scale = replication.Time, fraction
	case "datetime":
		col.Kind, col.Scale = replication.Timestamp, fraction
		if marked(markInstant) {
			col.Kind = replication.Instant
		}
	case "timestamp":
		col.Kind, col.Scale = replication.Instant, fraction
	case "json":
		col.Kind = replication.JSON
	case "uuid":
		col.Kind = replication.UUID
	default: // geometries, inet6, vector and what is yet to come
		col.Kind = replication.Native
	}
	return mark
}

// jsonChecks finds MariaDB's JSON columns: LONGTEXT with the check that the alias
// JSON makes.
func jsonChecks(ctx context.Context, c *sql.Conn, name replication.Name) (map[string]bool, error) {
	rows, err := texts(ctx, c, "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS"+
		" WHERE CONSTRAINT_SCHEMA="+schemaOf(name)+" AND TABLE_NAME="+textLiteral(name.Table), 2)
	out := map[string]bool{}
	for _, r := range rows {
		if strings.EqualFold(r[1], "json_valid("+quote(r[0])+")") {
			out[r[0]] = true
		}
	}
	return out, err
}

func describeKeys(ctx context.Context, c *sql.Conn, l *replication.Layout) error {
	rows, err := texts(ctx, c, "SELECT INDEX_NAME, COALESCE(COLUMN_NAME,''), COALESCE(SUB_PART,''), INDEX_TYPE"+
		" FROM information_schema.STATISTICS WHERE NON_UNIQUE=0 AND TABLE_SCHEMA="+schemaOf(l.Name)+
		" AND TABLE_NAME="+textLiteral(l.Name.Table)+" ORDER BY INDEX_NAME, SEQ_IN_INDEX", 4)
	if err != nil {
		return err
	}
	column := map[string]replication.Column{}
	for _, col := range l.Columns {
		column[col.Name] = col
	}
	type index struct {
		name    string
		columns []string
		key     bool // can be the key
		whole   bool // is unique by columns
	}
	var all []*index
	for _, r := range rows {
		if len(all) == 0 || all[len(all)-1].name != r[0] {
			all = append(all, &index{name: r[0], key: true, whole: true})
		}
		x := all[len(all)-1]
		x.columns = append(x.columns, r[1])
		col, ok := column[r[1]]
		// An index on a prefix or an expression says nothing about the columns;
		// one by hash cannot be in the log's key.
		if !ok || r[2] != "" {
			x.key, x.whole = false, false
		}
		if col.Nullable || col.Generated || col.Kind == replication.Native || r[3] == "HASH" {
			x.key = false
		}
	}
	best := -1
	for i, x := range all {
		if x.key && (best < 0 || x.name == "PRIMARY" || all[best].name != "PRIMARY" && len(x.columns) < len(all[best].columns)) {
			best = i
		}
	}
	for i, x := range all {
		switch {
		case i == best:
			l.Key = x.columns
		case x.whole:
			l.Unique = append(l.Unique, x.columns)
		}
	}
	return nil
}

func describeForeign(ctx context.Context, c *sql.Conn, l *replication.Layout) error {
	rows, err := texts(ctx, c, "SELECT CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, UPDATE_RULE, DELETE_RULE"+
		" FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA="+schemaOf(l.Name)+
		" AND TABLE_NAME="+textLiteral(l.Name.Table)+" ORDER BY CONSTRAINT_NAME", 5)
	if err != nil {
		return err
	}
	for _, r := range rows {
		parent := replication.Name{Schema: r[1], Table: r[2]}
		if !slices.Contains(l.References, parent) {
			l.References = append(l.References, parent)
		}
		// InnoDB changes the children itself, below the triggers.
		for _, rule := range r[3:] {
			if rule != "RESTRICT" && rule != "NO ACTION" {
				l.Cascades = append(l.Cascades, r[0])
				break
			}
		}
	}
	return nil
}

// texts returns the rows of a query whose columns are n texts without NULL.
func texts(ctx context.Context, c *sql.Conn, query string, n int) ([][]string, error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]string
	for rows.Next() {
		row := make([]string, n)
		dest := make([]any, n)
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
