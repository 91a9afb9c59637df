package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

func snapshotTable(name string) replication.TargetTable {
	return replication.TargetTable{ID: "s", Name: replication.Name{Table: name}, Columns: []replication.Column{
		{Name: "id", Kind: replication.Int, Native: "BIGINT"}, {Name: "g", Kind: replication.Int, Native: "BIGINT"}}, Key: []int{0}}
}

// refresh is what the engine does for one flip of all tables.
func refresh(t *testing.T, c *sqlConn, tables []replication.TargetTable, generation, rows int) {
	t.Helper()
	to := make([]int, len(tables))
	for i, table := range tables {
		p := d.Publish(table)
		run(t, c, p.Create...)
		var public int
		if err := c.QueryRowContext(t.Context(), p.Public).Scan(&public); err != nil {
			t.Fatal(err)
		}
		idle := 1 - public
		to[i] = idle
		run(t, c, p.Clear(idle)...)
		var load [][][]byte
		for n := range rows {
			load = append(load, values(n, generation))
		}
		if _, err := d.Load(t.Context(), c, p.Copies(idle), table.Columns, each(load...)); err != nil {
			t.Fatal(err)
		}
		run(t, c, p.Ready(idle)...)
	}
	for {
		var err error
		for _, q := range d.Flip(tables, to) {
			if err == nil {
				_, err = c.ExecContext(t.Context(), q)
			}
		}
		if err == nil {
			return
		}
		if d.Fault(err) != replication.Transient {
			t.Fatal(err)
		}
	}
}

func TestReadersNeverSeeHalfATableOrTwoGenerations(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	tables := []replication.TargetTable{snapshotTable("plain"), snapshotTable("Odd `name"), snapshotTable(strings.Repeat("long", 16))}
	const rows = 1500
	refresh(t, c, tables, 1, rows)
	tables = tables[:2]
	a, b := d.Quote(tables[0].Name), d.Quote(tables[1].Name)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var readers sync.WaitGroup
	for n := range 4 {
		readers.Go(func() {
			last, reads := 0, 0
			rc, err := db.Conn(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			defer rc.Close()
			for ctx.Err() == nil {
				var x, y, gx, gy, low, high int
				var err error
				if n%2 == 0 { // one statement
					err = rc.QueryRowContext(context.Background(), "SELECT COUNT(*), MIN(g), MAX(g), (SELECT COUNT(*) FROM "+b+"), (SELECT MIN(g) FROM "+b+"), (SELECT MAX(g) FROM "+b+") FROM "+a).
						Scan(&x, &gx, &low, &y, &gy, &high)
				} else { // a transaction, with a snapshot that may be older than the first read
					_, err = rc.ExecContext(context.Background(), "START TRANSACTION WITH CONSISTENT SNAPSHOT")
					time.Sleep(time.Millisecond)
					if err == nil {
						err = rc.QueryRowContext(context.Background(), "SELECT COUNT(*), MIN(g), MAX(g) FROM "+a).Scan(&x, &gx, &low)
					}
					if err == nil {
						err = rc.QueryRowContext(context.Background(), "SELECT COUNT(*), MIN(g), MAX(g) FROM "+b).Scan(&y, &gy, &high)
					}
					_, _ = rc.ExecContext(context.Background(), "ROLLBACK")
				}
				if err != nil {
					if n%2 == 1 && d.Fault(err) == replication.Transient {
						continue // its snapshot was older than the copy: said, never guessed
					}
					t.Errorf("reader %d: %v", n, err)
					return
				}
				if x != rows || y != rows || gx != low || gy != high || gx != gy || gx < last {
					t.Errorf("reader %d: %d rows of %d to %d and %d rows of %d to %d, after %d", n, x, gx, low, y, gy, high, last)
					return
				}
				last = gx
				reads++
			}
			if reads == 0 {
				t.Errorf("reader %d read nothing", n)
			}
		})
	}
	for g := 2; g < 9; g++ {
		refresh(t, c, tables, g, rows)
	}
	stop()
	readers.Wait()
}

func TestFlipToThePublicCopyFails(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	table := snapshotTable("t")
	tables := []replication.TargetTable{table}
	p := d.Publish(table)
	public := func() (n int) {
		t.Helper()
		if err := c.QueryRowContext(t.Context(), p.Public).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	run(t, c, p.Create...)
	if public() != 0 {
		t.Error("copy 0 is not public at first")
	}
	for _, to := range []int{1, 0, 1} {
		run(t, c, d.Flip(tables, []int{to})...)
		run(t, c, p.Create...) // again: no third table
		if public() != to {
			t.Errorf("after a flip to %d, %d is public", to, public())
		}
		for _, q := range d.Flip(tables, []int{to})[1:] {
			if _, err := c.ExecContext(t.Context(), q); err == nil || d.Fault(err) == replication.Transient {
				t.Errorf("flipped again: %v", err)
			}
		}
		var n int
		if err := c.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA=DATABASE()").Scan(&n); err != nil || n != 2 {
			t.Errorf("%d tables, %v", n, err)
		}
	}
}

func TestFlipGivesUpOnALongReader(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	table := snapshotTable("t")
	run(t, c, d.Publish(table).Create...)
	reader := plainConn(t, db)
	run(t, reader, "START TRANSACTION", "SELECT * FROM t")
	began := time.Now()
	var err error
	for _, q := range d.Flip([]replication.TargetTable{table}, []int{1}) {
		_, err = c.ExecContext(t.Context(), q)
	}
	if d.Fault(err) != replication.Transient || time.Since(began) > 4*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	run(t, reader, "SELECT * FROM t", "COMMIT")
	run(t, c, d.Flip([]replication.TargetTable{table}, []int{1})...)
}

func TestLocksAreExclusiveAndEndWithTheConnection(t *testing.T) {
	t.Parallel()
	db := database(t)
	a, b := conn(t, db), conn(t, db)
	name := strings.Repeat("a long name of a node ", 10)
	try := func(c *sqlConn, name string, want bool) {
		t.Helper()
		if got, err := d.TryLock(t.Context(), c, name); err != nil || got != want {
			t.Errorf("TryLock = %v, %v", got, err)
		}
	}
	try(a, name, true)
	try(a, name, false) // it is taken
	var silence int     // after which the lock of a client without a word is free
	if err := a.QueryRowContext(t.Context(), "SELECT @@wait_timeout").Scan(&silence); err != nil || silence != 120 {
		t.Errorf("wait_timeout is %d s, %v", silence, err)
	}
	try(b, name, false)
	try(b, name+"x", true)
	try(conn(t, database(t)), name, true) // another database
	if err := a.Raw(func(any) error { return errBad }); !errors.Is(err, errBad) {
		t.Fatal(err)
	}
	for range 200 {
		if ok, err := d.TryLock(t.Context(), b, name); err != nil {
			t.Fatal(err)
		} else if ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the lock outlived its connection")
}

func TestIdentityIsOfOneDatabaseAndLasts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2 {
		db := database(t)
		var first string
		for i := range 2 {
			c := conn(t, db)
			id, err := d.Identity(t.Context(), c)
			if err != nil || id == "" || strings.ContainsAny(id, " \t\n") {
				t.Fatalf("identity %q, %v", id, err)
			}
			if i == 0 {
				first = id
				run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
				install(t, c, source(t, c, "t"))
			} else if id != first {
				t.Errorf("identity was %s and is %s", first, id)
			}
		}
		// A copy of the data in another database.
		other := database(t)
		run(t, other, fmt.Sprintf("CREATE TABLE ashlar_my_system AS SELECT * FROM `%s`.ashlar_my_system", serverConfig(t, db).DBName))
		id, err := d.Identity(t.Context(), conn(t, other))
		if err != nil || id == first {
			t.Errorf("the copy is %s, %v", id, err)
		}
		if seen[first] || seen[id] {
			t.Error("two databases have one identity")
		}
		seen[first], seen[id] = true, true
	}
}
