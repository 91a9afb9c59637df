package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/postgres"
	_ "github.com/jackc/pgx/v5/stdlib"
)

var (
	d         = postgres.Dialect
	notifying = postgres.Notifying
)

var startPostgres = testservers.StartPostgres

const group = "news"

func open(t testing.TB) *sql.DB {
	t.Helper()
	return openURL(t, testservers.Postgres(t))
}

func openURL(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// session is a prepared connection, that ends with the test.
func session(t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := d.Prepare(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func do(t testing.TB, c execer, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := c.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func one[T any](t testing.TB, c execer, query string, args ...any) (v T) {
	t.Helper()
	if err := c.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// table describes a table as the engine captures it.
func table(t testing.TB, c *sql.Conn, id, name string) replication.SourceTable {
	t.Helper()
	l, err := d.Describe(t.Context(), c, name)
	if err != nil {
		t.Fatal(err)
	}
	return source(t, id, l)
}

func source(t testing.TB, id string, l replication.Layout) replication.SourceTable {
	s := replication.SourceTable{ID: id, Name: l.Name}
	for _, c := range l.Columns {
		if !c.Generated {
			s.Columns = append(s.Columns, c)
		}
	}
	for _, k := range l.Key {
		n := slices.IndexFunc(s.Columns, func(c replication.Column) bool { return c.Name == k })
		if n < 0 {
			t.Fatalf("key column %q is not sent", k)
		}
		s.Key = append(s.Key, n)
	}
	return s
}

func target(s replication.SourceTable, l replication.Layout) replication.TargetTable {
	return replication.TargetTable{ID: s.ID, Name: l.Name, Columns: s.Columns, Key: s.Key, Unique: l.Unique}
}

func install(t testing.TB, c *sql.Conn, tables ...replication.SourceTable) {
	t.Helper()
	do(t, c, d.Install(group, tables)...)
	for i, p := range fingerprints(t, c, tables...) {
		if p == "" {
			t.Fatalf("table %s is not whole after Install", tables[i].Name)
		}
	}
}

func fingerprints(t testing.TB, c *sql.Conn, tables ...replication.SourceTable) []string {
	t.Helper()
	prints, err := d.Fingerprint(t.Context(), c, group, tables)
	if err != nil {
		t.Fatal(err)
	}
	return prints
}

// replica is a node in memory, which follows a master and is compared with its
// snapshot at every poll.
type replica struct {
	c      *sql.Conn
	tables []replication.SourceTable
	rows   []map[string]string // by table and key
	at     string
	keys   int // that were delivered by the last poll
	polls  int // that found keys
}

// follow makes a node and copies the tables.
func follow(t testing.TB, c *sql.Conn, tables ...replication.SourceTable) *replica {
	t.Helper()
	r := &replica{c: c, tables: tables, rows: make([]map[string]string, len(tables))}
	if err := r.snapshot(t.Context(), func(at string) error {
		r.at = at
		for i := range tables {
			rows, err := r.all(t.Context(), i)
			if err != nil {
				return err
			}
			r.rows[i] = rows
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replica) snapshot(ctx context.Context, fn func(at string) error) error {
	tx, err := d.Begin(ctx, r.c, replication.ReadSnapshot)
	if err != nil {
		return err
	}
	at, err := d.Now(ctx, r.c, group)
	if err == nil {
		err = fn(at)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (r *replica) all(ctx context.Context, i int) (map[string]string, error) {
	rows := make(map[string]string)
	err := d.Stream(ctx, r.c, d.Select(r.tables[i], nil, 0), r.tables[i].Columns, func(row [][]byte) error {
		rows[text(row, r.tables[i].Key)] = text(row, nil)
		return nil
	})
	return rows, err
}

// text is a row's values, or those at some places.
func text(row [][]byte, at []int) string {
	var parts []string
	for i, v := range row {
		if at != nil && !slices.Contains(at, i) {
			continue
		}
		if v == nil {
			parts = append(parts, "NULL")
		} else {
			parts = append(parts, fmt.Sprintf("%q", v))
		}
	}
	return strings.Join(parts, "|")
}

// step brings the node to a new snapshot and compares it with that.
func (r *replica) step(ctx context.Context) error {
	return r.snapshot(ctx, func(to string) error {
		changes, err := d.Changed(ctx, r.c, group, r.tables, r.at, to)
		if err != nil {
			return err
		}
		if !d.Covers(to, r.at) {
			return fmt.Errorf("%s does not cover %s", to, r.at)
		}
		r.keys = 0
		for i, change := range changes {
			if err := r.apply(ctx, i, change, to); err != nil {
				return err
			}
			want, err := r.all(ctx, i)
			if err != nil {
				return err
			}
			// A table that was truncated after the snapshot is not what it was there.
			var cut bool
			if err := r.c.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE relfilenode <> pg_relation_filenode(oid)
				AND (oid = $1::regclass OR oid IN (SELECT relid FROM pg_partition_tree($1::regclass))))`, d.Quote(r.tables[i].Name)).Scan(&cut); err != nil {
				return err
			}
			if cut && change == replication.Nothing {
				continue
			}
			if !maps.Equal(r.rows[i], want) {
				return fmt.Errorf("from %s to %s: table %s: replica\n%v\nis not the snapshot\n%v", r.at, to, r.tables[i].Name, brief(r.rows[i], want), brief(want, r.rows[i]))
			}
		}
		r.at = to
		return nil
	})
}

// brief is what a has and b has not.
func brief(a, b map[string]string) (only []string) {
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			only = append(only, k+" = "+v)
		}
		if len(only) == 20 {
			break
		}
	}
	return only
}

func (r *replica) apply(ctx context.Context, i int, change replication.Change, to string) error {
	t := r.tables[i]
	switch {
	case change == replication.AllRows:
		rows, err := r.all(ctx, i)
		r.rows[i] = rows
		return err
	case change > 0:
		if r.polls++; r.polls%2 == 0 {
			change = replication.SomeKeys // is always right
		}
		columns := append([]replication.Column{{Name: "exists", Kind: replication.Int}}, t.Columns...)
		seen := make(map[string]bool)
		return d.Stream(ctx, r.c, d.Changes(group, t, r.at, to, change), columns, func(row [][]byte) error {
			r.keys++
			key := text(row[1:], t.Key)
			if seen[key] {
				return fmt.Errorf("key %s is delivered twice", key)
			}
			seen[key] = true
			if string(row[0]) == "1" {
				r.rows[i][key] = text(row[1:], nil)
			} else {
				delete(r.rows[i], key)
			}
			return nil
		})
	}
	return nil
}

// poll is step for tests that end with its error.
func (r *replica) poll(t testing.TB) {
	t.Helper()
	if err := r.step(t.Context()); err != nil {
		t.Fatal(err)
	}
}

type conn = *sql.Conn

var eof = io.EOF

// rowsOf is a Load's source.
func rowsOf(rows ...[][]byte) func() ([][]byte, error) {
	return func() ([][]byte, error) {
		if len(rows) == 0 {
			return nil, io.EOF
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	}
}

func values(texts ...string) [][]byte {
	row := make([][]byte, len(texts))
	for i, s := range texts {
		if s != "NULL" {
			row[i] = []byte(s)
		}
	}
	return row
}
