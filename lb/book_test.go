package lb_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// These tests hold the package to chapter 5 of the book. Claims about farms
// with several balancers (5.1 to 5.4) have theirs in lbsim, those about bytes
// (5.5, 5.7) in lbhttp and lbtcp.

// A machine that is new looks idle. It is tried by one request, not by all.
func TestBook_5_1_FreshMachineIsNotTrampled(t *testing.T) {
	w := newWorld(t, lb.Config{Nodes: nodes(9)})
	w.send(t, 900, time.Millisecond, func(string) time.Duration { return 10 * time.Millisecond })
	if err := w.pool.Set(nodes(10)); err != nil {
		t.Fatal(err)
	}
	fresh := 0
	for range 100 { // none of which has been answered
		l := acquire(t, w.pool, lb.Request{})
		if l.Node().ID == "n09" {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("of 100 requests at once a new node got %d, want 1", fresh)
	}
}

// What a machine said of itself counts less and less.
func TestBook_5_1_OldLoadDataIsNotBelieved(t *testing.T) {
	w := newWorld(t, lb.Config{Nodes: nodes(2)})
	report := func(id string, rif uint32) {
		if err := w.pool.Report(id, lb.Report{RIF: rif, Cores: 4, Slowness: 10 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // both are equally busy, for long
		w.now += time.Millisecond
		report("n00", 8)
		report("n01", 8)
	}
	share := func() (first int) {
		leases := make([]lb.Lease, 8)
		for i := range leases {
			leases[i] = acquire(t, w.pool, lb.Request{})
			if leases[i].Node().ID == "n00" {
				first++
			}
		}
		for i := range leases {
			leases[i].Done(lb.Outcome{Class: lb.Canceled})
		}
		return first
	}
	report("n00", 0)
	if got := share(); got < 5 {
		t.Errorf("right after a node reported that it is idle it gets %d of 8", got)
	}
	w.now += 10 * time.Second
	if got := share(); got != 4 {
		t.Errorf("ten seconds after a node reported that it is idle it gets %d of 8", got)
	}
}

// Round robin gives a slow machine as much as the others. The default finds out,
// and needs no weights.
func TestBook_5_2_SlowMachineGetsLessWithoutWeights(t *testing.T) {
	slow := func(id string) time.Duration {
		if id == "n00" {
			return 80 * time.Millisecond
		}
		return 20 * time.Millisecond
	}
	for _, tt := range []struct {
		policy    lb.Policy
		low, high int
	}{{lb.RoundRobin{}, 500, 500}, {lb.Marginal{}, 1, 250}} {
		w := newWorld(t, lb.Config{Nodes: nodes(4), Policy: tt.policy})
		w.send(t, 500, 5*time.Millisecond, slow)
		if got := w.send(t, 2000, 5*time.Millisecond, slow)["n00"]; got < tt.low || got > tt.high {
			t.Errorf("%T: a node four times slower got %d of 2000, want %d to %d", tt.policy, got, tt.low, tt.high)
		}
	}
}

// Balancers that know the same do not all do the same.
func TestBook_5_3_BalancersWithTheSameDataDiffer(t *testing.T) {
	got := make(map[string]int)
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		now := time.Hour
		p := newPool(t, lb.Config{Nodes: nodes(20), Rand: rnd.Uint64, Now: func() time.Duration { return now }})
		for range 20 {
			now += 5 * time.Millisecond
			for i, n := range nodes(20) { // they differ by what is chance
				r := lb.Report{RIF: 5, Cores: 4, Slowness: 10*time.Millisecond + time.Duration(i)*10*time.Microsecond}
				if err := p.Report(n.ID, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		l := acquire(t, p, lb.Request{})
		got[l.Node().ID]++
	}
	if len(got) < 8 || slices.Max(slices.Collect(maps.Values(got))) > 16 {
		t.Errorf("40 balancers that heard the same chose %v", got)
	}
}

// Readers with a certificate, paying readers and free readers ask for the same
// things, and get what the business grants them.
func TestBook_5_6_OnePoolGrantsWhatTheBusinessSays(t *testing.T) {
	const free, paying, premium = 0, 1, 2
	p := newPool(t, lb.Config{
		Nodes: []lb.Node{attr("a", "tier", strconv.Itoa(premium)), attr("b"), attr("c")},
		Steps: []lb.Step{func(r *lb.Request, _ *lb.Candidates) {
			if r.Any == "board meeting" { // any rule that one can write
				r.Tier = premium
			}
		}, lb.ByTier()},
	})
	if got := used(t, p, lb.Request{Tier: free}, 20); slices.Contains(got, "a") {
		t.Errorf("free readers use %v", got)
	}
	if got := used(t, p, lb.Request{Any: "board meeting"}, 20); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("a rule of the business opens %v", got)
	}
	// Free readers flood; a paying one waits for one of them, not for all.
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(2), Limit: 2, Queue: lb.Queue{Len: 100, Wait: time.Hour}})
		var leases []lb.Lease
		for range 4 {
			leases = append(leases, acquire(t, p, lb.Request{Tier: free}))
		}
		line := newLine(t, p)
		for range 30 {
			line.ask(free)
		}
		line.ask(paying)
		for i := range leases {
			leases[i].Done(lb.Outcome{})
		}
		if i := slices.Index(line.served(), paying); i > 3 { // four are served at once
			t.Errorf("the paying reader was served after %d of 30 free ones", i)
		}
	})
}

// No request sticks to where an earlier one of the same visitor went, unless a
// policy that hashes is asked for.
func TestBook_5_8_NothingSticksByDefault(t *testing.T) {
	visitor := lb.Request{Key: 42}
	for _, policy := range []lb.Policy{lb.Marginal{}, lb.RoundRobin{}, lb.LeastInFlight{}, lb.PeakEWMA{}} {
		p := newPool(t, lb.Config{Nodes: nodes(4), Policy: policy})
		if got := used(t, p, visitor, 100); len(got) != 4 {
			t.Errorf("%T: a visitor's requests go to %v", policy, got)
		}
	}
	p := newPool(t, lb.Config{Nodes: nodes(4), Policy: lb.Maglev{}})
	if got := used(t, p, visitor, 100); len(got) != 1 {
		t.Errorf("Maglev: a visitor's requests go to %v", got)
	}
}

// mod_backhand's chain: what is too old is dropped, what is left is shuffled
// and cut, and of those the least loaded wins.
func TestBook_5_9_CandidacyChainOfModBackhand(t *testing.T) {
	w := newWorld(t, lb.Config{Nodes: nodes(16), Steps: []lb.Step{
		lb.ByAge(6 * time.Second), lb.Shuffle(), lb.LogWindow(), lb.ByCost(func(m *lb.Member) float64 {
			r, _, _ := m.Report()
			return float64(r.RIF)
		}),
	}})
	report := func(from, to int) {
		for i := from; i < to; i++ {
			if err := w.pool.Report(nodes(16)[i].ID, lb.Report{RIF: uint32(i), Cores: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	report(0, 8)
	w.now += 7 * time.Second
	report(8, 16) // the others have fallen silent
	got := make(map[string]int)
	for range 1000 {
		l := acquire(t, w.pool, lb.Request{})
		got[l.Node().ID]++
		l.Done(lb.Outcome{})
	}
	for i, n := range nodes(16) {
		switch c := got[n.ID]; {
		case i < 8 && c != 0:
			t.Errorf("%s, silent for seven seconds, has %d of 1000", n.ID, c)
		case i == 8 && (c < 300 || c > 450): // it wins when it is among three of eight
			t.Errorf("the least loaded has %d of 1000, want about 375", c)
		case i > 13 && c != 0: // at least two of any three are less loaded
			t.Errorf("%s, one of the two most loaded, has %d", n.ID, c)
		}
	}
}
