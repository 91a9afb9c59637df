package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Describe calls materialised views and foreign tables views as well: neither
// has rows that triggers see. Domains are described by the types below them.
func (dialect) Describe(ctx context.Context, c *sql.Conn, table string) (replication.Layout, error) {
	oid, layout, err := find(ctx, c, table)
	if err != nil {
		return replication.Layout{}, err
	}
	if err := describeColumns(ctx, c, oid, &layout); err != nil {
		return replication.Layout{}, fmt.Errorf("postgres: describe table %s: %w", layout.Name, err)
	}
	if err := describeKeys(ctx, c, oid, &layout); err != nil {
		return replication.Layout{}, fmt.Errorf("postgres: describe table %s: %w", layout.Name, err)
	}
	return layout, nil
}

// splitName takes [SCHEMA.]TABLE apart. A part in double quotes is as it is, and
// quoted; other dots than that of the schema belong to the table.
func splitName(name string) (schema, table string, quoted bool) {
	part := func(s string) (string, string, bool) {
		if !strings.HasPrefix(s, `"`) {
			return "", s, false
		}
		for i := 1; i < len(s); i++ {
			if s[i] != '"' {
				continue
			}
			if i+1 < len(s) && s[i+1] == '"' {
				i++
				continue
			}
			return strings.ReplaceAll(s[1:i], `""`, `"`), s[i+1:], true
		}
		return "", s, false
	}
	if first, rest, ok := part(name); ok {
		if rest == "" {
			return "", first, true
		}
		if rest, ok := strings.CutPrefix(rest, "."); ok {
			if second, end, ok := part(rest); ok && end == "" {
				return first, second, true
			}
			return first, rest, false
		}
	}
	first, rest, ok := strings.Cut(name, ".")
	if !ok {
		return "", name, false
	}
	if second, end, ok := part(rest); ok && end == "" {
		return first, second, true
	}
	return first, rest, false
}

// find prefers, in this order: the name as the table's whole name, dots and all,
// in the search path; as SCHEMA.TABLE; and these without regard to case, if that
// is one table only.
func find(ctx context.Context, c *sql.Conn, table string) (oid uint32, l replication.Layout, err error) {
	schema, name, quoted := splitName(table)
	rows, err := c.QueryContext(ctx, `WITH found AS (
			SELECT c.oid, n.nspname, c.relname, c.relkind::text AS relkind,
				CASE WHEN c.relkind = 'p' THEN (SELECT sum(greatest(l.reltuples, 0)) FROM pg_partition_tree(c.oid) t
					JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf) ELSE c.reltuples END AS tuples,
				CASE WHEN p.at IS NOT NULL AND c.relname = $1 THEN 1
					WHEN p.at IS NOT NULL AND $2 = '' AND c.relname = $3 THEN 1
					WHEN n.nspname = $2 AND c.relname = $3 THEN 2
					WHEN $4 THEN NULL
					WHEN p.at IS NOT NULL AND lower(c.relname) = lower($1) THEN 3
					WHEN lower(n.nspname) = lower($2) AND c.relname = $3 THEN 4
					WHEN lower(n.nspname) = lower($2) AND lower(c.relname) = lower($3) THEN 5
				END AS how, p.at
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
				LEFT JOIN unnest(current_schemas(false)) WITH ORDINALITY p(name, at) ON p.name = n.nspname
			WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
				AND lower(c.relname) IN (lower($1), lower($3)))
		SELECT oid, nspname, relname, relkind IN ('v', 'm', 'f'), COALESCE(tuples, -1)::bigint, how <= 2 FROM found
		WHERE how = (SELECT min(how) FROM found) ORDER BY at, nspname, relname`, table, schema, name, quoted)
	if err != nil {
		return 0, l, fmt.Errorf("postgres: find table %q: %w", table, err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var exact bool
		if n > 0 {
			if err := rows.Scan(new(uint32), new(string), new(string), new(bool), new(int64), &exact); err != nil {
				return 0, l, fmt.Errorf("postgres: find table %q: %w", table, err)
			}
			if !exact {
				return 0, l, fmt.Errorf("postgres: table %q: more than one table has that name in another case: %w", table, replication.ErrNoTable)
			}
			continue // further down the search path
		}
		if err := rows.Scan(&oid, &l.Name.Schema, &l.Name.Table, &l.View, &l.Rows, &exact); err != nil {
			return 0, l, fmt.Errorf("postgres: find table %q: %w", table, err)
		}
	}
	if err := rows.Err(); err != nil {
		return 0, l, fmt.Errorf("postgres: find table %q: %w", table, err)
	}
	if n == 0 {
		return 0, l, fmt.Errorf("postgres: table %q: %w", table, replication.ErrNoTable)
	}
	return oid, l, nil
}

// describeColumns follows domains down to their base types.
func describeColumns(ctx context.Context, c *sql.Conn, oid uint32, l *replication.Layout) error {
	rows, err := c.QueryContext(ctx, `WITH RECURSIVE base(attnum, oid, typmod, filled) AS (
			SELECT attnum, atttypid, atttypmod, attnotnull FROM pg_attribute
			WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
			UNION ALL
			SELECT b.attnum, t.typbasetype, t.typtypmod, b.filled OR t.typnotnull
			FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
		SELECT a.attname, n.nspname, t.typname, t.typtype::text, b.typmod, format_type(b.oid, b.typmod),
			NOT b.filled, a.attgenerated <> '', a.attidentity = 'a',
			CASE WHEN NOT co.collisdeterministic THEN 'folds'
				WHEN co.collname IN ('C', 'POSIX') AND co.collnamespace = 'pg_catalog'::regnamespace THEN 'C'
				WHEN co.collname = 'default' AND d.datcollate IN ('C', 'POSIX')
					AND COALESCE(to_jsonb(d)->>'datlocprovider', 'c') = 'c' THEN 'default'
				ELSE '' END
		FROM base b JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = b.attnum
			JOIN pg_type t ON t.oid = b.oid JOIN pg_namespace n ON n.oid = t.typnamespace
			LEFT JOIN pg_collation co ON co.oid = a.attcollation
			JOIN pg_database d ON d.datname = current_database()
		WHERE t.typtype <> 'd' ORDER BY a.attnum`, oid)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var col replication.Column
		var schema, name, class, collation string
		var typmod int
		var identity bool
		if err := rows.Scan(&col.Name, &schema, &name, &class, &typmod, &col.Native,
			&col.Nullable, &col.Generated, &identity, &collation); err != nil {
			return err
		}
		kindOf(&col, schema, name, class, typmod)
		if col.Kind == replication.Text && class != "e" {
			col.Folds = col.Folds || collation == "folds"
			switch {
			case col.Folds:
			case collation == "C":
				col.Native += collateC
			case collation == "default":
				col.Native += collateDefault
			}
		}
		if identity {
			col.Native += alwaysIdentity
		}
		l.Columns = append(l.Columns, col)
	}
	return rows.Err()
}

// describeKeys takes the primary key, else the unique index with the fewest
// columns of those without NULLs, conditions, expressions and generated columns.
func describeKeys(ctx context.Context, c *sql.Conn, oid uint32, l *replication.Layout) error {
	rows, err := c.QueryContext(ctx, `SELECT json_agg(a.attname ORDER BY k.at)::text,
			bool_and(a.attnotnull AND a.attgenerated = '')
		FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, at)
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indislive
			AND i.indpred IS NULL AND i.indexprs IS NULL AND k.at <= i.indnkeyatts
		GROUP BY i.indexrelid, i.indisprimary
		ORDER BY i.indisprimary DESC, bool_and(a.attnotnull AND a.attgenerated = '') DESC, count(*), i.indexrelid`, oid)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var names string
		var key bool
		if err := rows.Scan(&names, &key); err != nil {
			return err
		}
		var columns []string
		if err := json.Unmarshal([]byte(names), &columns); err != nil {
			return err
		}
		if key && l.Key == nil {
			l.Key = columns
		} else {
			l.Unique = append(l.Unique, columns)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	refs, err := c.QueryContext(ctx, `SELECT DISTINCT n.nspname, c.relname FROM pg_constraint f
			JOIN pg_class c ON c.oid = f.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE f.conrelid = $1 AND f.contype = 'f' AND NOT (c.relispartition AND f.conparentid <> 0)
		ORDER BY 1, 2`, oid)
	if err != nil {
		return err
	}
	defer refs.Close()
	for refs.Next() {
		var n replication.Name
		if err := refs.Scan(&n.Schema, &n.Table); err != nil {
			return err
		}
		l.References = append(l.References, n)
	}
	return refs.Err()
}
