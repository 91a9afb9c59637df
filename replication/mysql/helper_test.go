package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/mysql"
	driver "github.com/go-sql-driver/mysql"
)

var d = mysql.Dialect

func config(t testing.TB, address string) *driver.Config {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the server's address is no URL")
	}
	cfg := driver.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.Net, cfg.Addr, cfg.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	cfg.InterpolateParams = true
	cfg.Logger = &driver.NopLogger{}
	return cfg
}

func open(t testing.TB, cfg *driver.Config) *sql.DB {
	t.Helper()
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	configs.Store(db, cfg)
	t.Cleanup(func() { configs.Delete(db); db.Close() })
	return db
}

// database is a fresh one on the shared server.
func database(t testing.TB) *sql.DB {
	t.Helper()
	return open(t, config(t, testservers.MariaDB(t)))
}

// conn is a prepared connection.
func conn(t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	c := plainConn(t, db)
	if err := d.Prepare(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func plainConn(t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func run(t testing.TB, c execer, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := c.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%.300s: %v", q, err)
		}
	}
}

func describe(t testing.TB, c *sql.Conn, table string) replication.Layout {
	t.Helper()
	l, err := d.Describe(t.Context(), c, table)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func positions(columns []replication.Column, names []string) []int {
	var out []int
	for _, name := range names {
		out = append(out, slices.IndexFunc(columns, func(c replication.Column) bool { return c.Name == name }))
	}
	return out
}

func source(t testing.TB, c *sql.Conn, table string) replication.SourceTable {
	t.Helper()
	l := describe(t, c, table)
	columns := slices.DeleteFunc(slices.Clone(l.Columns), func(c replication.Column) bool { return c.Generated })
	id := []byte("t_")
	for _, b := range []byte(strings.ToLower(l.Name.Table)) {
		if len(id) < 20 && (b >= 'a' && b <= 'z' || b >= '0' && b <= '9') {
			id = append(id, b)
		}
	}
	return replication.SourceTable{ID: string(id), Name: l.Name, Columns: columns, Key: positions(columns, l.Key)}
}

func target(t testing.TB, c *sql.Conn, table string) replication.TargetTable {
	t.Helper()
	s, l := source(t, c, table), describe(t, c, table)
	return replication.TargetTable{ID: s.ID, Name: s.Name, Columns: s.Columns, Key: s.Key, Unique: l.Unique}
}

const group = "g"

func install(t testing.TB, c *sql.Conn, tables ...replication.SourceTable) {
	t.Helper()
	for _, q := range d.Install(group, tables) {
		if _, err := c.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("install: %s: %v", q, err)
		}
	}
}

// row is a row as one text, NULL told apart from everything.
func text(values [][]byte) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = "NULL"
		if v != nil {
			parts[i] = fmt.Sprintf("%q", v)
		}
	}
	return strings.Join(parts, " ")
}

func stream(ctx context.Context, c *sql.Conn, query string, columns []replication.Column) ([][][]byte, error) {
	var out [][][]byte
	err := d.Stream(ctx, c, query, columns, func(row [][]byte) error {
		copied := make([][]byte, len(row))
		for i, v := range row {
			if v != nil {
				copied[i] = append([]byte{}, v...)
			}
		}
		out = append(out, copied)
		return nil
	})
	return out, err
}

func all(t testing.TB, c *sql.Conn, s replication.SourceTable) [][][]byte {
	t.Helper()
	rows, err := stream(t.Context(), c, d.Select(s, nil, 0), s.Columns)
	if err != nil {
		t.Fatalf("%s: %v", d.Select(s, nil, 0), err)
	}
	return rows
}

// each returns next for Load.
func each(rows ...[][]byte) func() ([][]byte, error) {
	return func() ([][]byte, error) {
		if len(rows) == 0 {
			return nil, io.EOF
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	}
}

func values(v ...any) [][]byte {
	out := make([][]byte, len(v))
	for i, x := range v {
		if x != nil {
			out[i] = fmt.Append([]byte{}, x)
		}
	}
	return out
}

// replica is what a node would have: rows by key, for each table.
type replica struct {
	tables []replication.SourceTable
	rows   []map[string]string
	at     string
	sent   []int64
	whole  []int64
}

func newReplica(tables ...replication.SourceTable) *replica {
	r := &replica{tables: tables, rows: make([]map[string]string, len(tables)), sent: make([]int64, len(tables)), whole: make([]int64, len(tables))}
	for i := range r.rows {
		r.rows[i] = map[string]string{}
	}
	return r
}

func keyOf(s replication.SourceTable, row [][]byte) string {
	key := make([][]byte, len(s.Key))
	for i, n := range s.Key {
		key[i] = row[n]
	}
	return text(key)
}

// snapshot reads the tables whole.
func (r *replica) snapshot(ctx context.Context, c *sql.Conn) ([]map[string]string, error) {
	out := make([]map[string]string, len(r.tables))
	for i, s := range r.tables {
		out[i] = map[string]string{}
		rows, err := stream(ctx, c, d.Select(s, nil, 0), s.Columns)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			out[i][keyOf(s, row)] = text(row)
		}
	}
	return out, nil
}

// copy is the initial copy.
func (r *replica) copy(ctx context.Context, c *sql.Conn) error {
	tx, err := d.Begin(ctx, c, replication.ReadSnapshot)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if r.at, err = d.Now(ctx, c, group); err != nil {
		return err
	}
	if r.rows, err = r.snapshot(ctx, c); err != nil {
		return err
	}
	return tx.Commit()
}

// poll is one step of the engine. With check the replica is compared with the
// snapshot afterwards.
func (r *replica) poll(ctx context.Context, c *sql.Conn, check bool) error {
	if err := d.Sequence(ctx, c, group, r.tables); err != nil {
		return err
	}
	tx, err := d.Begin(ctx, c, replication.ReadSnapshot)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	to, err := d.Now(ctx, c, group)
	if err != nil {
		return err
	}
	changes, err := d.Changed(ctx, c, group, r.tables, r.at, to)
	if err != nil {
		return err
	}
	next := make([]map[string]string, len(r.rows))
	for i, s := range r.tables {
		next[i] = r.rows[i]
		switch changes[i] {
		case replication.AllRows:
			r.whole[i]++
			next[i] = map[string]string{}
			rows, err := stream(ctx, c, d.Select(s, nil, 0), s.Columns)
			if err != nil {
				return err
			}
			for _, row := range rows {
				next[i][keyOf(s, row)] = text(row)
			}
		case replication.SomeKeys:
			next[i] = make(map[string]string, len(r.rows[i]))
			maps.Copy(next[i], r.rows[i])
			columns := append([]replication.Column{{Name: "exists", Kind: replication.Int}}, s.Columns...)
			rows, err := stream(ctx, c, d.Changes(group, s, r.at, to, changes[i]), columns)
			if err != nil {
				return fmt.Errorf("%s: %w", d.Changes(group, s, r.at, to, changes[i]), err)
			}
			seen := map[string]bool{}
			for _, row := range rows {
				r.sent[i]++
				key := keyOf(s, row[1:])
				if seen[key] {
					return fmt.Errorf("key %s was sent twice", key)
				}
				seen[key] = true
				delete(next[i], key)
				if string(row[0]) == "1" {
					next[i][key] = text(row[1:])
				}
			}
		}
	}
	if check {
		want, err := r.snapshot(ctx, c)
		if err != nil {
			return err
		}
		if err := differ(next, want); err != nil {
			return fmt.Errorf("from %s to %s: %w", r.at, to, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	r.at, r.rows = to, next
	return nil
}

var errDiffer = errors.New("the replica is not the snapshot")

func differ(got, want []map[string]string) error {
	for i := range want {
		for k, v := range want[i] {
			if got[i][k] != v {
				return fmt.Errorf("%w: table %d: key %s is %q, want %q", errDiffer, i, k, got[i][k], v)
			}
		}
		for k := range got[i] {
			if _, ok := want[i][k]; !ok {
				return fmt.Errorf("%w: table %d: key %s should be gone", errDiffer, i, k)
			}
		}
	}
	return nil
}

// pollUntil polls again after what is to be tried again.
func (r *replica) pollUntil(t testing.TB, c *sql.Conn) {
	t.Helper()
	for range 10 {
		err := r.poll(t.Context(), c, true)
		if err == nil {
			return
		}
		if d.Fault(err) != replication.Transient {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("still transient after ten polls")
}

func after(milliseconds int) <-chan time.Time {
	return time.After(time.Duration(milliseconds) * time.Millisecond)
}

var configs sync.Map // of *driver.Config by *sql.DB

// serverConfig is a copy of what a database of database was opened with.
func serverConfig(t testing.TB, db *sql.DB) *driver.Config {
	t.Helper()
	cfg, _ := configs.Load(db)
	return cfg.(*driver.Config).Clone()
}
