package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

var soak = flag.Duration("soak", time.Second, "how long TestRandomWritersAreFollowed runs, for each setting of recursive_triggers")

// TestRandomWritersAreFollowed lets several connections write all kinds of
// statements, in transactions with savepoints that often fail or are rolled
// back, while readers poll: at each poll a mirror that has only applied what the
// log says is equal to the tables in the same snapshot. Meanwhile the log is
// trimmed to what the readers have.
func TestRandomWritersAreFollowed(t *testing.T) {
	for _, recursive := range []string{"off", "on"} {
		t.Run("recursive_triggers="+recursive, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			db := open(t, "_pragma=recursive_triggers("+recursive+")", "_pragma=foreign_keys(on)")
			exec(t, db, `CREATE TABLE p (id INTEGER PRIMARY KEY, u INT UNIQUE, v INT)`,
				`CREATE UNIQUE INDEX pv ON p (v % 20) WHERE v > 50`,
				`CREATE TABLE c (a INT, b TEXT COLLATE NOCASE, p INT REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, u INT, PRIMARY KEY (a, b), UNIQUE (u, b)) WITHOUT ROWID`)
			c := conn(t, db)
			tables := []replication.SourceTable{source(t, c, "p", "p"), source(t, c, "c", "c")}
			install(t, c, tables...)

			ctx, stop := context.WithCancel(t.Context())
			var writers, readers sync.WaitGroup
			defer func() { stop(); writers.Wait(); readers.Wait() }()
			deadline := time.Now().Add(*soak)
			for n := range 3 {
				writers.Go(func() { write(ctx, db, rand.New(rand.NewPCG(seed, uint64(n))), deadline) })
			}
			var mu sync.Mutex
			positions := make(map[int]string)
			for n := range 2 {
				rc := conn(t, db)
				m := copyOf(t, rc, tables...)
				mu.Lock()
				positions[n] = m.at
				mu.Unlock()
				readers.Go(func() {
					for polls := 0; ; polls++ {
						last := time.Now().After(deadline.Add(100 * time.Millisecond))
						if err := m.poll(ctx, rc); err != nil {
							if ctx.Err() == nil {
								t.Errorf("seed %d, poll %d: %v", seed, polls, err)
							}
							return
						}
						mu.Lock()
						positions[n] = m.at
						mu.Unlock()
						if last {
							t.Logf("%d polls, the clock is at %s", polls, m.at)
							return
						}
						time.Sleep(time.Duration(n) * 10 * time.Millisecond)
					}
				})
			}
			for time.Now().Before(deadline) {
				mu.Lock()
				needed := []string{positions[0], positions[1]}
				mu.Unlock()
				rows, err := dialect.Trim(ctx, c, group, tables, needed)
				if err != nil || rows > 1000 {
					t.Errorf("Trim = %d, %v", rows, err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			writers.Wait()
			readers.Wait()
		})
	}
}

// write runs random transactions. Statements may fail: then SQLite has undone
// them, and the transaction goes on.
func write(ctx context.Context, db *sql.DB, r *rand.Rand, deadline time.Time) {
	c, err := db.Conn(ctx)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	run := func(q string) { _, _ = c.ExecContext(ctx, q) }
	for ctx.Err() == nil && time.Now().Before(deadline) {
		run("BEGIN IMMEDIATE")
		for range 1 + r.IntN(6) {
			if r.IntN(5) == 0 {
				run("SAVEPOINT s")
				run(statement(r))
				run(statement(r))
				if r.IntN(2) == 0 {
					run("ROLLBACK TO s")
				}
				run("RELEASE s")
			}
			run(statement(r))
		}
		if r.IntN(6) == 0 {
			run("ROLLBACK")
		} else {
			run("COMMIT")
		}
		time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
	}
}

func statement(r *rand.Rand) string {
	or := []string{"", "", "OR REPLACE ", "OR REPLACE ", "OR IGNORE ", "OR FAIL ", "OR ABORT "}[r.IntN(7)]
	n := func(most int) string {
		if r.IntN(12) == 0 {
			return "NULL"
		}
		return fmt.Sprint(r.IntN(most))
	}
	b := func() string { return string("aAbBcC"[r.IntN(6)]) }
	switch r.IntN(14) {
	case 0, 1, 2:
		return fmt.Sprintf("INSERT %sINTO p VALUES (%s, %s, %s), (%s, %s, %s)", or, n(40), n(40), n(100), n(40), n(40), n(100))
	case 3, 4:
		return fmt.Sprintf("INSERT %sINTO c VALUES (%d, '%s', %s, %s)", or, r.IntN(10), b(), n(40), n(20))
	case 5:
		return fmt.Sprintf("UPDATE %sp SET u = %s, v = %s WHERE id %% 7 = %s", or, n(40), n(100), n(7))
	case 6:
		return fmt.Sprintf("UPDATE %sp SET id = %d WHERE u = %s", or, r.IntN(40), n(40))
	case 7:
		return fmt.Sprintf("UPDATE %sc SET b = '%s', u = u + 1 WHERE a = %s", or, b(), n(10))
	case 8:
		return fmt.Sprintf("UPDATE %sc SET a = a + %s", or, n(3))
	case 9:
		return fmt.Sprintf("DELETE FROM p WHERE id = %s", n(40))
	case 10:
		return fmt.Sprintf("DELETE FROM c WHERE u %% 3 = %s", n(3))
	case 11:
		return fmt.Sprintf("INSERT INTO p VALUES (%s, %s, 1) ON CONFLICT (id) DO UPDATE SET u = excluded.u ON CONFLICT (u) DO UPDATE SET id = excluded.id", n(40), n(40))
	case 12:
		if r.IntN(10) == 0 {
			return []string{"DELETE FROM c", "DELETE FROM p"}[r.IntN(2)]
		}
		return fmt.Sprintf("REPLACE INTO c SELECT a, b, p, u + 1 FROM c WHERE a = %s", n(10))
	}
	return fmt.Sprintf("UPDATE %sp SET v = v + 1", or)
}

func TestTrimKeepsWhatIsNeeded(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY)`, `CREATE TABLE u (id INTEGER PRIMARY KEY)`)
	c := conn(t, db)
	tables := []replication.SourceTable{source(t, c, "t", "t"), source(t, c, "u", "u")}
	install(t, c, tables...)
	old := copyOf(t, c, tables...)
	exec(t, db, `INSERT INTO t VALUES (1), (2), (3)`, `INSERT INTO u VALUES (1)`)
	now := copyOf(t, c, tables...)
	exec(t, db, `INSERT INTO t VALUES (4), (5)`)
	for _, step := range []struct {
		needed []string
		want   int64
	}{{[]string{old.at, now.at}, 6}, {[]string{now.at}, 2}, {nil, 0}} {
		got, err := dialect.Trim(t.Context(), c, group, tables, step.needed)
		if err != nil || got != step.want {
			t.Errorf("Trim(%v) = %d, %v; want %d", step.needed, got, err, step.want)
		}
		if step.want == 2 {
			now.mustPoll(t, c)
		}
	}
	if _, err := dialect.Trim(t.Context(), c, group, tables, []string{"x"}); err == nil {
		t.Error("Trim took x for a position")
	}
	// After all was trimmed the clock goes on.
	exec(t, db, `INSERT INTO t VALUES (6)`)
	now.mustPoll(t, c)
}

func TestTrimDoesNotWaitForAWriter(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	c, w := conn(t, db), conn(t, db)
	tables := []replication.SourceTable{source(t, c, "t", "t")}
	install(t, c, tables...)
	exec(t, db, `INSERT INTO t VALUES (1)`)
	exec(t, w, `BEGIN IMMEDIATE`)
	began := time.Now()
	rows, err := dialect.Trim(t.Context(), c, group, tables, nil)
	if took := time.Since(began); rows != 1 || err != nil || took > 8*time.Second {
		t.Errorf("Trim = %d, %v after %v", rows, err, took)
	}
	exec(t, w, `ROLLBACK`)
	if rows, err := dialect.Trim(t.Context(), c, group, tables, nil); rows != 0 || err != nil {
		t.Errorf("Trim = %d, %v", rows, err)
	}
}

func TestTransactionsEndWhateverHappens(t *testing.T) {
	db := open(t)
	exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	c, other := conn(t, db), conn(t, db)
	exec(t, other, "PRAGMA busy_timeout = 0")
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := dialect.Begin(ctx, c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialect.Begin(t.Context(), other, replication.Write); dialect.Fault(err) != replication.Transient {
		t.Errorf("a second writer: %v, fault %d", err, dialect.Fault(err))
	}
	cancel()
	if err := tx.Rollback(); err != nil {
		t.Errorf("Rollback after the context ended: %v", err)
	}
	if err := tx.Commit(); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("Commit after Rollback: %v", err)
	}
	tx, err = dialect.Begin(t.Context(), c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, c, "INSERT INTO t VALUES (1)", "ROLLBACK") // as SQLite does when a statement is interrupted
	if err := tx.Commit(); err == nil {
		t.Error("a transaction that was gone committed")
	}
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("Rollback after Commit: %v", err)
	}
	exec(t, c, "BEGIN", "ROLLBACK")
	// A snapshot is one: what commits meanwhile is not in it.
	exec(t, c, dialect.Install(group, nil)...)
	err = snapshot(t.Context(), c, func(string) error {
		exec(t, other, "INSERT INTO t VALUES (7)")
		if got := contents(t, c, "SELECT count(*) FROM t"); got != "0" {
			t.Errorf("the snapshot has %s rows", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
