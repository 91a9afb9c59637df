package sqlite

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// index is a unique index.
type index struct {
	name    string
	primary bool
	partial bool
	source  string // CREATE INDEX; "" if it belongs to a constraint
	parts   []indexPart
}

type indexPart struct {
	column    string // "" if it is an expression
	collation string
}

// plain reports whether an index is unique over columns as such.
func (x index) plain() bool {
	return !x.partial && !slices.ContainsFunc(x.parts, func(p indexPart) bool { return p.column == "" })
}

func (x index) columns() []string {
	out := make([]string, len(x.parts))
	for i, p := range x.parts {
		out[i] = p.column
	}
	return out
}

// folds reports whether the index takes different values for equal.
func (x index) folds() bool {
	return slices.ContainsFunc(x.parts, func(p indexPart) bool { return folds(p.collation) })
}

func (d *describer) uniqueIndexes() (out []index, err error) {
	rows, err := d.conn.QueryContext(d.ctx, `SELECT l.name, l.origin = 'pk', l.partial, ifnull(s.sql, ''), x.name, x.cid, x.coll
		FROM pragma_index_list(?, 'main') l JOIN pragma_index_xinfo(l.name, 'main') x LEFT JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = l.name
		WHERE l."unique" AND x.key ORDER BY l.name, x.seqno`, d.layout.Name.Table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var x index
		var column sql.NullString
		var cid int
		var p indexPart
		if err := rows.Scan(&x.name, &x.primary, &x.partial, &x.source, &column, &cid, &p.collation); err != nil {
			return nil, err
		}
		p.column = column.String
		if n := len(out); n == 0 || out[n-1].name != x.name {
			out = append(out, x)
		}
		last := &out[len(out)-1]
		last.parts = append(last.parts, p)
	}
	return out, rows.Err()
}

// readIndexes finds the key and the other unique indexes, and how rows can be
// replaced through them.
func (d *describer) readIndexes() error {
	if d.layout.View {
		return nil
	}
	all, err := d.uniqueIndexes()
	if err != nil {
		return err
	}
	if d.layout.Key == nil {
		for _, x := range all {
			if x.plain() && !slices.ContainsFunc(x.columns(), func(name string) bool { c := d.column(name); return c == nil || c.Nullable || c.Generated }) {
				d.layout.Key = x.columns()
				break
			}
		}
	}
	var replaced []supplant
	indexed := false // the primary key is an index, not the rowid itself
	for _, x := range all {
		indexed = indexed || x.primary
		key := slices.Equal(x.columns(), d.layout.Key) && x.plain()
		if key && x.folds() {
			for _, name := range d.layout.Key {
				c := d.column(name)
				c.Folds = c.Folds || c.Kind == replication.Text
			}
		}
		if x.plain() && !key {
			d.layout.Unique = append(d.layout.Unique, x.columns())
		}
		if key && !x.folds() {
			continue // who has the same value has the same key, which is logged
		}
		s, err := d.supplantBy(x)
		if err != nil {
			// Not a foreign key, but the same: rows would go without a trace.
			d.layout.Cascades = append(d.layout.Cascades, fmt.Sprintf("index %s: %v", x.name, err))
			continue
		}
		replaced = append(replaced, s)
	}
	if s, ok, err := d.supplantByRowid(indexed); err != nil {
		return err
	} else if ok {
		replaced = append(replaced, s)
	}
	d.layout.Hint = hint(replaced)
	return nil
}

// supplantByRowid is for tables whose rowid is not the key: a row that is
// inserted with an explicit rowid may replace another one.
func (d *describer) supplantByRowid(indexed bool) (supplant, bool, error) {
	if d.rowid == "" || len(d.layout.Key) == 0 {
		return supplant{}, false, nil
	}
	var bare bool // WITHOUT ROWID: its primary key's index is the table
	err := d.conn.QueryRowContext(d.ctx, `SELECT NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0) OR EXISTS (SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk')`,
		d.layout.Name.Table).Scan(&bare)
	if err != nil || !bare {
		return supplant{}, false, err // INTEGER PRIMARY KEY: the rowid is the key
	}
	without, err := d.withoutRowid(indexed)
	if err != nil || without {
		return supplant{}, false, err
	}
	id := quote(d.rowid)
	return supplant{
		changed: "OLD." + id + " IS NOT NEW." + id,
		match:   id + " = NEW." + id,
	}, true, nil
}

// withoutRowid asks whether the table has no rowid: then its primary key's
// index has no page of its own, and is not in sqlite_schema.
func (d *describer) withoutRowid(indexed bool) (bool, error) {
	if !indexed {
		return false, nil
	}
	var there bool
	err := d.conn.QueryRowContext(d.ctx, `SELECT EXISTS (SELECT 1 FROM pragma_index_list(?, 'main') l JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = l.name WHERE l.origin = 'pk')`,
		d.layout.Name.Table).Scan(&there)
	return !there, err
}

// defaultOf returns what a NULL becomes in a column by NOT NULL ON CONFLICT
// REPLACE, as SQL, or "".
func (d *describer) defaultOf(name string) string {
	for _, c := range d.info {
		if strings.EqualFold(c.name, name) && c.required && c.def.Valid {
			return c.def.String
		}
	}
	return ""
}
