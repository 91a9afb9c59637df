package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// soak is how long the writers run: a few seconds, or ASHLAR_SOAK.
func soak(t *testing.T) time.Duration {
	if v := os.Getenv("ASHLAR_SOAK"); v != "" {
		long, err := time.ParseDuration(v)
		if err != nil {
			t.Fatalf("ASHLAR_SOAK: %v", err)
		}
		return long
	}
	return 4 * time.Second
}

const accounts = 1500

// bank makes two tables whose sum of v is 0 in every snapshot.
func bank(t *testing.T, db *sql.DB) {
	run(t, db, "CREATE TABLE acc (id INT PRIMARY KEY, v INT NOT NULL, note VARCHAR(30))",
		"CREATE TABLE sub (a INT, b VARCHAR(8) COLLATE utf8mb4_general_ci, v INT NOT NULL, PRIMARY KEY (a, b))",
		fmt.Sprintf("INSERT INTO acc SELECT seq, 0, 'start' FROM seq_1_to_%d", accounts))
}

// writer changes both tables in transactions, some of which last for seconds and
// some of which are rolled back or killed.
func writer(ctx context.Context, db *sql.DB, seed uint64, commits *atomic.Int64) error {
	rnd := rand.New(rand.NewPCG(seed, 7))
	for ctx.Err() == nil {
		err := func() error {
			c, err := db.Conn(context.Background())
			if err != nil {
				return err
			}
			defer c.Close()
			exec := func(q string, args ...any) {
				if err == nil {
					_, err = c.ExecContext(context.Background(), q, args...)
				}
			}
			exec("SET innodb_lock_wait_timeout=1")
			exec("START TRANSACTION")
			for range 1 + rnd.IntN(4) {
				id, n := 1+rnd.IntN(accounts), rnd.IntN(100)
				key := string("aAbBcC"[rnd.IntN(6)])
				switch rnd.IntN(8) {
				case 0:
					exec("UPDATE acc SET v=v+? WHERE id=?", n, id)
					exec("INSERT INTO sub VALUES (?,?,?) ON DUPLICATE KEY UPDATE v=v+VALUES(v)", id, key, 0)
					exec("UPDATE acc SET v=v-? WHERE id=?", n, id)
				case 1: // moves keys
					exec("UPDATE sub SET b=? WHERE a=?", key, id)
				case 2: // bulk
					exec("UPDATE acc SET note=? WHERE id BETWEEN ? AND ?", fmt.Sprint(n), id, id+40)
				case 3:
					exec("DELETE FROM sub WHERE a=? AND v=0", id)
				case 4:
					exec("REPLACE INTO sub VALUES (?,?,0)", id, key)
				case 5:
					exec("UPDATE acc SET id=-id WHERE id=?", id)
					exec("UPDATE acc SET id=-id WHERE id=?", -id)
				case 6:
					exec("SAVEPOINT s")
					exec("DELETE FROM acc WHERE id=?", id)
					exec("ROLLBACK TO SAVEPOINT s")
				default:
					other := 1 + rnd.IntN(accounts)
					exec("UPDATE acc SET v=v+? WHERE id=?", n, id)
					exec("UPDATE acc SET v=v-? WHERE id=?", n, other)
				}
			}
			if err != nil {
				_, _ = c.ExecContext(context.Background(), "ROLLBACK")
				return nil // deadlocks and time-outs
			}
			if rnd.IntN(100) < 3 {
				time.Sleep(time.Duration(rnd.IntN(2500)) * time.Millisecond)
			}
			switch end := rnd.IntN(100); {
			case end < 10:
				exec("ROLLBACK")
			case end < 12:
				return c.Raw(func(any) error { return errors.New("cut") }) // closed by the deferred Close, rolled back
			default:
				exec("COMMIT")
				commits.Add(1)
			}
			_, _ = c.ExecContext(context.Background(), "ROLLBACK")
			return nil
		}()
		_ = err // a lost connection is one more fate of a transaction
	}
	return nil
}

func TestNoChangeIsLostAndEveryPollIsASnapshot(t *testing.T) {
	db := database(t)
	c := conn(t, db)
	bank(t, db)
	tables := []replication.SourceTable{source(t, c, "acc"), source(t, c, "sub")}
	install(t, c, tables...)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var commits atomic.Int64
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() { _ = writer(ctx, db, uint64(i), &commits) })
	}
	// Two nodes poll, each with a sequencer; a third one only follows now and
	// then; a fourth kills the sequencers' connections in the middle.
	var nodes sync.WaitGroup
	var polls, kills atomic.Int64
	var mu sync.Mutex
	ids := map[int64]bool{}
	fail := func(err error) {
		if err != nil && ctx.Err() == nil {
			stop()
			t.Error(err)
		}
	}
	var replicas [3]*replica
	for n := range replicas {
		replicas[n] = newReplica(tables...)
		if err := replicas[n].copy(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		nodes.Go(func() {
			for ctx.Err() == nil {
				nc, err := db.Conn(ctx)
				if err != nil {
					continue
				}
				var id int64
				if d.Prepare(ctx, nc) != nil || nc.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id) != nil {
					nc.Close()
					continue
				}
				mu.Lock()
				ids[id] = true
				mu.Unlock()
				for ctx.Err() == nil {
					before, sum := replicas[n].at, 0
					err := replicas[n].poll(context.Background(), nc, true)
					if err != nil {
						if d.Fault(err) != replication.Transient {
							fail(fmt.Errorf("node %d: %w", n, err))
						}
						break
					}
					polls.Add(1)
					if !d.Covers(replicas[n].at, before) && replicas[n].at != before {
						fail(fmt.Errorf("position went from %s to %s", before, replicas[n].at))
					}
					for _, v := range replicas[n].rows[0] {
						var id, n int
						if _, err := fmt.Sscanf(v, "\"%d\" \"%d\"", &id, &n); err != nil {
							fail(err)
						}
						sum += n
					}
					if sum != 0 {
						fail(fmt.Errorf("node %d: the sum is %d", n, sum))
					}
					if n == 2 {
						time.Sleep(500 * time.Millisecond)
					}
				}
				mu.Lock()
				delete(ids, id)
				mu.Unlock()
				nc.Close()
			}
		})
	}
	nodes.Go(func() {
		rnd := rand.New(rand.NewPCG(9, 9))
		for ctx.Err() == nil {
			time.Sleep(time.Duration(50+rnd.IntN(350)) * time.Millisecond)
			mu.Lock()
			for id := range ids {
				if _, err := db.Exec(fmt.Sprintf("KILL %d", id)); err == nil {
					kills.Add(1)
				}
				break
			}
			mu.Unlock()
		}
	})
	// A busy machine gets more time to prove something.
	for until, last := time.Now().Add(soak(t)), time.Now().Add(soak(t)+time.Minute); ctx.Err() == nil && (time.Now().Before(until) ||
		time.Now().Before(last) && (commits.Load() < 100 || polls.Load() < 20)); {
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	writers.Wait()
	nodes.Wait()
	if t.Failed() {
		return
	}
	for n, r := range replicas {
		r.pollUntil(t, c)
		r.pollUntil(t, c)
		want, err := r.snapshot(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := differ(r.rows, want); err != nil {
			t.Errorf("node %d at the end: %v", n, err)
		}
		if r.whole[0]+r.whole[1] != 0 {
			t.Errorf("node %d read tables whole %v times", n, r.whole)
		}
	}
	t.Logf("%d commits, %d polls equal to their snapshot, %d connections killed", commits.Load(), polls.Load(), kills.Load())
	if commits.Load() < 100 || polls.Load() < 20 {
		t.Error("too little happened to prove anything")
	}
}

// The trap: a DELETE that scans waits for the rows of open transactions.
func TestOpenTransactionsAndTheSequencerNeverWaitForEachOther(t *testing.T) {
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_20000")
	s := source(t, c, "t")
	install(t, c, s)
	r := newReplica(s)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	// phase writes and sequences for a while, and returns how long that took at
	// most and, for the sequencer, on average.
	phase := func(long time.Duration) (mean, sequence, write time.Duration) {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), long)
		defer stop()
		var wg sync.WaitGroup
		defer wg.Wait()
		writes := make(chan time.Duration, 1)
		wg.Go(func() {
			var slowest time.Duration
			defer func() { writes <- slowest }()
			w, err := db.Conn(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			defer w.Close()
			for id := 1000; ctx.Err() == nil; id++ {
				began := time.Now()
				if _, err := w.ExecContext(context.Background(), fmt.Sprintf("UPDATE t SET v=v+1 WHERE id=%d", 1000+id%15000)); err != nil {
					t.Error(err)
				}
				slowest = max(slowest, time.Since(began))
				time.Sleep(time.Millisecond)
			}
		})
		var total time.Duration
		n := time.Duration(0)
		for ctx.Err() == nil {
			began := time.Now()
			if err := d.Sequence(t.Context(), c, group, []replication.SourceTable{s}); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			total, n, sequence = total+took, n+1, max(sequence, took)
			time.Sleep(5 * time.Millisecond)
		}
		return total / n, sequence, <-writes
	}
	quiet, _, _ := phase(time.Second)
	// Open throughout: uncommitted log rows between all others, and a snapshot.
	var held []*sql.Conn
	for i := range 5 {
		h := plainConn(t, db)
		run(t, h, "START TRANSACTION WITH CONSISTENT SNAPSHOT", fmt.Sprintf("UPDATE t SET v=1 WHERE id BETWEEN %d AND %d", i*100+1, i*100+50))
		held = append(held, h)
	}
	mean, sequence, write := phase(5 * time.Second)
	t.Logf("sequencer: mean %v, without open transactions %v, slowest %v; slowest write %v", mean, quiet, sequence, write)
	// The machine may be busy; but whoever waits for these transactions waits for
	// innodb_lock_wait_timeout, 20 s and more.
	if sequence > 10*time.Second {
		t.Errorf("the sequencer waited %v", sequence)
	}
	if write > 10*time.Second {
		t.Errorf("a writer waited %v", write)
	}
	r.pollUntil(t, c)
	for _, h := range held {
		run(t, h, "COMMIT")
	}
	before := r.sent[0]
	r.pollUntil(t, c)
	if n := r.sent[0] - before; n != 250 {
		t.Errorf("%d keys came of the transactions that were open, want 250", n)
	}
	r.pollUntil(t, c)
}

// A sequencer that is stuck in its transaction stops neither the others nor the
// writers, and what it had done is undone with its connection.
func TestASequencerInTheMiddleStopsNobody(t *testing.T) {
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	s := source(t, c, "t")
	install(t, c, s)
	r := newReplica(s)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	run(t, db, "INSERT INTO t VALUES (1),(2)")
	stuck := plainConn(t, db)
	var log, key string
	if err := db.QueryRow("SELECT MAX(IF(TABLE_NAME LIKE 'ashlar\\_log%', TABLE_NAME, '')), MAX(IF(TABLE_NAME LIKE 'ashlar\\_key%', TABLE_NAME, '')) FROM information_schema.TABLES WHERE TABLE_SCHEMA=DATABASE()").Scan(&log, &key); err != nil {
		t.Fatal(err)
	}
	run(t, stuck, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION", "SELECT batch FROM ashlar_my_group FOR UPDATE", "INSERT INTO "+key+" SELECT ashlar_k1, 1 FROM "+log, "DELETE FROM "+log+" WHERE ashlar_id=1", "DELETE FROM "+log+" WHERE ashlar_id=2")
	began := time.Now()
	run(t, db, "INSERT INTO t VALUES (3)", "UPDATE t SET id=4 WHERE id=2")
	r.pollUntil(t, c)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(r.rows[0]) != 3 {
		t.Errorf("rows: %v", r.rows[0])
	}
	var id int64
	if err := stuck.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	run(t, db, fmt.Sprintf("KILL %d", id))
	for range 100 {
		at := r.at
		r.pollUntil(t, c)
		if r.at != at && d.Covers(r.at, at) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("nothing was put into order after the stuck sequencer was gone")
}

func TestADeadNodeCostsOneRowForEachKey(t *testing.T) {
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_100")
	s := source(t, c, "t")
	tables := []replication.SourceTable{s}
	install(t, c, s)
	dead, alive := newReplica(s), newReplica(s)
	for _, r := range []*replica{dead, alive} {
		if err := r.copy(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		run(t, db, "UPDATE t SET v=v+1")
	}
	alive.pollUntil(t, c)
	for range 20 {
		run(t, db, "UPDATE t SET v=v+1 WHERE id<=50")
	}
	rows, err := d.Trim(t.Context(), c, group, tables, []string{dead.at, alive.at})
	if err != nil || rows != 100 {
		t.Errorf("%d rows remain, want 100: %v", rows, err)
	}
	alive.pollUntil(t, c)
	sent := dead.sent[0]
	dead.pollUntil(t, c)
	if n := dead.sent[0] - sent; n != 100 {
		t.Errorf("the dead node got %d keys", n)
	}
	old := dead.at
	run(t, db, "UPDATE t SET v=v+1 WHERE id<=10")
	alive.pollUntil(t, c)
	if rows, err := d.Trim(t.Context(), c, group, tables, []string{alive.at, dead.at}); err != nil || rows != 10 {
		t.Errorf("%d rows remain, want 10: %v", rows, err)
	}
	if rows, err := d.Trim(t.Context(), c, group, tables, []string{alive.at}); err != nil || rows != 0 {
		t.Errorf("%d rows remain, want none: %v", rows, err)
	}
	now, err := d.Now(t.Context(), c, group)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Changed(t.Context(), c, group, tables, old, now); !errors.Is(err, replication.ErrNeedResync) {
		t.Errorf("a position that was trimmed away: %v", err)
	}
	alive.pollUntil(t, c)
	if _, err := d.Trim(t.Context(), c, group, tables, []string{"x"}); err == nil {
		t.Error("trimmed for a position that is none")
	}
}

func TestCoversIsCertain(t *testing.T) {
	for _, x := range []struct {
		a, b string
		want bool
	}{{"5", "5", true}, {"5+", "5", true}, {"5", "5+", false}, {"5+", "5+", false}, {"6", "5+", true}, {"6+", "5", true}, {"5", "6", false},
		{"10", "9", true}, {"9", "10", false}, {"", "1", false}, {"1", "x", false}} {
		if got := d.Covers(x.a, x.b); got != x.want {
			t.Errorf("Covers(%s, %s) = %v", x.a, x.b, got)
		}
	}
}
