package replicationtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// lab is a master and a replica.
type lab struct {
	t      *testing.T
	pair   Pair
	source replication.End
	target replication.End
}

func newLab(t *testing.T, p Pair) *lab {
	t.Helper()
	return &lab{t: t, pair: p, source: p.Source(t), target: p.Target(t)}
}

// Columns for tests.
func integer(name string) replication.Column {
	return replication.Column{Name: name, Kind: replication.Int}
}

func text(name string, size int) replication.Column {
	return replication.Column{Name: name, Kind: replication.Text, Size: size, Nullable: true}
}

func key(c replication.Column) replication.Column {
	c.Nullable = false
	return c
}

// table makes a table as the database's own dialect would, with so many of the
// first columns as key, and statements after it.
func (l *lab) table(end replication.End, name string, keys int, columns ...replication.Column) {
	l.t.Helper()
	t := replication.TargetTable{ID: "t_" + strings.ToLower(name), Name: replication.Name{Table: name}}
	for i, c := range columns {
		ddl, _ := end.Dialect.Type(c)
		if ddl == "" {
			l.t.Fatalf("%s has no type for %v", end.Dialect.Name(), c)
		}
		c.Native = ddl
		t.Columns = append(t.Columns, c)
		if i < keys {
			t.Key = append(t.Key, i)
		}
	}
	for _, q := range end.Dialect.Create(t) {
		l.exec(end, q)
	}
}

// quote writes a name as SQL.
func quote(end replication.End, name string) string {
	return end.Dialect.Quote(replication.Name{Table: name})
}

// exec runs a statement with ? for its arguments.
func (l *lab) exec(end replication.End, query string, args ...any) {
	l.t.Helper()
	if _, err := end.DB.ExecContext(l.t.Context(), end.Dialect.Bind(query), args...); err != nil {
		l.t.Fatalf("%s: %.200s: %v", end.Dialect.Name(), query, err)
	}
}

// tx runs statements in a transaction on the master.
func (l *lab) tx(do func(exec func(query string, args ...any))) {
	l.t.Helper()
	if err := inTx(l.t.Context(), l.source, do); err != nil {
		l.t.Fatal(err)
	}
}

// inTx runs statements in a transaction, as often as it takes until no deadlock
// is in the way.
func inTx(ctx context.Context, end replication.End, do func(exec func(query string, args ...any))) error {
	for {
		tx, err := end.DB.BeginTx(ctx, nil)
		if err == nil {
			do(func(query string, args ...any) {
				if err == nil {
					_, err = tx.ExecContext(ctx, end.Dialect.Bind(query), args...)
				}
			})
			if err == nil {
				err = tx.Commit()
			} else {
				_ = tx.Rollback()
			}
		}
		if err == nil || ctx.Err() != nil || end.Dialect.Fault(err) != replication.Transient {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// replicator makes one for the node "n1"; change may be nil.
func (l *lab) replicator(change func(*replication.Config), tables ...string) *replication.Replicator {
	l.t.Helper()
	cfg := replication.Config{Node: "n1", Source: l.source, Target: l.target, Interval: 20 * time.Millisecond}
	for _, name := range tables {
		cfg.Tables = append(cfg.Tables, replication.Table{Source: name})
	}
	if change != nil {
		change(&cfg)
	}
	r, err := replication.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = r.Close() })
	return r
}

// started is a replicator that is installed and copied.
func (l *lab) started(change func(*replication.Config), tables ...string) *replication.Replicator {
	l.t.Helper()
	r := l.replicator(change, tables...)
	if err := r.Install(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	if err := r.Copy(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	return r
}

func (l *lab) step(r *replication.Replicator) int64 {
	l.t.Helper()
	n, err := r.Step(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// session is a prepared connection.
func session(ctx context.Context, end replication.End) (*sql.Conn, error) {
	c, err := end.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := end.Dialect.Prepare(ctx, c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// rows reads a table into a map from key to row, both in normal form.
func (l *lab) rows(end replication.End, name string) map[string]string {
	l.t.Helper()
	rows, err := readRows(l.t.Context(), end, name)
	if err != nil {
		l.t.Fatal(err)
	}
	return rows
}

func readRows(ctx context.Context, end replication.End, name string) (map[string]string, error) {
	c, err := session(ctx, end)
	if err != nil {
		return nil, err
	}
	defer discard(c)
	layout, err := end.Dialect.Describe(ctx, c, name)
	if err != nil {
		return nil, err
	}
	t := replication.SourceTable{Name: layout.Name, Columns: layout.Columns}
	for i, col := range layout.Columns {
		if slices.Contains(layout.Key, col.Name) {
			t.Key = append(t.Key, i)
		}
	}
	out := make(map[string]string)
	err = end.Dialect.Stream(ctx, c, end.Dialect.Select(t, nil, 0), t.Columns, func(row [][]byte) error {
		var key, all []string
		for i, v := range row {
			s := "NULL"
			if v != nil {
				n, err := replication.AppendNormal(nil, t.Columns[i], v)
				if err != nil {
					return err
				}
				s = fmt.Sprintf("%q", n)
			}
			all = append(all, s)
			if slices.Contains(t.Key, i) {
				key = append(key, s)
			}
		}
		if len(key) == 0 {
			key = []string{fmt.Sprint(len(out))}
		}
		out[strings.Join(key, ",")] = strings.Join(all, ",")
		return nil
	})
	return out, err
}

// discard ends a connection whose session was changed.
func discard(c *sql.Conn) {
	_ = c.Raw(func(any) error { return errBadConn })
	_ = c.Close()
}

// equal checks that the replica's tables are the master's.
func (l *lab) equal(tables ...string) {
	l.t.Helper()
	for _, name := range tables {
		same(l.t, name, l.rows(l.source, name), l.rows(l.target, name))
	}
}

func same(t *testing.T, name string, want, got map[string]string) {
	t.Helper()
	bad := 0
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] && bad < 5 {
			bad++
			t.Errorf("table %s: row %s is %.200q on the replica, want %.200q", name, k, got[k], want[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok && bad < 5 {
			bad++
			t.Errorf("table %s: row %s is on the replica only", name, k)
		}
	}
	if bad > 0 {
		t.FailNow()
	}
}

// verified checks that Verify finds nothing.
func (l *lab) verified(r *replication.Replicator) {
	l.t.Helper()
	for d, err := range r.Verify(l.t.Context()) {
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Errorf("verify: %v", d)
	}
}

// run runs r until stop, which returns what Run returned.
func (l *lab) run(r *replication.Replicator) (stop func() error) {
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan error, 1)
	go func() {
		err := r.Run(ctx)
		if ctx.Err() == nil {
			l.t.Errorf("Run ended: %v", err)
		}
		done <- err
	}()
	l.t.Cleanup(cancel)
	return func() error {
		cancel()
		select {
		case err := <-done:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-time.After(20 * time.Second):
			return errors.New("the replicator did not end within 20 s")
		}
	}
}

// until waits until ok.
func (l *lab) until(what string, ok func() bool) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("waited 20 s until %s", what)
		}
	}
}
