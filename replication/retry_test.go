package replication_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/replication"
)

// soon is how long after the end of its context a call may take.
const soon = time.Second

// ends runs call with a context that ends after a moment, while peers hang, and
// checks that it ends then.
func ends(t *testing.T, what string, call func(ctx context.Context) error) {
	t.Helper()
	const moment = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), moment)
	defer cancel()
	began := time.Now()
	err := call(ctx)
	if took := time.Since(began); took > moment+soon {
		t.Errorf("%s: took %v after the end of its context, want at most %v", what, (took - moment).Round(time.Millisecond), soon)
	}
	if err == nil {
		t.Errorf("%s: no error", what)
	}
}

// testPeerHangs lets the master, the replica or both fall silent, before a step
// and within one.
func testPeerHangs(t *testing.T, source, target vendor) {
	c := newCutter(t, source, target)
	tables := []string{"seats", "notes"}
	var during atomic.Pointer[func()] // called for a row on its way
	hook := func(*replication.Row) (bool, error) {
		if f := during.Swap(nil); f != nil {
			(*f)()
		}
		return true, nil
	}
	c.must(c.node(c.through, tables...).Install(t.Context()))
	r := c.node(func(cfg *replication.Config) {
		c.through(cfg)
		for i := range cfg.Tables {
			cfg.Tables[i].Map = hook
		}
	}, tables...)
	c.must(r.Copy(t.Context()))
	for _, side := range []struct {
		name    string
		proxies []*testnet.Proxy
	}{{"the master", []*testnet.Proxy{c.master}}, {"the replica", []*testnet.Proxy{c.mine}}, {"both", []*testnet.Proxy{c.master, c.mine}}} {
		pause := func() {
			for _, p := range side.proxies {
				p.Pause()
			}
		}
		resume := func() {
			for _, p := range side.proxies {
				p.Resume()
			}
		}
		follows := func() {
			t.Helper()
			resume()
			c.step(r)
			c.equal(tables...)
		}
		step := func(ctx context.Context) error { _, err := r.Step(ctx); return err }

		c.change()
		pause()
		ends(t, side.name+" hangs before a step", step)
		follows()

		_ = r.Close()
		c.change()
		pause()
		ends(t, side.name+" hangs, and there is no connection", step)
		follows()

		c.change()
		during.Store(&pause)
		ends(t, side.name+" hangs within a step", step)
		follows()

		c.change()
		during.Store(&pause)
		ends(t, side.name+" hangs within Run", r.Run)
		follows()

		pause()
		began := time.Now()
		_ = r.Close()
		if took := time.Since(began); took > 2*soon { // it tries for a second to tell the master
			t.Errorf("%s hangs: Close took %v", side.name, took.Round(time.Millisecond))
		}
		ends(t, side.name+" hangs: Status", func(ctx context.Context) error { _, err := r.Status(ctx); return err })
		ends(t, side.name+" hangs: Copy", r.Copy)
		follows()
	}
}

func TestHangingPeersDoNotHoldACallThatHasEnded(t *testing.T) {
	t.Parallel()
	t.Run("PostgresToMariaDB", func(t *testing.T) { t.Parallel(); testPeerHangs(t, pg, mariadb) })
	t.Run("MariaDBToPostgres", func(t *testing.T) { t.Parallel(); testPeerHangs(t, mariadb, pg) })
}

// TestSlowNetworkOnlySlowsDown has every packet late.
func TestSlowNetworkOnlySlowsDown(t *testing.T) {
	t.Parallel()
	c := newCutter(t, pg, mariadb)
	r := c.started(c.through, "seats", "notes")
	for _, p := range []*testnet.Proxy{c.master, c.mine} {
		p.Delay(5 * time.Millisecond)
	}
	c.change()
	if n := c.step(r); n != changed {
		t.Errorf("applied %d, want %d", n, changed)
	}
	c.equal("seats", "notes")
}

// killLock ends the connection that holds the node's lock on the replica, and
// no other, as the server does when it thinks that the client has gone.
func (w *world) killLock() {
	w.t.Helper()
	if w.tv.name == pg.name {
		n := w.exec(w.target, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
		if n != 1 {
			w.t.Fatalf("%d connections hold the lock of the node, want 1", n)
		}
		return
	}
	var id sql.NullInt64
	w.must(w.target.DB.QueryRow("SELECT IS_USED_LOCK(CONCAT('ashlar.', LEFT(SHA2(CONCAT(DATABASE(), '/ashlar/node/ashlar/n1'), 256), 40)))").Scan(&id))
	if !id.Valid {
		w.t.Fatal("nobody holds the lock of the node")
	}
	w.exec(w.target, fmt.Sprintf("KILL %d", id.Int64))
}

// waiting is how many transactions of the replica wait for another one's lock.
func (w *world) waiting() (n int) {
	w.t.Helper()
	if w.tv.name == mariadb.name {
		time.Sleep(150 * time.Millisecond) // looked at more often, the view does not change
	}
	query := "SELECT count(*) FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id" +
		" WHERE x.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
	if w.tv.name == pg.name {
		query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
	}
	w.must(w.target.DB.QueryRow(query).Scan(&n))
	return n
}

// testTwoWhenTheLockIsLost cuts the holder of the lock off, before or after it
// has moved the position in a transaction that is open, takes the lock from it,
// and starts another replicator. At most one applies.
func testTwoWhenTheLockIsLost(t *testing.T, target vendor, within bool) {
	c := newCutter(t, pg, target)
	tables := []string{"seats", "notes"}
	c.must(c.node(nil, tables...).Install(t.Context()))
	cutOff := make(chan bool, 1)
	var armed atomic.Bool
	hook := func(*replication.Row) (bool, error) {
		if armed.CompareAndSwap(true, false) {
			c.mine.Pause()
			cutOff <- true
		}
		return true, nil
	}
	first := c.node(func(cfg *replication.Config) {
		c.through(cfg)
		for i := range cfg.Tables {
			cfg.Tables[i].Map = hook
		}
	}, tables...)
	c.must(first.Copy(t.Context()))
	second := c.node(func(cfg *replication.Config) {
		for i := range cfg.Tables { // as the first has it
			cfg.Tables[i].Map = func(*replication.Row) (bool, error) { return true, nil }
		}
	}, tables...)
	c.change()
	at := c.position("n1")
	if armed.Store(within); !within {
		c.mine.Pause()
		cutOff <- true
	}
	type result struct {
		rows int64
		err  error
	}
	results := make(chan result, 1)
	go func() {
		n, err := first.Step(t.Context())
		results <- result{n, err}
	}()
	<-cutOff
	// As long as the server knows of the first, nobody else works.
	if _, err := second.Step(t.Context()); !errors.Is(err, replication.ErrLocked) {
		t.Fatalf("beside the holder of the lock: %v, want %v", err, replication.ErrLocked)
	}
	c.killLock()
	seconds := make(chan result, 1)
	go func() {
		n, err := second.Step(t.Context())
		seconds <- result{n, err}
	}()
	var two result
	if within { // the second waits for the transaction of the first
		c.within(waitLong, "the second waits", func() bool {
			select {
			case two = <-seconds:
				t.Fatalf("the second applied %d, %v beside an open transaction that has moved the position", two.rows, two.err)
			default:
			}
			return c.waiting() > 0
		})
		c.mine.Resume()
		two = <-seconds
	} else {
		two = <-seconds
		c.mine.Resume()
	}
	one := <-results
	t.Logf("first: %d, %v; second: %d, %v", one.rows, one.err, two.rows, two.err)
	switch {
	case within && (one.rows != changed || one.err != nil || !errors.Is(two.err, replication.ErrLocked)):
		t.Errorf("want %d of the first, and %v of the second", changed, replication.ErrLocked)
	case !within && (two.rows != changed || two.err != nil || !errors.Is(one.err, replication.ErrLocked)):
		t.Errorf("want %d of the second, and %v of the first", changed, replication.ErrLocked)
	}
	c.equal(tables...)
	if c.position("n1") == at {
		t.Error("the position has not moved")
	}
	// Whoever lost the lock may go on until the other one has moved the position;
	// then only one is left, and whatever happens is applied once.
	locked := 0
	for range 3 {
		for _, r := range []*replication.Replicator{first, second} {
			c.change()
			n, err := r.Step(t.Context())
			switch {
			case errors.Is(err, replication.ErrLocked):
				locked++
			case err != nil || n == 0:
				t.Fatalf("afterwards: applied %d, %v", n, err)
			default:
				c.equal(tables...)
			}
		}
	}
	if locked < 2 {
		t.Errorf("two replicators of one node go on side by side: %d of 6 steps were refused", locked)
	}
}

func TestTwoReplicatorsAfterAPartition(t *testing.T) {
	t.Parallel()
	for _, target := range []vendor{pg, mariadb} {
		t.Run(target.name+"Idle", func(t *testing.T) { t.Parallel(); testTwoWhenTheLockIsLost(t, target, false) })
		t.Run(target.name+"Within", func(t *testing.T) { t.Parallel(); testTwoWhenTheLockIsLost(t, target, true) })
	}
}
