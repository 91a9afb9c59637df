package replication_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// bank is money in two tables: however it moves, the sum stays what it was.
const (
	accounts = 40
	riches   = accounts * 100
)

func (w *world) makeBank() {
	w.t.Helper()
	for _, name := range []string{"bank1", "bank2"} {
		w.exec(w.source, "CREATE TABLE "+name+" (id INTEGER PRIMARY KEY, money INTEGER NOT NULL)")
	}
	w.exec(w.source, "INSERT INTO bank1 VALUES "+values(0, accounts, "(%d, 100)"))
	w.exec(w.source, "INSERT INTO bank2 VALUES "+values(0, accounts, "(%d, 0)"))
}

// writers change the bank until stop: eight at a time, with transactions that
// overlap, some of them open for a second or two, some rolled back, savepoints,
// and statements over many rows. Errors are of no interest: a transaction that
// fails has not happened, or happened whole.
func (w *world) writers() (commits *atomic.Int64, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	commits = new(atomic.Int64)
	for i := range 8 {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
		done.Go(func() {
			for ctx.Err() == nil {
				if w.transfer(rnd, i) == nil {
					commits.Add(1)
				}
				time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
			}
		})
	}
	return commits, func() { cancel(); done.Wait() }
}

// transfer is one transaction of writer i. Locks are taken in one order, most
// of the time.
func (w *world) transfer(rnd *rand.Rand, i int) error {
	a, b := "bank1", "bank2"
	if rnd.IntN(2) == 0 {
		a, b = b, a
	}
	tx, err := w.source.DB.BeginTx(context.Background(), nil)
	if err != nil {
		time.Sleep(50 * time.Millisecond) // the server is down
		return err
	}
	defer func() { _ = tx.Rollback() }()
	do := func(query string, args ...any) {
		if err == nil {
			_, err = tx.Exec(fmt.Sprintf(query, args...))
		}
	}
	switch kind := rnd.IntN(40); {
	case kind == 0: // over all rows
		do("UPDATE %s SET money = money - 1 WHERE id < %d", a, accounts)
		do("UPDATE %s SET money = money + 1 WHERE id < %d", b, accounts)
	case kind == 1: // open for long, with rows of its own, which nobody waits for
		do("INSERT INTO %s VALUES (%d, -5)", a, 1000+i)
		time.Sleep(time.Second + time.Duration(rnd.IntN(1000))*time.Millisecond)
		do("INSERT INTO %s VALUES (%d, 5)", b, 1000+i)
	case kind < 6: // and their end: both rows or none
		for _, t := range []string{"bank1", "bank2"} {
			do("DELETE FROM %s WHERE id = %d", t, 1000+i)
		}
	case kind < 12: // a savepoint's part never was
		do("UPDATE %s SET money = money - 3 WHERE id = %d", a, rnd.IntN(accounts))
		do("SAVEPOINT s")
		do("UPDATE %s SET money = money + 1000 WHERE id = %d", a, rnd.IntN(accounts))
		do("INSERT INTO %s VALUES (%d, 17)", b, 2000+i)
		do("ROLLBACK TO SAVEPOINT s")
		do("UPDATE %s SET money = money + 3 WHERE id = %d", b, rnd.IntN(accounts))
	default:
		do("UPDATE %s SET money = money - 1 WHERE id = %d", a, rnd.IntN(accounts))
		do("UPDATE %s SET money = money + 1 WHERE id = %d", b, rnd.IntN(accounts))
		if kind < 16 {
			return tx.Rollback()
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// auditor reads the replica all the time; the sum is never another one.
func (w *world) auditor() (reads *atomic.Int64, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	reads = new(atomic.Int64)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			var sum int64
			err := w.target.DB.QueryRow("SELECT SUM(money) FROM (SELECT money FROM bank1 UNION ALL SELECT money FROM bank2) q").Scan(&sum)
			if err != nil { // the server is down
				time.Sleep(20 * time.Millisecond)
				continue
			}
			if reads.Add(1); sum != riches {
				w.t.Errorf("the replica has %d in both tables, want %d: it is no snapshot of the master", sum, riches)
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
	}()
	return reads, func() { cancel(); <-done }
}

func testReplicatorIsKilled(t *testing.T, source, target vendor) {
	w := newWorld(t, source, target)
	rnd := seeded(t)
	w.makeBank()
	_ = w.started(nil, "bank1", "bank2").Close()
	commits, stop := w.writers()
	reads, audit := w.auditor()
	t.Cleanup(func() { stop(); audit() })
	kills, idle := 0, 0
	enough := func() bool { return kills-idle >= 2 && reads.Load() >= 20 && commits.Load() >= 50 }
	for began := time.Now(); time.Since(began) < soak(4*time.Second) || !enough(); kills++ {
		if time.Since(began) > soak(4*time.Second)+time.Minute {
			t.Fatalf("%d commits, %d kills, %d before the first batch, %d reads: too few to prove anything", commits.Load(), kills, idle, reads.Load())
		}
		p := w.child("run", "n1", "bank1", "bank2")
		select {
		case _, ok := <-p.lines: // its first batch
			if !ok {
				t.Fatalf("the replicator ended by itself: %s", p.message)
			}
			time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond)
		case <-time.After(time.Duration(100+rnd.IntN(4000)) * time.Millisecond): // or before it
			idle++
		}
		p.kill()
	}
	stop()
	r := w.node(nil, "bank1", "bank2")
	w.step(r)
	w.equal("bank1", "bank2")
	audit()
	t.Logf("%d commits; killed %d times, %d of them before the first batch; %d reads of the replica", commits.Load(), kills, idle, reads.Load())
	for _, d := range w.verify(r) {
		t.Error(d)
	}
}

func TestReplicatorKilledAnywhereLosesNothing(t *testing.T) {
	t.Parallel()
	t.Run("PostgresToMariaDB", func(t *testing.T) { t.Parallel(); testReplicatorIsKilled(t, pg, mariadb) })
	t.Run("MariaDBToPostgres", func(t *testing.T) { t.Parallel(); testReplicatorIsKilled(t, mariadb, pg) })
}

func testServersAreKilled(t *testing.T, source, target vendor) {
	master, replica := source.start(t), target.start(t)
	w := worldOf(t, source, target, master.URL, replica.URL)
	rnd := seeded(t)
	w.makeBank()
	var retries atomic.Int64
	r := w.started(func(c *replication.Config) {
		c.Trace = &replication.Trace{Retry: func(error, time.Duration) { retries.Add(1) }}
	}, "bank1", "bank2")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	commits, stop := w.writers()
	reads, audit := w.auditor()
	t.Cleanup(func() { cancel(); stop(); audit() })
	kills := int64(0)
	for end := time.Now().Add(soak(3 * time.Second)); time.Now().Before(end) || kills < 2; kills++ {
		time.Sleep(time.Duration(200+rnd.IntN(400)) * time.Millisecond)
		s := master
		if kills%2 == 1 {
			s = replica
		}
		s.Kill()
		time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
		s.Restart()
	}
	stop()
	applied := r.Stats().Batches
	w.within(40*time.Second, "Run works again by itself", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("Run ended: %v", err)
		default:
		}
		a, err1 := dump(w.source, "bank1")
		b, err2 := dump(w.target, "bank1")
		return err1 == nil && err2 == nil && difference(a, b) == ""
	})
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
	w.step(r)
	w.equal("bank1", "bank2")
	audit()
	t.Logf("%d kills, %d retries, %d batches, %d commits, %d reads", kills, retries.Load(), applied, commits.Load(), reads.Load())
	if retries.Load() == 0 {
		t.Error("Run never tried again")
	}
}

func TestRunOutlivesKilledServers(t *testing.T) {
	t.Parallel()
	t.Run("PostgresToMariaDB", func(t *testing.T) { t.Parallel(); testServersAreKilled(t, pg, mariadb) })
	if soaking() {
		t.Run("MariaDBToPostgres", func(t *testing.T) { t.Parallel(); testServersAreKilled(t, mariadb, pg) })
		t.Run("PostgresToPostgres", func(t *testing.T) { t.Parallel(); testServersAreKilled(t, pg, pg) })
	}
}
