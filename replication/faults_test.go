package replication_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/replication"
)

// cutter is a world whose replicator reaches both sides through proxies.
type cutter struct {
	*world
	far          struct{ source, target replication.End }
	master, mine *testnet.Proxy
	round        int
}

func newCutter(t *testing.T, source, target vendor) *cutter {
	t.Helper()
	c := &cutter{world: newWorld(t, source, target)}
	c.far.source, c.master = source.via(t, c.sourceURL)
	c.far.target, c.mine = target.via(t, c.targetURL)
	for _, end := range []replication.End{c.source, c.target} {
		c.exec(end, "CREATE TABLE seats (id INTEGER PRIMARY KEY, seat INTEGER NOT NULL UNIQUE, who VARCHAR(40))")
		c.exec(end, "CREATE TABLE notes (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
	}
	c.exec(c.source, "INSERT INTO seats VALUES "+values(0, 40, "(%d, %d, 'x')"))
	c.exec(c.source, "INSERT INTO seats VALUES (1000, 1000, 'new')")
	c.exec(c.source, "INSERT INTO notes VALUES "+values(0, 40, "(%d, 0)"))
	return c
}

func (c *cutter) through(cfg *replication.Config) {
	cfg.Source, cfg.Target = c.far.source, c.far.target
	cfg.ChunkRows = 15
}

// changed is how many keys change writes.
const changed = 8

// change lets unique values move, and rows come, change and go, in two tables.
func (c *cutter) change() {
	c.t.Helper()
	c.round++
	c.tx("UPDATE seats SET seat = -1 WHERE id = 1",
		fmt.Sprintf("UPDATE seats SET seat = %d WHERE id = 2", 1+c.round%2),
		fmt.Sprintf("UPDATE seats SET seat = %d WHERE id = 1", 2-c.round%2),
		fmt.Sprintf("DELETE FROM seats WHERE id = %d", 999+c.round),
		fmt.Sprintf("INSERT INTO seats VALUES (%d, %d, 'new')", 1000+c.round, 1000+c.round),
		"UPDATE notes SET n = n + 1 WHERE id < 3",
		fmt.Sprintf("UPDATE notes SET n = n + 1 WHERE id = %d", 3+c.round%30))
}

// settled waits until no connection is on its way any more.
func (c *cutter) settled() {
	c.t.Helper()
	c.within(20*time.Second, "the proxies have no connections", func() bool { return c.master.Conns()+c.mine.Conns() == 0 })
}

// transient reports whether Run would try again after err.
func (c *cutter) transient(err error) bool {
	return c.source.Dialect.Fault(err) == replication.Transient || c.target.Dialect.Fault(err) == replication.Transient
}

// cut is one fault.
type cut struct {
	p     *testnet.Proxy
	side  string
	after bool
	n     int
}

func (f cut) String() string {
	when := "before"
	if f.after {
		when = "after"
	}
	return fmt.Sprintf("cut %s request %d of the %s", when, f.n, f.side)
}

func (f cut) set() {
	if f.after {
		f.p.CutAfter(f.n)
	} else {
		f.p.CutBefore(f.n)
	}
}

func (f cut) clear() { f.p.CutAfter(0); f.p.CutBefore(0) }

// cuts are all faults of a run that had so many requests, or about most of
// them if the tests are not to take long.
func (c *cutter) cuts(onMaster, onReplica, most int) (out []cut) {
	if !soaking() && onMaster+onReplica > most/2 {
		c.t.Logf("%d and %d requests: ASHLAR_SOAK cuts at each", onMaster, onReplica)
	}
	step := max(1, (2*(onMaster+onReplica)+most-1)/most)
	if soaking() {
		step = 1
	}
	first := seeded(c.t).IntN(step)
	for _, after := range []bool{false, true} {
		for n := 1 + first; n <= onMaster; n += step {
			out = append(out, cut{c.master, "master", after, n})
		}
		for n := 1; n <= onReplica; n++ {
			if n%step == (1+first)%step || n > onReplica-4 { // among the last is the commit
				out = append(out, cut{c.mine, "replica", after, n})
			}
		}
	}
	return out
}

// testStepIsCutAnywhere cuts a Step, on open connections, at each request to
// either side.
func testStepIsCutAnywhere(t *testing.T, source, target vendor) {
	c := newCutter(t, source, target)
	tables := []string{"seats", "notes"}
	r := c.started(c.through, tables...)
	// The first step of a session tells the master. The others differ by the
	// unique values that move, and by the pieces in which rows come.
	c.step(r)
	onMaster, onReplica := 0, 0
	for range 4 {
		c.change()
		master, replica := c.master.Chunks(), c.mine.Chunks()
		if n := c.step(r); n != changed {
			t.Fatalf("a step applied %d, want %d", n, changed)
		}
		onMaster, onReplica = max(onMaster, c.master.Chunks()-master), max(onReplica, c.mine.Chunks()-replica)
	}
	if onMaster < 4 || onReplica < 6 {
		t.Fatalf("a step took %d and %d requests: they are not those of a step", onMaster, onReplica)
	}
	c.equal(tables...)

	lost, committed := 0, 0
	for _, f := range c.cuts(onMaster, onReplica, 20) {
		c.change()
		before, old := c.position("n1"), append(c.dump(c.target, "seats"), c.dump(c.target, "notes")...)
		f.set()
		_, err := r.Step(t.Context())
		f.clear()
		after := c.position("n1")
		if err == nil {
			// There was a request less than in the run that was counted. Or the cut
			// met one whose answer nobody awaits: then the connection is dead.
			t.Logf("%v: no error", f)
			_ = r.Close()
		} else if !c.transient(err) {
			t.Errorf("%v: Run would end by it: %v", f, err)
		}
		if after == before {
			lost++
			if now := append(c.dump(c.target, "seats"), c.dump(c.target, "notes")...); strings.Join(old, "") != strings.Join(now, "") {
				t.Fatalf("%v: rows changed, and the position did not: %s", f, difference(old, now))
			}
		} else {
			committed++
			c.equal(tables...) // the position is never ahead of the data
		}
		// The first step of a new session tells the master; the second does not.
		n := c.step(r)
		switch {
		case source.name == mariadb.name: // what is in no batch yet is sent again
		case after == before && n != changed, after != before && n != 0:
			t.Errorf("%v: the position moved: %v, and the next step applied %d", f, after != before, n)
		}
		c.equal(tables...)
		if n := c.step(r); n != 0 && source.name != mariadb.name {
			t.Errorf("%v: %d applied once more", f, n)
		}
	}
	t.Logf("%d requests to the master, %d to the replica; %d cuts lost the batch, %d came after its commit", onMaster, onReplica, lost, committed)
	if lost == 0 || committed == 0 {
		t.Error("there were no cuts on both sides of the commit")
	}
	_ = r.Close()
	c.settled()
}

// testConnectIsCutAnywhere cuts all that a process does besides, too: connect,
// look around, step, tell the master, close.
func testConnectIsCutAnywhere(t *testing.T, source, target vendor) {
	c := newCutter(t, source, target)
	tables := []string{"seats", "notes"}
	r := c.started(c.through, tables...)
	cycle := func() error {
		_, err := r.Step(t.Context())
		_ = r.Close()
		return err
	}
	_ = r.Close()
	c.settled()
	c.change()
	onMaster, onReplica := c.master.Chunks(), c.mine.Chunks()
	c.must(cycle())
	c.settled()
	onMaster, onReplica = c.master.Chunks()-onMaster, c.mine.Chunks()-onReplica
	for _, f := range c.cuts(onMaster, onReplica, 5) {
		c.change()
		f.set()
		if err := cycle(); err != nil && !c.transient(err) {
			t.Errorf("%v: Run would end by it: %v", f, err)
		}
		f.clear()
		c.must(cycle())
		c.equal(tables...)
	}
	t.Logf("%d requests to the master, %d to the replica", onMaster, onReplica)
	c.settled()
}

// testCopyIsCutAnywhere cuts the initial copy, of several chunks of two tables.
func testCopyIsCutAnywhere(t *testing.T, source, target vendor) {
	c := newCutter(t, source, target)
	tables := []string{"seats", "notes"}
	r := c.node(func(cfg *replication.Config) { c.through(cfg); cfg.CopyWorkers = 1 }, tables...)
	c.must(r.Install(t.Context()))
	kept := func(table string) string { return c.target.Dialect.Quote(c.target.Dialect.Bookkeeping(table)) }
	fresh := func() {
		c.exec(c.target, "DELETE FROM seats")
		c.exec(c.target, "DELETE FROM notes")
		c.exec(c.target, "DELETE FROM "+kept("copied"))
		c.exec(c.target, "DELETE FROM "+kept("replica"))
	}
	cycle := func() error {
		err := r.Copy(t.Context())
		_ = r.Close()
		return err
	}
	c.must(cycle()) // makes the tables of our own
	fresh()
	c.settled()
	onMaster, onReplica := c.master.Chunks(), c.mine.Chunks()
	c.must(cycle())
	c.settled()
	onMaster, onReplica = c.master.Chunks()-onMaster, c.mine.Chunks()-onReplica
	c.equal(tables...)
	for _, f := range c.cuts(onMaster, onReplica, 5) {
		fresh()
		f.set()
		if err := cycle(); err != nil && !c.transient(err) {
			t.Errorf("%v: Run would end by it: %v", f, err)
		}
		f.clear()
		c.position("n1") // waits for a transaction that was cut
		c.change()
		c.must(cycle())
		c.equal(tables...)
		for _, d := range c.verify(r) {
			t.Errorf("%v: %v", f, d)
		}
	}
	t.Logf("%d requests to the master, %d to the replica", onMaster, onReplica)
}

func (w *world) verify(r *replication.Replicator) (out []string) {
	for d, err := range r.Verify(context.Background()) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, d.String())
	}
	return out
}

func TestCutAnywhereNothingIsLostOrAppliedTwice(t *testing.T) {
	t.Parallel()
	for _, p := range []struct{ source, target vendor }{{pg, pg}, {pg, mariadb}, {mariadb, pg}} {
		t.Run(p.source.name+"To"+p.target.name, func(t *testing.T) {
			t.Parallel()
			t.Run("Step", func(t *testing.T) { t.Parallel(); testStepIsCutAnywhere(t, p.source, p.target) })
			t.Run("Connect", func(t *testing.T) { t.Parallel(); testConnectIsCutAnywhere(t, p.source, p.target) })
			t.Run("Copy", func(t *testing.T) { t.Parallel(); testCopyIsCutAnywhere(t, p.source, p.target) })
		})
	}
}
