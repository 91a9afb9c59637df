package replication_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// What the printed code of chapter 8 gets wrong, a regression test each.

// both runs a test for masters of both kinds.
func both(t *testing.T, test func(t *testing.T, source, target vendor)) {
	t.Run("Postgres", func(t *testing.T) { t.Parallel(); test(t, pg, mariadb) })
	t.Run("MariaDB", func(t *testing.T) { t.Parallel(); test(t, mariadb, pg) })
}

// 1: the trigger logged only the new key, so a row whose key changed stayed on
// every replica for ever.
func TestBookBug1_OldKeyStaysForEver(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, source, target vendor) {
		w := newWorld(t, source, target)
		w.exec(w.source, "CREATE TABLE moved (id INTEGER PRIMARY KEY, v VARCHAR(40))")
		w.exec(w.source, "INSERT INTO moved VALUES "+values(0, 10, "(%d, 'x')"))
		r := w.started(nil, "moved")
		w.exec(w.source, "UPDATE moved SET id = 100 WHERE id = 1")
		w.exec(w.source, "UPDATE moved SET id = 200 + id WHERE id IN (2, 3)")
		w.step(r)
		w.equal("moved")
	})
}

// 2: the log grew without bound, and was purged by date, whoever had not seen it.
func TestBookBug2_PurgeByDateDropsWhatADeadNodeNeeds(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, source, target vendor) {
		w := newWorld(t, source, target)
		w.exec(w.source, "CREATE TABLE purged (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
		w.exec(w.source, "INSERT INTO purged VALUES "+values(0, 10, "(%d, 0)"))
		dead := w.started(nil, "purged")
		_ = dead.Close()
		for range 50 {
			w.exec(w.source, "UPDATE purged SET v = v + 1")
		}
		if rows, err := dead.Trim(t.Context()); err != nil || rows > 10 {
			t.Errorf("500 changes of 10 rows are %d rows of the log, %v", rows, err)
		}
		// Given up, it is told so, and never goes on as if nothing had been.
		young := w.node(func(c *replication.Config) { c.Node, c.Retention.MaxAge = "n2", time.Nanosecond }, "purged")
		if rows, err := young.Trim(t.Context()); err != nil || rows != 0 {
			t.Errorf("%d rows remain for nobody, %v", rows, err)
		}
		w.exec(w.source, "UPDATE purged SET v = -1 WHERE id = 1")
		if n, err := dead.Step(t.Context()); !errors.Is(err, replication.ErrNeedResync) {
			t.Errorf("applied %d, %v, want %v", n, err, replication.ErrNeedResync)
		}
		w.must(dead.Copy(t.Context()))
		w.equal("purged")
	})
}

// 3: each table was a transaction of its own, so a reader of the replica met
// children without parents.
func TestBookBug3_TablesOfDifferentMoments(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, source, target vendor) {
		w := newWorld(t, source, target)
		for _, end := range []replication.End{w.source, w.target} {
			w.exec(end, "CREATE TABLE parents (id INTEGER PRIMARY KEY)")
			w.exec(end, "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, FOREIGN KEY (parent) REFERENCES parents (id))")
		}
		r := w.started(nil, "children", "parents")
		stop := w.watch("SELECT (SELECT count(*) FROM parents), (SELECT count(*) FROM children)", func(a, b int) bool { return a == b })
		for i := range 30 {
			w.tx(fmt.Sprintf("INSERT INTO parents VALUES (%d)", i), fmt.Sprintf("INSERT INTO children VALUES (%d, %d)", i, i))
			if i%3 == 2 {
				w.tx(fmt.Sprintf("DELETE FROM children WHERE id = %d", i-2), fmt.Sprintf("DELETE FROM parents WHERE id = %d", i-2))
			}
			w.step(r)
		}
		stop()
		w.equal("parents", "children")
	})
}

// 4: update, then insert, row by row, failed when rows swapped a unique value.
func TestBookBug4_UniqueValuesThatSwap(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, source, target vendor) {
		c := newCutter(t, source, target)
		r := c.started(nil, "seats", "notes")
		for range 3 {
			c.change()
			c.step(r)
			c.equal("seats", "notes")
		}
	})
}

// 5: replication was to be started first and the data exported and imported by
// hand: the import overwrote newer rows.
func TestBookBug5_CopyOverwritesNewerRows(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, source, target vendor) {
		w := newWorld(t, source, target)
		w.exec(w.source, "CREATE TABLE raced (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
		w.exec(w.source, "INSERT INTO raced VALUES "+values(0, 200, "(%d, 0)"))
		chunk := 0
		r := w.node(func(c *replication.Config) {
			c.ChunkRows, c.CopyWorkers = 20, 1
			c.Trace = &replication.Trace{Copied: func(replication.CopyInfo) { // between two chunks
				chunk++
				for _, q := range []string{"UPDATE raced SET v = v + 1 WHERE id %% 7 = %d %% 7", "DELETE FROM raced WHERE id = %d", "INSERT INTO raced VALUES (500 - %d, 0)"} {
					if _, err := w.source.DB.Exec(fmt.Sprintf(q, chunk)); err != nil {
						t.Error(err)
					}
				}
			}}
		}, "raced")
		w.must(r.Install(t.Context()))
		w.must(r.Copy(t.Context()))
		if chunk < 10 {
			t.Errorf("the copy had %d chunks", chunk)
		}
		w.step(r)
		w.equal("raced")
	})
}

// 6: after a load that failed nothing was rolled back, and the next table
// committed the half.
func TestBookBug6_FailedLoadIsCommittedByTheNextTable(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, source, target vendor) {
		w := newWorld(t, source, target)
		for _, name := range []string{"snap1", "snap2", "snap3"} {
			w.exec(w.source, "CREATE TABLE "+name+" (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
			w.exec(w.source, "INSERT INTO "+name+" VALUES "+values(0, 20, "(%d, 1)"))
		}
		poison := errors.New("poison")
		bad := true
		cfg := replication.FlipConfig{Source: w.source, Target: w.target, Tables: []replication.Table{{Source: "snap1"}, {Source: "snap2"}, {Source: "snap3"}}}
		cfg.Tables[1].Map = func(r *replication.Row) (bool, error) {
			if bad && r.Text("id") == "10" && r.Text("v") == "2" {
				return false, poison
			}
			return true, nil
		}
		f, err := replication.NewFlipper(cfg)
		w.must(err)
		if _, err := f.Flip(t.Context()); err != nil {
			t.Fatal(err)
		}
		tables := []string{"snap1", "snap2", "snap3"}
		w.equal(tables...)
		w.tx("UPDATE snap1 SET v = 2", "UPDATE snap2 SET v = 2", "UPDATE snap3 SET v = 2")
		for range 2 {
			if res, err := f.Flip(t.Context()); !errors.Is(err, poison) || len(res.Flipped) != 0 {
				t.Fatalf("flipped %v, %v, want %v", res.Flipped, err, poison)
			}
			for _, name := range tables {
				var n int
				w.must(w.target.DB.QueryRow("SELECT count(*) FROM " + name + " WHERE v = 1").Scan(&n))
				if n != 20 {
					t.Errorf("%s has %d rows of the old generation after a load that failed, want 20", name, n)
				}
			}
		}
		bad = false
		if _, err := f.Flip(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.equal(tables...)
	})
}

// 7: transaction ids were used that come again, and what comes again was taken
// for processed. Here the numbers of a log that was made anew come again.
func TestBookBug7_NumbersThatRepeatAreTakenForProcessed(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, source, target vendor) {
		w := newWorld(t, source, target)
		w.exec(w.source, "CREATE TABLE again (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
		w.exec(w.source, "INSERT INTO again VALUES "+values(0, 10, "(%d, 0)"))
		r := w.started(nil, "again")
		for range 5 {
			w.exec(w.source, "UPDATE again SET v = v + 1")
			w.step(r)
		}
		w.must(r.Close())
		w.must(r.Uninstall(t.Context()))
		w.must(r.Install(t.Context()))
		for range 10 {
			w.exec(w.source, "UPDATE again SET v = v + 1")
			if n, err := r.Step(t.Context()); err == nil {
				t.Fatalf("applied %d of a log that was made anew, and no error", n)
			}
		}
		w.must(r.Copy(t.Context()))
		w.equal("again")
	})
}

// 8: TRUNCATE fires no row trigger.
func TestBookBug8_TruncateIsNotNoticed(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, source, target vendor) {
		w := newWorld(t, source, target)
		w.exec(w.source, "CREATE TABLE emptied (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
		w.exec(w.source, "INSERT INTO emptied VALUES "+values(0, 100, "(%d, 0)"))
		r := w.started(nil, "emptied")
		for i := range 2 {
			w.exec(w.source, "TRUNCATE TABLE emptied")
			w.exec(w.source, "INSERT INTO emptied VALUES "+values(50*i, 50*i+10, "(%d, 1)"))
			_, err := r.Step(t.Context())
			if errors.Is(err, replication.ErrDrift) { // noticed, and copied anew
				w.must(r.Install(t.Context()))
				err = r.Copy(t.Context())
			}
			w.must(err)
			w.equal("emptied")
		}
	})
}

// 9: the idle copy was truncated and the view replaced in the transaction that
// loaded: with a reader left on that copy the refresh waited, and all readers
// behind it.
func TestBookBug9_ReadersQueueBehindARefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mariadb, pg)
	w.exec(w.source, "CREATE TABLE flips (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
	w.exec(w.source, "INSERT INTO flips VALUES "+values(0, 20, "(%d, 0)"))
	f, err := replication.NewFlipper(replication.FlipConfig{Source: w.source, Target: w.target, Tables: []replication.Table{{Source: "flips"}}})
	w.must(err)
	flip := func(v int, within time.Duration) error {
		w.exec(w.source, fmt.Sprintf("UPDATE flips SET v = %d", v))
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := f.Flip(ctx)
		return err
	}
	w.must(flip(1, waitLong))
	old := w.begin(w.target) // a reader who has begun, and stays
	var n, v int
	w.must(old.QueryRow("SELECT count(*), max(v) FROM flips").Scan(&n, &v))
	stop := w.watch("SELECT count(*), count(DISTINCT v) FROM flips", func(n, kinds int) bool { return n == 20 && kinds == 1 })
	for i := 2; i < 4; i++ { // the second needs the copy that the reader is on
		t.Logf("flip %d: %v", i, flip(i, 3*time.Second))
	}
	if worst := stop(); worst > 3*time.Second {
		t.Errorf("a new reader waited for %v", worst)
	}
	// The old one still reads, from what it began with or from the new one.
	w.must(old.QueryRow("SELECT count(*), count(DISTINCT v) FROM flips").Scan(&n, &v))
	if n != 20 || v != 1 {
		t.Errorf("the old reader saw %d rows of %d generations", n, v)
	}
	w.must(old.Commit())
	w.must(flip(9, waitLong))
	w.equal("flips")
}
