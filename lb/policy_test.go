package lb_test

import (
	"math"
	"testing"

	"github.com/ashlar-go/ashlar/lb"
)

func TestRoundRobinIsFairAndSpreads(t *testing.T) {
	list := nodes(4)
	for i, w := range []float64{1, 2, 3, 0.5} {
		list[i].Weight = w
	}
	p := newPool(t, lb.Config{Nodes: list, Policy: lb.RoundRobin{}})
	got := shares(t, p, 6500)
	for i, want := range []int{1000, 2000, 3000, 500} {
		if n := got[list[i].ID]; math.Abs(float64(n-want)) > 0.01*6500 {
			t.Errorf("%s: %d of 6500, want about %d", list[i].ID, n, want)
		}
	}
	// The heaviest never rests longer than its share allows.
	rest, longest := 0, 0
	for range 1000 {
		l := acquire(t, p, lb.Request{})
		if rest++; l.Node().ID == "n02" {
			rest = 0
		}
		longest = max(longest, rest)
		l.Done(lb.Outcome{})
	}
	if longest > 3 {
		t.Errorf("the heaviest node rested for %d requests", longest)
	}
}

func TestRoundRobinGoesOnWhenMembersChange(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(10), Policy: lb.RoundRobin{}})
	got := make(map[string]int)
	for range 1000 {
		for id, n := range shares(t, p, 3) {
			got[id] += n
		}
		if err := p.Set(nodes(10)); err != nil {
			t.Fatal(err)
		}
	}
	for id, n := range got {
		if n != 300 {
			t.Errorf("%s: %d of 3000, want 300", id, n)
		}
	}
}

func TestRandomFollowsWeights(t *testing.T) {
	for _, heavy := range []float64{1, 3, 1e6} {
		list := nodes(4)
		list[1].Weight = heavy
		p := newPool(t, lb.Config{Nodes: list, Policy: lb.Random{}})
		const n = 20000
		got := shares(t, p, n)
		want := heavy / (heavy + 3) * n
		if d := math.Abs(float64(got["n01"]) - want); d > 6*math.Sqrt(n)/2 {
			t.Errorf("weight %v: %d of %d, want about %.0f", heavy, got["n01"], n, want)
		}
	}
}

func TestLeastInFlightLevels(t *testing.T) {
	list := nodes(5)
	list[4].Weight = 2
	p := newPool(t, lb.Config{Nodes: list, Policy: lb.LeastInFlight{}})
	for range 60 {
		acquire(t, p, lb.Request{})
	}
	for _, n := range p.Nodes() {
		if want := int64(10 * max(n.Node.Weight, 1)); n.InFlight != want {
			t.Errorf("%s: %d in flight, want %d", n.Node.ID, n.InFlight, want)
		}
	}
}

func TestTwoChoicesLevelBetterThanOne(t *testing.T) {
	highest := func(policy lb.Policy) (most int64) {
		p := newPool(t, lb.Config{Nodes: nodes(100), Policy: policy})
		for range 10_000 {
			acquire(t, p, lb.Request{})
		}
		for _, n := range p.Nodes() {
			most = max(most, n.InFlight)
		}
		return most
	}
	one, two, four := highest(lb.Random{}), highest(lb.PowerOfD{}), highest(lb.PowerOfD{D: 4})
	if two > 106 || four > 104 || one < 110 {
		t.Errorf("highest of 100 nodes with 100 requests each: %d random, %d by two choices, %d by four", one, two, four)
	}
	if _, err := lb.New(lb.Config{Policy: lb.PowerOfD{D: -1}}); err == nil {
		t.Error("D of -1 was accepted")
	}
}
