package lb_test

import (
	"math"
	"testing"

	"github.com/ashlar-go/ashlar/lb"
)

// places sends n keys and says where each went.
func places(t *testing.T, p *lb.Pool, n int) []string {
	t.Helper()
	got := make([]string, n)
	for k := range got {
		l := acquire(t, p, lb.Request{Key: uint64(k)})
		got[k] = l.Node().ID
		l.Done(lb.Outcome{})
	}
	return got
}

func TestHashedKeysStayWhereTheyWere(t *testing.T) {
	const keys = 20_000
	for _, tt := range []struct {
		policy lb.Policy
		moved  float64 // share of keys that may move when one of 100 leaves
	}{
		{lb.Rendezvous{}, 0.0125},
		{lb.BoundedHash{}, 0.02},
		{lb.Maglev{}, 0.03},
	} {
		list := nodes(100)
		p := newPool(t, lb.Config{Nodes: list, Policy: tt.policy})
		other := newPool(t, lb.Config{Nodes: list, Policy: tt.policy})
		before := places(t, p, keys)
		for k, id := range places(t, other, keys) {
			if id != before[k] {
				t.Fatalf("%T: two balancers place key %d at %s and %s", tt.policy, k, before[k], id)
			}
		}
		if err := p.Set(append(list[:50:50], list[51:]...)); err != nil {
			t.Fatal(err)
		}
		moved := 0
		for k, id := range places(t, p, keys) {
			if id != before[k] {
				moved++
			}
		}
		if m := float64(moved) / keys; m > tt.moved || m == 0 {
			t.Errorf("%T: %.2f%% of keys moved when one of 100 nodes left", tt.policy, 100*m)
		}
	}
}

func TestHashesFollowWeights(t *testing.T) {
	const keys = 30_000
	for _, policy := range []lb.Policy{lb.Rendezvous{}, lb.BoundedHash{}, lb.Maglev{}} {
		list := nodes(10)
		list[3].Weight = 3
		p := newPool(t, lb.Config{Nodes: list, Policy: policy})
		n := 0
		for _, id := range places(t, p, keys) {
			if id == "n03" {
				n++
			}
		}
		if want := keys / 4; math.Abs(float64(n-want)) > 0.05*keys/4 {
			t.Errorf("%T: a weight of 3 among nine of 1 has %d of %d keys, want about %d", policy, n, keys, want)
		}
	}
}

func TestHotKeySpillsAtItsLimit(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(10), Policy: lb.BoundedHash{Over: 0.5}})
	for range 1000 {
		acquire(t, p, lb.Request{Key: 7})
	}
	used := 0
	for _, n := range p.Nodes() {
		if n.InFlight > 150 {
			t.Errorf("%s has %d of 1000 requests of one key, want at most 1.5 times the mean", n.Node.ID, n.InFlight)
		}
		if n.InFlight > 0 {
			used++
		}
	}
	if used < 7 {
		t.Errorf("the key spilt to %d nodes", used)
	}
}

func TestMaglevSkipsNodesThatMayNotBeUsed(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(5), Policy: lb.Maglev{}})
	before := places(t, p, 1000)
	if err := p.SetDraining("n02", true); err != nil {
		t.Fatal(err)
	}
	for k, id := range places(t, p, 1000) {
		if id == "n02" || before[k] != "n02" && id != before[k] {
			t.Fatalf("key %d was at %s and is at %s", k, before[k], id)
		}
	}
}

func TestSubsetsShareOutAllNodes(t *testing.T) {
	list := nodes(30)
	used := make(map[string]int)
	for self := range 30 {
		sub := lb.Subset(list, self, 5)
		if len(sub) != 5 {
			t.Fatalf("balancer %d has %d nodes", self, len(sub))
		}
		for _, n := range sub {
			used[n.ID]++
		}
	}
	for _, n := range list {
		if used[n.ID] != 5 {
			t.Errorf("%s is used by %d of 30 balancers, want 5", n.ID, used[n.ID])
		}
	}
	if got := lb.Subset(list, 3, 0); len(got) != 30 {
		t.Errorf("size 0 gives %d nodes, want all", len(got))
	}
}
