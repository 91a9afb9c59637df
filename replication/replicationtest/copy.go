package replicationtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

func testCopyIntoRowsThatAreThere(t *testing.T, p Pair) {
	l := newLab(t, p)
	for _, end := range []replication.End{l.source, l.target} {
		l.table(end, "there", 1, integer("id"), integer("seat"), text("v", 50))
		l.unique(end, "there", "seat")
	}
	l.tx(func(exec func(string, ...any)) {
		for i := range 100 {
			exec("INSERT INTO there VALUES (?, ?, ?)", i, i, fmt.Sprint("right ", i))
		}
	})
	for i := range 20 { // wrong rows, rows too many, unique values in the way
		l.exec(l.target, "INSERT INTO there VALUES (?, ?, 'wrong')", i, 100+i)
		l.exec(l.target, "INSERT INTO there VALUES (?, ?, 'extra')", 1000+i, 50+i)
	}
	r := l.started(func(c *replication.Config) { c.ChunkRows = 7 }, "there")
	l.equal("there")
	l.exec(l.source, "DELETE FROM there WHERE id = 5")
	l.step(r)
	l.equal("there")
	l.verified(r)
}

func testCopyIsResumed(t *testing.T, p Pair) {
	l := newLab(t, p)
	l.table(l.source, "big", 1, integer("id"), text("v", 50))
	l.table(l.source, "small", 1, integer("id"))
	const rows = 2000
	l.tx(func(exec func(string, ...any)) {
		for i := range rows {
			exec("INSERT INTO big VALUES (?, ?)", i, fmt.Sprint(i))
		}
		exec("INSERT INTO small VALUES (1)")
	})
	first := l.replicator(nil, "big", "small")
	if err := first.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The copy ends again and again, each time after some chunks; the master
	// changes rows that were copied, and rows that were not, in between.
	var chunks, restarts int
	var began atomic.Int64 // Start of the table that was resumed
	for done := false; !done; restarts++ {
		if restarts > 20 {
			t.Fatal("the copy does not come to an end")
		}
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		r := l.replicator(func(c *replication.Config) {
			c.ChunkRows, c.CopyWorkers = 100, 1
			c.Trace = &replication.Trace{Copied: func(i replication.CopyInfo) {
				if i.Table == "big" || i.Done {
					began.Store(max(began.Load(), i.Start))
				}
				if seen++; seen == 3 {
					cancel()
				}
			}}
		}, "big", "small")
		err := r.Copy(ctx)
		chunks += seen
		done = err == nil
		if !done && ctx.Err() == nil {
			t.Fatal(err)
		}
		cancel()
		_ = r.Close()
		at := restarts * 100
		l.exec(l.source, "UPDATE big SET v = 'changed' WHERE id = ?", at)
		l.exec(l.source, "DELETE FROM big WHERE id = ?", at+1)
		l.exec(l.source, "UPDATE big SET v = 'changed' WHERE id = ?", rows-1-at)
		l.exec(l.source, "INSERT INTO big VALUES (?, 'new')", rows+at)
	}
	if began.Load() == 0 || restarts < 3 {
		t.Errorf("%d runs, the last began at row %d: nothing was resumed", restarts, began.Load())
	}
	if chunks > 40 {
		t.Errorf("%d chunks for %d rows: chunks were copied again", chunks, rows)
	}
	r := l.replicator(nil, "big", "small")
	l.step(r)
	l.equal("big", "small")
	l.verified(r)
}

func testCopyWhileRowsChange(t *testing.T, p Pair) {
	l := newLab(t, p)
	for _, end := range []replication.End{l.source, l.target} {
		l.table(end, "moving", 1, integer("id"), integer("seat"), text("v", 50))
		l.unique(end, "moving", "seat")
	}
	const rows = 1000
	l.tx(func(exec func(string, ...any)) {
		for i := range rows {
			exec("INSERT INTO moving VALUES (?, ?, 'x')", i, i)
		}
	})
	r := l.replicator(func(c *replication.Config) { c.ChunkRows = 20 }, "moving")
	if err := r.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		var err error
		for n := 0; ctx.Err() == nil && err == nil; n++ {
			// Unique values move from late rows to early ones and back, rows come
			// and go, and keys change.
			a, b := n*31%rows, rows-1-n*17%rows
			err = inTx(t.Context(), l.source, func(exec func(string, ...any)) {
				exec("UPDATE moving SET seat = -1 WHERE id = ?", a)
				exec("UPDATE moving SET seat = ? WHERE id = ?", rows+n, b)
				exec("DELETE FROM moving WHERE id = ?", n*7%rows)
				exec("UPDATE moving SET id = ? WHERE id = ?", rows+n, n*11%rows)
				exec("UPDATE moving SET seat = ? WHERE seat = -1", 2*rows+n)
			})
		}
		done <- err
	}()
	err := r.Copy(t.Context())
	for range 5 { // as Run does: where writers do not queue, one that never rests keeps us out
		if err == nil || l.source.Dialect.Fault(err) != replication.Transient {
			break
		}
		t.Log("copying again:", err)
		err = r.Copy(t.Context())
	}
	cancel()
	if werr := <-done; werr != nil {
		t.Fatal(werr)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.step(r)
	l.equal("moving")
	l.verified(r)
}

func testNodeGivenUpHealsItself(t *testing.T, p Pair) {
	l := newLab(t, p)
	l.table(l.source, "late", 1, integer("id"), text("v", 50))
	for i := range 50 {
		l.exec(l.source, "INSERT INTO late VALUES (?, 'a')", i)
	}
	r := l.started(nil, "late")
	l.exec(l.target, "INSERT INTO late VALUES (900, 'in the way')")
	l.exec(l.source, "UPDATE late SET v = 'lost from the log' WHERE id = 1")
	l.exec(l.source, "DELETE FROM late WHERE id = 2")
	if err := r.DropNode(t.Context(), "nobody"); err == nil {
		t.Error("dropping a node that is not there: no error")
	}
	if err := r.DropNode(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	if rows, err := r.Trim(t.Context()); err != nil || rows != 0 {
		t.Fatalf("trimmed to %d rows, %v, want 0", rows, err)
	}
	if _, err := r.Step(t.Context()); !errors.Is(err, replication.ErrNeedResync) {
		t.Fatalf("step of a node that was dropped: %v, want ErrNeedResync", err)
	}
	_ = r.Close()
	strict := l.replicator(func(c *replication.Config) { c.NoResync = true }, "late")
	if err := strict.Run(t.Context()); !errors.Is(err, replication.ErrNeedResync) {
		t.Fatalf("Run with NoResync: %v, want ErrNeedResync", err)
	}
	stop := l.run(l.replicator(nil, "late"))
	l.until("the replica is copied anew", func() bool {
		rows, err := readRows(t.Context(), l.target, "late")
		return err == nil && len(rows) == 49
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l.equal("late")
}

func testDeadNodeCostsARowPerKey(t *testing.T, p Pair) {
	l := newLab(t, p)
	l.table(l.source, "hot", 1, integer("id"), integer("n"))
	const keys, rounds = 50, 20
	for i := range keys {
		l.exec(l.source, "INSERT INTO hot VALUES (?, 0)", i)
	}
	dead := l.started(nil, "hot")
	_ = dead.Close()
	other := l.pair.Target(t)
	evicted := make(chan string, 1)
	live, err := replication.New(replication.Config{Node: "live", Source: l.source, Target: other,
		Tables: []replication.Table{{Source: "hot"}}, Trace: &replication.Trace{Evicted: func(n string) { evicted <- n }}})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if err := live.Copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range rounds {
		l.exec(l.source, "UPDATE hot SET n = n + 1")
		l.step(live)
	}
	// Closing tells the master the position.
	_ = live.Close()
	rows, err := live.Trim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if rows > keys {
		t.Errorf("%d rows are kept for a node that missed %d changes of %d keys", rows, rounds*keys, keys)
	}
	same(t, "hot", l.rows(l.source, "hot"), l.rows(other, "hot"))
	back := l.replicator(nil, "hot")
	if n := l.step(back); n != keys {
		t.Errorf("the node that came back applied %d, want %d", n, keys)
	}
	l.equal("hot")
	_ = back.Close()

	// A rule on the log's size gives up who is furthest behind.
	l.exec(l.source, "UPDATE hot SET n = n + 1")
	l.step(live)
	_ = live.Close()
	small, err := replication.New(replication.Config{Node: "live", Source: l.source, Target: other, Retention: replication.Retention{MaxRows: keys / 2},
		Tables: []replication.Table{{Source: "hot"}}, Trace: &replication.Trace{Evicted: func(n string) { evicted <- n }}})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := small.Trim(t.Context()); err != nil || rows > keys/2 {
		t.Fatalf("trimmed to %d rows, %v, want at most %d", rows, err, keys/2)
	}
	select {
	case n := <-evicted:
		if n != "n1" {
			t.Errorf("gave up node %s, want n1", n)
		}
	default:
		t.Error("gave up nobody")
	}
	// And one on age.
	young, err := replication.New(replication.Config{Node: "live", Source: l.source, Target: other, Retention: replication.Retention{MaxAge: time.Nanosecond},
		Tables: []replication.Table{{Source: "hot"}}, Trace: &replication.Trace{Evicted: func(n string) { evicted <- n }}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := young.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := <-evicted; n != "live" {
		t.Errorf("gave up node %s, want live", n)
	}
}
