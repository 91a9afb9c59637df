package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/sqlite"
)

var dialect = sqlite.Dialect

const group = "g"

// open returns a new database in a file, in WAL mode.
func open(t testing.TB, options ...string) *sql.DB {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "test.db"), options...)
}

func openFile(t testing.TB, path string, options ...string) *sql.DB {
	t.Helper()
	options = append([]string{"_pragma=journal_mode(wal)", "_pragma=synchronous(off)", "_pragma=busy_timeout(10000)"}, options...)
	db, err := sql.Open("sqlite", "file:"+path+"?"+strings.Join(options, "&"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t testing.TB, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// conn returns a prepared connection.
func conn(t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := dialect.Prepare(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func describe(t testing.TB, c *sql.Conn, name string) replication.Layout {
	t.Helper()
	l, err := dialect.Describe(t.Context(), c, name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// source returns a table as the engine would capture it.
func source(t testing.TB, c *sql.Conn, id, name string) replication.SourceTable {
	t.Helper()
	return sourceOf(describe(t, c, name), id)
}

func sourceOf(l replication.Layout, id string) replication.SourceTable {
	st := replication.SourceTable{ID: id, Name: l.Name, Hint: l.Hint}
	for _, col := range l.Columns {
		if !col.Generated {
			st.Columns = append(st.Columns, col)
		}
	}
	for _, k := range l.Key {
		st.Key = append(st.Key, slices.IndexFunc(st.Columns, func(c replication.Column) bool { return c.Name == k }))
	}
	return st
}

func target(l replication.Layout, id string) replication.TargetTable {
	s := sourceOf(l, id)
	return replication.TargetTable{ID: id, Name: l.Name, Columns: s.Columns, Key: s.Key, Unique: l.Unique}
}

func install(t testing.TB, c *sql.Conn, tables ...replication.SourceTable) {
	t.Helper()
	exec(t, c, dialect.Install(group, tables)...)
	prints, err := dialect.Fingerprint(t.Context(), c, group, tables)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range prints {
		if p == "" {
			t.Fatalf("table %s is not whole after Install", tables[i].Name)
		}
	}
}

// mirror is a replica in memory.
type mirror struct {
	tables []replication.SourceTable
	rows   []map[string]string // by key
	at     string
}

func text(row [][]byte) string {
	var b strings.Builder
	for _, v := range row {
		if v == nil {
			b.WriteString("NULL,")
		} else {
			fmt.Fprintf(&b, "%q,", v)
		}
	}
	return b.String()
}

func keyOf(t replication.SourceTable, row [][]byte) string {
	var key [][]byte
	for _, k := range t.Key {
		key = append(key, row[k])
	}
	return text(key)
}

// read returns the table as Select has it.
func read(ctx context.Context, c *sql.Conn, t replication.SourceTable) (map[string]string, error) {
	rows := make(map[string]string)
	err := dialect.Stream(ctx, c, dialect.Select(t, nil, 0), t.Columns, func(row [][]byte) error {
		rows[keyOf(t, row)] = text(row)
		return nil
	})
	return rows, err
}

// copyOf begins a mirror by a copy.
func copyOf(t testing.TB, c *sql.Conn, tables ...replication.SourceTable) *mirror {
	t.Helper()
	m := &mirror{tables: tables, rows: make([]map[string]string, len(tables))}
	err := snapshot(t.Context(), c, func(now string) (err error) {
		m.at = now
		for i, table := range tables {
			if m.rows[i], err = read(t.Context(), c, table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func snapshot(ctx context.Context, c *sql.Conn, fn func(now string) error) error {
	tx, err := dialect.Begin(ctx, c, replication.ReadSnapshot)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	now, err := dialect.Now(ctx, c, group)
	if err != nil {
		return err
	}
	if err := fn(now); err != nil {
		return err
	}
	return tx.Commit()
}

// poll applies what changed and compares the mirror with the table, as they are
// in one snapshot.
func (m *mirror) poll(ctx context.Context, c *sql.Conn) error {
	return snapshot(ctx, c, func(now string) error {
		changes, err := dialect.Changed(ctx, c, group, m.tables, m.at, now)
		if err != nil {
			return err
		}
		for i, t := range m.tables {
			if changes[i] == replication.SomeKeys {
				if err := m.apply(ctx, c, i, now); err != nil {
					return err
				}
			}
			rows, err := read(ctx, c, t)
			if err != nil {
				return err
			}
			if !maps.Equal(rows, m.rows[i]) {
				return fmt.Errorf("%s at %s: the mirror has\n%v\nand the table\n%v", t.Name, now, m.rows[i], rows)
			}
		}
		m.at = now
		return nil
	})
}

func (m *mirror) apply(ctx context.Context, c *sql.Conn, i int, now string) error {
	t := m.tables[i]
	columns := append([]replication.Column{{Name: "exists", Kind: replication.Int}}, t.Columns...)
	seen := make(map[string]bool)
	return dialect.Stream(ctx, c, dialect.Changes(group, t, m.at, now, replication.SomeKeys), columns, func(row [][]byte) error {
		key := keyOf(t, row[1:])
		if seen[key] {
			return fmt.Errorf("key %s twice", key)
		}
		seen[key] = true
		switch string(row[0]) {
		case "0":
			for k, v := range row[1:] {
				if v != nil && !slices.Contains(t.Key, k) {
					return errors.New("a row that is gone has values")
				}
			}
			delete(m.rows[i], key)
		case "1":
			m.rows[i][key] = text(row[1:])
		default:
			return fmt.Errorf("exists is %q", row[0])
		}
		return nil
	})
}

func (m *mirror) mustPoll(t testing.TB, c *sql.Conn) {
	t.Helper()
	if err := m.poll(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}
