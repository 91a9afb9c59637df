package lb_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// world is a pool on a clock that the test moves.
type world struct {
	now  time.Duration
	pool *lb.Pool
}

func newWorld(t *testing.T, cfg lb.Config) *world {
	w := &world{now: time.Hour}
	rnd := rand.New(rand.NewPCG(1, 2))
	cfg.Now = func() time.Duration { return w.now }
	cfg.Rand = rnd.Uint64
	w.pool = newPool(t, cfg)
	return w
}

// send has n requests, one each gap, served one at a time by latency, and
// returns how many each node got.
func (w *world) send(t *testing.T, n int, gap time.Duration, latency func(id string) time.Duration) map[string]int {
	t.Helper()
	got := make(map[string]int)
	type sent struct {
		l    lb.Lease
		ends time.Duration
		took time.Duration
	}
	var out []sent
	for range n {
		w.now += gap
		for i := 0; i < len(out); {
			if out[i].ends > w.now {
				i++
				continue
			}
			out[i].l.Done(lb.Outcome{Latency: out[i].took})
			out = append(out[:i], out[i+1:]...)
		}
		l := acquire(t, w.pool, lb.Request{})
		took := latency(l.Node().ID)
		got[l.Node().ID]++
		out = append(out, sent{l, w.now + took, took})
	}
	for i := range out {
		w.now = max(w.now, out[i].ends)
		out[i].l.Done(lb.Outcome{Latency: out[i].took})
	}
	return got
}

// Two equal nodes, one of which stalls for two seconds once.
func TestStalledNodeHasItsShareBackInTenSeconds(t *testing.T) {
	w := newWorld(t, lb.Config{Nodes: nodes(2)})
	rnd := rand.New(rand.NewPCG(3, 4))
	usual := func(string) time.Duration {
		return time.Duration((5 + 10*rnd.ExpFloat64()) * float64(time.Millisecond))
	}
	w.send(t, 1000, 5*time.Millisecond, usual)
	stall := w.now + 2*time.Second
	w.send(t, 400, 5*time.Millisecond, func(id string) time.Duration {
		if id == "n00" && w.now < stall {
			return stall - w.now
		}
		return usual(id)
	})
	w.send(t, 1600, 5*time.Millisecond, usual) // eight seconds
	got := w.send(t, 1000, 5*time.Millisecond, usual)
	if n := got["n00"]; n < 450 || n > 550 {
		t.Errorf("eight seconds after its stall a node has %d of 1000, want about half", n)
	}
}

func TestNobodyStarves(t *testing.T) {
	for _, policy := range []lb.Policy{lb.Marginal{}, lb.PeakEWMA{}, lb.PeakEWMA{Scan: true}} {
		w := newWorld(t, lb.Config{Nodes: nodes(5), Policy: policy})
		rnd := rand.New(rand.NewPCG(5, 6))
		got := w.send(t, 5000, 5*time.Millisecond, func(string) time.Duration {
			return time.Duration((1 + 10*rnd.ExpFloat64()) * float64(time.Millisecond))
		})
		for _, n := range nodes(5) {
			if got[n.ID] < 500 {
				t.Errorf("%T: of five equals %s has %d of 5000", policy, n.ID, got[n.ID])
			}
		}
	}
}

// Canceled requests say nothing, however many and however quick.
func TestCancelsAreNeutral(t *testing.T) {
	w := newWorld(t, lb.Config{Nodes: nodes(2)})
	for range 2000 {
		w.now += time.Millisecond
		l := acquire(t, w.pool, lb.Request{})
		o := lb.Outcome{Latency: 10 * time.Millisecond}
		if l.Node().ID == "n00" && w.now%(2*time.Millisecond) == 0 {
			o = lb.Outcome{Class: lb.Canceled, Latency: time.Microsecond}
		}
		l.Done(o)
	}
	for _, n := range w.pool.Nodes() {
		if n.FailRate != 0 || n.Failed != 0 || n.Acquired < 900 || n.Acquired > 1100 {
			t.Errorf("%s: %+v, want half of the requests and no failures", n.Node.ID, n)
		}
	}
}

// A pause of the whole process, or a clock that jumps ahead, takes nobody out.
func TestPauseTakesNobodyOut(t *testing.T) {
	w := newWorld(t, lb.Config{Nodes: nodes(5)})
	ten := func(string) time.Duration { return 10 * time.Millisecond }
	w.send(t, 500, time.Millisecond, ten)
	w.now += time.Minute
	got := w.send(t, 500, time.Millisecond, ten)
	if s := w.pool.Stats(); s.Usable != 5 || s.Ejections != 0 {
		t.Errorf("%+v", s)
	}
	for _, n := range nodes(5) {
		if got[n.ID] < 80 {
			t.Errorf("after a pause %s has %d of 500", n.ID, got[n.ID])
		}
	}
}

func TestReportsAndLatenciesMixInOnePool(t *testing.T) {
	w := newWorld(t, lb.Config{Nodes: nodes(4)})
	for range 4000 {
		w.now += time.Millisecond
		l := acquire(t, w.pool, lb.Request{})
		o := lb.Outcome{Latency: 10 * time.Millisecond}
		if l.Node().ID < "n02" { // two report, and are idle
			o.Report = &lb.Report{Cores: 4, Slowness: 10 * time.Millisecond}
		}
		l.Done(o)
	}
	for _, n := range w.pool.Nodes() {
		if n.Acquired < 500 {
			t.Errorf("%s has %d of 4000", n.Node.ID, n.Acquired)
		}
	}
}
