package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// Eight writers with transactions that overlap, some of them open for seconds,
// rolled back wholly or to savepoints, or writing in bulk; Trim at the same
// time; one node that polls all the time, and one that is away for most of it.
// At every poll the node is the master's snapshot. ASHLAR_SOAK=10m makes it
// longer.
func TestNothingIsLostUnderConcurrentWritersAndTrim(t *testing.T) {
	length := 4 * time.Second
	if s := os.Getenv("ASHLAR_SOAK"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t)
	c := session(t, db)
	do(t, c, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 20', current_database()); END $$",
		"CREATE TABLE a (id int PRIMARY KEY, v int)", "CREATE TABLE b (k text, n int, v int, PRIMARY KEY (n, k))",
		"CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY HASH (id)", "CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
		"CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1)")
	a, b, p := table(t, c, "a", "a"), table(t, c, "b", "b"), table(t, c, "p", "p")
	install(t, c, a, b, p)
	live, away := follow(t, c, a, b, p), follow(t, session(t, db), a, b, p)

	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { write(t, ctx, db, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	var mu sync.Mutex
	needed := []string{away.at, live.at}
	trims := 0
	wg.Go(func() {
		tc, err := db.Conn(ctx)
		if err == nil {
			defer tc.Close()
			err = d.Prepare(ctx, tc)
		}
		for ; err == nil && ctx.Err() == nil; trims++ {
			mu.Lock()
			positions := append([]string{}, needed...)
			mu.Unlock()
			// The nodes may be further already.
			_, err = d.Trim(ctx, tc, group, live.tables, positions)
			if d.Fault(err) == replication.Transient {
				err = nil
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil && ctx.Err() == nil {
			t.Error("trim:", err)
		}
	})
	polls, keys, again := 0, 0, 0
	for ctx.Err() == nil && !t.Failed() {
		if err := live.step(t.Context()); d.Fault(err) == replication.Transient {
			again++
			continue
		} else if err != nil {
			t.Error(err)
			break
		}
		polls++
		keys += live.keys
		if polls%3 == 0 {
			mu.Lock()
			needed[1] = live.at
			mu.Unlock()
		}
		if polls%60 == 0 {
			if err := away.step(t.Context()); err != nil && d.Fault(err) != replication.Transient {
				t.Error(err)
				break
			}
			mu.Lock()
			needed[0] = away.at
			mu.Unlock()
		}
	}
	stop()
	wg.Wait()
	if t.Failed() {
		return
	}
	live.poll(t)
	away.poll(t)
	if left, err := d.Trim(t.Context(), c, group, live.tables, []string{live.at, away.at}); err != nil || left != 0 {
		t.Errorf("%d rows remain in the logs: %v", left, err)
	}
	t.Logf("%d polls (%d again), %d keys, %d trims, %d+%d+%d rows", polls, again, keys, trims, len(live.rows[0]), len(live.rows[1]), len(live.rows[2]))
}

// write runs transactions until ctx ends.
func write(t *testing.T, ctx context.Context, db *sql.DB, r *rand.Rand) {
	for ctx.Err() == nil {
		opts := &sql.TxOptions{}
		if r.IntN(3) == 0 {
			opts.Isolation = sql.LevelRepeatableRead
		}
		tx, err := db.BeginTx(ctx, opts)
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		long := r.IntN(40) == 0 // with few locks, for the others not to wait
		for n := 1 + r.IntN(4); n > 0 && err == nil; n-- {
			if long {
				_, err = tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO a VALUES (%d, 0) ON CONFLICT (id) DO UPDATE SET v = 0", r.IntN(2000)))
				continue
			}
			if r.IntN(10) == 0 {
				_, err = tx.ExecContext(ctx, "SAVEPOINT s")
				if err == nil {
					_, err = tx.ExecContext(ctx, change(r))
				}
				if err == nil {
					_, err = tx.ExecContext(ctx, "ROLLBACK TO s")
				}
				continue
			}
			_, err = tx.ExecContext(ctx, change(r))
		}
		if long {
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(500+r.IntN(2000)) * time.Millisecond):
			}
		}
		if err != nil || r.IntN(10) == 0 { // deadlocks, serialization and duplicates are usual
			_ = tx.Rollback()
		} else {
			_ = tx.Commit()
		}
	}
}

func change(r *rand.Rand) string {
	id, to := r.IntN(2000), r.IntN(2000)
	switch r.IntN(16) {
	case 0:
		return fmt.Sprintf("UPDATE a SET id = %d WHERE id = %d", to, id)
	case 1:
		return fmt.Sprintf("DELETE FROM a WHERE id = %d", id)
	case 2:
		return fmt.Sprintf("UPDATE b SET k = k || '!', v = %d WHERE n = %d AND length(k) < 5", to, id)
	case 3:
		return fmt.Sprintf("DELETE FROM b WHERE n = %d", id)
	case 4:
		return fmt.Sprintf("INSERT INTO a SELECT i, %d FROM generate_series(%d, %d) i ON CONFLICT (id) DO UPDATE SET v = excluded.v", to, id, id+60)
	case 5:
		return fmt.Sprintf("UPDATE b SET v = v + 1 WHERE n BETWEEN %d AND %d", id, id+40)
	case 6:
		return fmt.Sprintf("DELETE FROM a WHERE id BETWEEN %d AND %d", id, id+20)
	case 7:
		return fmt.Sprintf("UPDATE p SET id = %d WHERE id = %d", to, id)
	case 8:
		return fmt.Sprintf("DELETE FROM p%d WHERE id = %d", r.IntN(2), id)
	case 9:
		if r.IntN(100) == 0 {
			return []string{"TRUNCATE a", "TRUNCATE p1", "TRUNCATE b"}[r.IntN(3)]
		}
		return fmt.Sprintf("UPDATE p SET v = v + 1 WHERE id BETWEEN %d AND %d", id, id+10)
	case 10, 11:
		return fmt.Sprintf("INSERT INTO p VALUES (%d, %d) ON CONFLICT (id) DO UPDATE SET v = excluded.v", id, to)
	case 12, 13:
		return fmt.Sprintf("INSERT INTO b VALUES ('k%d', %d, %d) ON CONFLICT (n, k) DO UPDATE SET v = excluded.v", to%3, id, to)
	}
	return fmt.Sprintf("INSERT INTO a VALUES (%d, %d) ON CONFLICT (id) DO UPDATE SET v = a.v + 1", id, to)
}
