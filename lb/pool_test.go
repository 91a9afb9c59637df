package lb_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// nodes makes n nodes n00, n01, ...
func nodes(n int) []lb.Node {
	list := make([]lb.Node, n)
	for i := range list {
		list[i] = lb.Node{ID: fmt.Sprintf("n%02d", i)}
	}
	return list
}

func newPool(t testing.TB, cfg lb.Config) *lb.Pool {
	t.Helper()
	p, err := lb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func acquire(t testing.TB, p *lb.Pool, r lb.Request) lb.Lease {
	t.Helper()
	l, err := p.Acquire(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// shares sends n requests one after the other and counts them by node.
func shares(t testing.TB, p *lb.Pool, n int) map[string]int {
	t.Helper()
	got := make(map[string]int)
	for range n {
		l := acquire(t, p, lb.Request{})
		got[l.Node().ID]++
		l.Done(lb.Outcome{Latency: time.Millisecond})
	}
	return got
}

func TestBadNodesAreRefused(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(2)})
	for _, list := range [][]lb.Node{
		{{}},
		{{ID: "a"}, {ID: "a"}},
		{{ID: "a", Weight: -1}},
		{{ID: "a", Weight: math.NaN()}},
		{{ID: "a", Weight: math.Inf(1)}},
	} {
		if err := p.Set(list); err == nil {
			t.Errorf("Set(%v) accepted it", list)
		}
		if got := p.Stats().Members; got != 2 {
			t.Fatalf("a refused Set left %d members, want the 2 of before", got)
		}
	}
}

func TestNoNodesIsAnErrorAtOnce(t *testing.T) {
	p := newPool(t, lb.Config{})
	if _, err := p.Acquire(t.Context(), lb.Request{}); !errors.Is(err, lb.ErrNoNodes) {
		t.Errorf("Acquire of an empty pool: %v, want ErrNoNodes", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Acquire(ctx, lb.Request{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire with a context that ended: %v", err)
	}
}

func TestExcludedNodeIsNeverChosenWhileAnotherMayBe(t *testing.T) {
	for _, policy := range []lb.Policy{lb.RoundRobin{}, lb.Random{}, lb.LeastInFlight{}, lb.PowerOfD{}, lb.PowerOfD{D: 3}} {
		p := newPool(t, lb.Config{Nodes: nodes(3), Policy: policy})
		var tried []*lb.Node
		seen := make(map[string]bool)
		for range 3 {
			l := acquire(t, p, lb.Request{Exclude: tried})
			if seen[l.Node().ID] {
				t.Errorf("%T: %s chosen again", policy, l.Node().ID)
			}
			seen[l.Node().ID] = true
			tried = append(tried, l.Node())
			l.Done(lb.Outcome{})
		}
		l := acquire(t, p, lb.Request{Exclude: tried})
		if l.Node() == nil {
			t.Errorf("%T: no node once all were tried", policy)
		}
	}
}

func TestDoubleDoneChangesNothing(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(1)})
	l, other := acquire(t, p, lb.Request{}), acquire(t, p, lb.Request{})
	l.Done(lb.Outcome{})
	l.Done(lb.Outcome{Class: lb.Failed})
	if s := p.Stats(); s.InFlight != 1 || s.DoubleDone != 1 || s.Failed != 0 {
		t.Errorf("after a double Done: %+v, want 1 in flight, 1 double, none failed", s)
	}
	other.Done(lb.Outcome{})
	var zero lb.Lease
	zero.Done(lb.Outcome{})
	if zero.Node() != nil {
		t.Error("the zero Lease has a node")
	}
}

func TestLostLeaseIsFound(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(1), FindLeaks: true})
	func() {
		l := acquire(t, p, lb.Request{})
		again := l
		l.Done(lb.Outcome{})
		again.Done(lb.Outcome{})
		acquire(t, p, lb.Request{}) // lost
	}()
	for i := 0; p.Stats().Lost == 0; i++ {
		if i == 1000 {
			t.Fatal("the collector never found the lost lease")
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if s := p.Stats(); s.Lost != 1 || s.DoubleDone != 1 || s.InFlight != 1 {
		t.Errorf("%+v, want 1 lost, 1 double, 1 in flight", s)
	}
}

func TestDrainingNodeGetsNothingNew(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(4)})
	if err := p.SetDraining("n01", true); err != nil {
		t.Fatal(err)
	}
	if err := p.Report("n02", lb.Report{Cores: 1, Draining: true}); err != nil {
		t.Fatal(err)
	}
	if err := p.SetHealthy("n03", false); err != nil { // one of two: no panic yet
		t.Fatal(err)
	}
	if got := shares(t, p, 100); got["n00"] != 100 {
		t.Errorf("shares %v, want all for n00", got)
	}
	if err := p.SetHealthy("n00", false); err != nil { // none healthy: all are used that do not drain
		t.Fatal(err)
	}
	if got := shares(t, p, 1000); len(got) != 2 || got["n00"] == 0 || got["n03"] == 0 {
		t.Errorf("shares in a panic %v, want n00 and n03", got)
	}
	if s := p.Stats(); s.Panics != 1 || s.Usable != 2 {
		t.Errorf("%+v, want 1 panic, 2 usable", s)
	}
	if err := p.SetDraining("nobody", true); err == nil {
		t.Error("an unknown ID was accepted")
	}
}

func TestReportedDrainIsBelievedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(2), Policy: lb.RoundRobin{}})
		l := acquire(t, p, lb.Request{})
		id := l.Node().ID
		l.Done(lb.Outcome{Report: &lb.Report{Cores: 1, Draining: true}})
		time.Sleep(9 * time.Second)
		if got := shares(t, p, 10); got[id] != 0 {
			t.Errorf("a node that drains got %d of 10", got[id])
		}
		time.Sleep(2 * time.Second)
		if got := shares(t, p, 10); got[id] != 5 {
			t.Errorf("long after its last word, the node got %d of 10, want 5", got[id])
		}
	})
}

func TestPanicSpreadsOverAllAndEnds(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(10), Policy: lb.RoundRobin{}})
	for i := range 6 {
		if err := p.SetHealthy(fmt.Sprintf("n%02d", i), false); err != nil {
			t.Fatal(err)
		}
	}
	if got := shares(t, p, 100); len(got) != 10 {
		t.Errorf("6 of 10 down: %d nodes used, want all", len(got))
	}
	if err := p.SetHealthy("n00", true); err != nil {
		t.Fatal(err)
	}
	if got := shares(t, p, 100); len(got) != 5 {
		t.Errorf("5 of 10 down: %d nodes used, want 5", len(got))
	}
}

func TestSetKeepsWhatWasLearnt(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(3), Policy: lb.RoundRobin{}})
	l := acquire(t, p, lb.Request{})
	id := l.Node().ID
	if err := p.Set(append(nodes(3), lb.Node{ID: "z"})); err != nil {
		t.Fatal(err)
	}
	for _, n := range p.Nodes() {
		if n.Node.ID == id && (n.Acquired != 1 || n.InFlight != 1) {
			t.Errorf("after Set: %+v, want it to know the lease", n)
		}
	}
	if err := p.Set([]lb.Node{{ID: "z"}}); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.InFlight != 1 || s.Members != 1 {
		t.Errorf("after the node left: %+v, want its lease to count", s)
	}
	l.Done(lb.Outcome{})
	if s := p.Stats(); s.InFlight != 0 {
		t.Errorf("after Done: %+v", s)
	}
}

func TestMembershipChurnUnderLoad(t *testing.T) {
	for _, policy := range []lb.Policy{lb.RoundRobin{}, lb.Random{}, lb.LeastInFlight{}, lb.PowerOfD{}} {
		p := newPool(t, lb.Config{Nodes: nodes(20), Policy: policy})
		var wg sync.WaitGroup
		var running atomic.Int32
		for g := range 64 {
			running.Add(1)
			wg.Go(func() {
				defer running.Add(-1)
				rnd := rand.New(rand.NewPCG(1, uint64(g)))
				for i := range 200 {
					l, err := p.Acquire(t.Context(), lb.Request{Key: rnd.Uint64()})
					if err != nil {
						t.Error(err)
						return
					}
					runtime.Gosched()
					o := lb.Outcome{Latency: time.Millisecond, Class: lb.Class(rnd.IntN(4))}
					if i%8 == 0 {
						o.Report = &lb.Report{RIF: 1, Cores: 4, Slowness: time.Millisecond, Draining: i%64 == 0 && l.Node().ID > "n05"}
					}
					l.Done(o)
				}
			})
		}
		for i := 0; running.Load() > 0; i++ {
			if err := p.Set(nodes(10 + i%11)); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
		wg.Wait()
		if s := p.Stats(); s.InFlight != 0 {
			t.Errorf("%T: %d in flight at the end", policy, s.InFlight)
		}
	}
}

func TestShutdownWaitsForLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(2)})
		l := acquire(t, p, lb.Request{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown with a lease out: %v", err)
		}
		if _, err := p.Acquire(t.Context(), lb.Request{}); !errors.Is(err, lb.ErrClosed) {
			t.Errorf("Acquire after Shutdown: %v", err)
		}
		time.AfterFunc(time.Minute, func() { l.Done(lb.Outcome{}) })
		begin := time.Now()
		if err := p.Shutdown(t.Context()); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("Shutdown: %v after %v, want to wait a minute", err, time.Since(begin))
		}
	})
}

func TestErrorsAreClassified(t *testing.T) {
	for _, tt := range []struct {
		o    lb.Outcome
		fail bool
	}{
		{lb.Outcome{}, false},
		{lb.Outcome{Err: errors.New("reset")}, true},
		{lb.Outcome{Class: lb.Rejected}, true},
		{lb.Outcome{Err: context.Canceled}, false},
		{lb.Outcome{Err: context.DeadlineExceeded}, true},
		{lb.Outcome{Class: lb.Canceled, Err: context.DeadlineExceeded}, false},
	} {
		p := newPool(t, lb.Config{Nodes: nodes(1)})
		l := acquire(t, p, lb.Request{})
		l.Done(tt.o)
		if n := p.Nodes()[0]; (n.Failed == 1) != tt.fail || (n.FailRate > 0) != tt.fail {
			t.Errorf("%+v: %d failed, rate %v, want failed: %v", tt.o, n.Failed, n.FailRate, tt.fail)
		}
	}
}

func TestTraceSeesEachLeaseEndOnce(t *testing.T) {
	type end struct {
		node  string
		class lb.Class
	}
	var got []end
	p := newPool(t, lb.Config{Nodes: nodes(1), Trace: &lb.Trace{Done: func(n *lb.Node, o lb.Outcome) {
		got = append(got, end{n.ID, o.Class})
	}}})
	for _, o := range []lb.Outcome{{}, {Err: errors.New("no")}, {Err: context.Canceled}, {Class: lb.Rejected}} {
		l := acquire(t, p, lb.Request{})
		l.Done(o)
		l.Done(o)
	}
	want := []end{{"n00", lb.OK}, {"n00", lb.Failed}, {"n00", lb.Canceled}, {"n00", lb.Rejected}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDoGivesTheLeaseBackOnPanic(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(1)})
	func() {
		defer func() { _ = recover() }()
		_ = p.Do(t.Context(), lb.Request{}, func(context.Context, *lb.Node) error { panic("made up") })
	}()
	if s := p.Stats(); s.InFlight != 0 || s.Failed != 1 {
		t.Errorf("after a panic in f: %+v, want none in flight, 1 failed", s)
	}
	if err := p.Do(t.Context(), lb.Request{}, func(context.Context, *lb.Node) error { return nil }); err != nil {
		t.Error(err)
	}
}

// What a node has in flight stays known when its address, weight or attributes
// change: a limit holds, and the least loaded is the least loaded.
func TestRequestsInFlightAreKeptWhenANodeChanges(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(1), Limit: 2, Policy: lb.LeastInFlight{}})
	a, b := acquire(t, p, lb.Request{}), acquire(t, p, lb.Request{})
	changed := []lb.Node{{ID: "n00", Addr: "10.0.0.9:80", Weight: 3, Attr: map[string]string{"zone": "a"}}}
	if err := p.Set(changed); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Acquire(t.Context(), lb.Request{}); !errors.Is(err, lb.ErrQueueFull) {
		t.Errorf("beyond the limit after a change: %v", err)
	}
	if got := a.Node().Addr; got != "10.0.0.9:80" {
		t.Errorf("the lease's node is at %q", got)
	}
	a.Done(lb.Outcome{})
	c := acquire(t, p, lb.Request{})
	if n := p.Nodes()[0]; n.InFlight != 2 || n.Acquired != 3 || n.Node.Weight != 3 {
		t.Errorf("%+v, want 2 in flight of 3", n)
	}
	b.Done(lb.Outcome{})
	c.Done(lb.Outcome{})
	if s := p.Stats(); s.InFlight != 0 {
		t.Errorf("%+v", s)
	}
}

func TestStrictExclusionIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(2), Limit: 1, Queue: lb.Queue{Len: 1, Wait: time.Second}})
		all := p.Nodes()
		first, second := all[0].Node, all[1].Node
		if _, err := p.Acquire(t.Context(), lb.Request{Exclude: []*lb.Node{first, second}, Strict: true}); !errors.Is(err, lb.ErrNoNodes) {
			t.Errorf("all excluded: %v", err)
		}
		// Another address makes no other node of it.
		if err := p.Set([]lb.Node{{ID: "n00", Addr: "new"}, {ID: "n01", Addr: "new"}}); err != nil {
			t.Fatal(err)
		}
		r := lb.Request{Exclude: []*lb.Node{first}, Strict: true}
		l := acquire(t, p, r)
		if l.Node().ID != "n01" {
			t.Errorf("%s was chosen", l.Node().ID)
		}
		if _, err := p.Acquire(t.Context(), r); !errors.Is(err, lb.ErrQueueTimeout) {
			t.Errorf("the other one is at its limit: %v, want to have waited for it", err)
		}
		time.AfterFunc(time.Millisecond, func() { l.Done(lb.Outcome{}) })
		if l = acquire(t, p, r); l.Node().ID != "n01" {
			t.Errorf("%s was chosen after waiting", l.Node().ID)
		}
	})
}
