package lb_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

func attr(id string, kv ...string) lb.Node {
	n := lb.Node{ID: id, Attr: map[string]string{}}
	for i := 0; i < len(kv); i += 2 {
		n.Attr[kv[i]] = kv[i+1]
	}
	return n
}

// used returns the IDs that n requests like r go to, in order.
func used(t *testing.T, p *lb.Pool, r lb.Request, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		l := acquire(t, p, r)
		ids = append(ids, l.Node().ID)
		l.Done(lb.Outcome{})
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestTiersUseTheirOwnNodesAndThoseForAll(t *testing.T) {
	p := newPool(t, lb.Config{
		Nodes: []lb.Node{attr("free", "tier", "0"), attr("paid", "tier", "1"), attr("any")},
		Steps: []lb.Step{lb.ByTier()}, Policy: lb.RoundRobin{},
	})
	if got := used(t, p, lb.Request{Tier: 1}, 10); !slices.Equal(got, []string{"any", "paid"}) {
		t.Errorf("tier 1 uses %v", got)
	}
	if got := used(t, p, lb.Request{Tier: 9}, 10); !slices.Equal(got, []string{"any"}) {
		t.Errorf("tier 9 uses %v", got)
	}
}

func TestBackupsWaitUntilTheFirstAreDown(t *testing.T) {
	p := newPool(t, lb.Config{
		Nodes: []lb.Node{attr("a"), attr("b", "priority", "1"), attr("c", "priority", "2")},
		Steps: []lb.Step{lb.ByPriority()}, Panic: -1,
	})
	for _, want := range []string{"a", "b", "c"} {
		if got := used(t, p, lb.Request{}, 10); !slices.Equal(got, []string{want}) {
			t.Errorf("used %v, want %s", got, want)
		}
		if err := p.SetHealthy(want, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Acquire(t.Context(), lb.Request{}); !errors.Is(err, lb.ErrNoNodes) {
		t.Errorf("all down, no panic: %v", err)
	}
}

func TestStepThatLeavesNothingIsAnError(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(3), Steps: []lb.Step{lb.ByAttr("zone", "mars"), lb.ByPriority(), lb.LogWindow(), lb.ByCost(func(*lb.Member) float64 { return 0 })}})
	if _, err := p.Acquire(t.Context(), lb.Request{}); !errors.Is(err, lb.ErrNoNodes) {
		t.Errorf("%v, want ErrNoNodes", err)
	}
}

// The chain of mod_backhand: what is fresh, shuffled, a logarithmic window, the
// least loaded of it.
func TestBackhandChainSpreadsOverAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(16), Steps: []lb.Step{
			lb.ByAge(6 * time.Second), lb.Shuffle(), lb.LogWindow(),
			lb.ByCost(func(m *lb.Member) float64 {
				r, _, ok := m.Report()
				if !ok {
					return math.Inf(1)
				}
				return float64(r.RIF)
			}),
		}})
		for i, n := range nodes(16) {
			if err := p.Report(n.ID, lb.Report{RIF: uint32(i), Cores: 4}); err != nil {
				t.Fatal(err)
			}
		}
		got := shares(t, p, 4000)
		// The least loaded of 4 out of 16: the best is there in a quarter, the
		// three worst never win.
		if n := got["n00"]; n < 850 || n > 1150 {
			t.Errorf("the least loaded has %d of 4000, want about 1000", n)
		}
		if got["n13"]+got["n14"]+got["n15"] != 0 {
			t.Errorf("the most loaded were chosen: %v", got)
		}
		time.Sleep(7 * time.Second)
		if err := p.Report("n15", lb.Report{RIF: 99, Cores: 4}); err != nil {
			t.Fatal(err)
		}
		if got := shares(t, p, 100); got["n15"] != 100 {
			t.Errorf("with one fresh report left: %v", got)
		}
	})
}

func TestPanicInStepLeavesThePoolUsable(t *testing.T) {
	boom := true
	p := newPool(t, lb.Config{Nodes: nodes(3), Limit: 1, Steps: []lb.Step{func(*lb.Request, *lb.Candidates) {
		if boom {
			panic("made up")
		}
	}}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = p.Acquire(t.Context(), lb.Request{})
	}()
	boom = false
	for range 3 {
		acquire(t, p, lb.Request{})
	}
	if s := p.Stats(); s.InFlight != 3 {
		t.Errorf("%d in flight, want 3", s.InFlight)
	}
}

func TestCandidatesSortAndTruncate(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(6), Steps: []lb.Step{func(_ *lb.Request, c *lb.Candidates) {
		c.Sort(func(m *lb.Member) float64 { return -float64(m.Node().ID[2]) })
		c.Truncate(2)
		if c.Len() != 2 || c.At(0).Node().ID != "n05" {
			t.Errorf("%d left, first %s", c.Len(), c.At(0).Node().ID)
		}
	}}})
	if got := used(t, p, lb.Request{}, 50); !slices.Equal(got, []string{"n04", "n05"}) {
		t.Errorf("used %v", got)
	}
}

// The next priority takes over what the first cannot do any more, step by step.
func TestPrioritiesOverflowWhenHealthDrops(t *testing.T) {
	var list []lb.Node
	for i := range 10 {
		list = append(list, attr(fmt.Sprintf("a%d", i)), attr(fmt.Sprintf("b%d", i), "priority", "1"))
	}
	p := newPool(t, lb.Config{Nodes: list, Steps: []lb.Step{lb.Overflow(1.4)}, Panic: -1, Policy: lb.Random{}})
	for down, want := range []float64{0, 0, 0, 0.02, 0.16, 0.3, 0.44, 0.58, 0.72, 0.86, 1} { // of b
		got := 0
		for id, n := range shares(t, p, 4000) {
			if id[0] == 'b' {
				got += n
			}
		}
		if share := float64(got) / 4000; math.Abs(share-want) > 0.04 {
			t.Errorf("%d of 10 down: the second priority has %.2f, want %.2f", down, share, want)
		}
		if down < 10 {
			if err := p.SetHealthy(fmt.Sprintf("a%d", down), false); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Those of the second that are tried already leave the rest to the others.
	if err := p.SetHealthy("a0", true); err != nil {
		t.Fatal(err)
	}
	var tried []*lb.Node
	for _, n := range p.Nodes() {
		if n.Node.ID[0] == 'b' {
			tried = append(tried, n.Node)
		}
	}
	if got := used(t, p, lb.Request{Exclude: tried, Strict: true}, 50); !slices.Equal(got, []string{"a0"}) {
		t.Errorf("used %v", got)
	}
}
