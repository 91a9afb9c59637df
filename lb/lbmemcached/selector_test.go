package lbmemcached_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbmemcached"
)

var _ memcache.ServerSelector = (*lbmemcached.Selector)(nil)

func nodes(n int) []lb.Node {
	list := make([]lb.Node, n)
	for i := range list {
		list[i] = lb.Node{ID: fmt.Sprint("mc", i), Addr: fmt.Sprintf("127.0.0.1:%d", 1000+i)}
	}
	return list
}

func newSelector(t *testing.T, cfg lbmemcached.Config) *lbmemcached.Selector {
	t.Helper()
	s, err := lbmemcached.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// where returns the ID of each key's node.
func where(t *testing.T, s *lbmemcached.Selector, keys int) []string {
	t.Helper()
	ids := make([]string, keys)
	for i := range ids {
		n, err := s.Pick(fmt.Sprint("key:", i))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = n.ID
	}
	return ids
}

// All clients must agree, today's and tomorrow's.
func TestPlacementNeverChanges(t *testing.T) {
	s := newSelector(t, lbmemcached.Config{Nodes: nodes(5)})
	got := where(t, s, 12)
	want := []string{"mc2", "mc3", "mc3", "mc0", "mc4", "mc4", "mc0", "mc3", "mc1", "mc0", "mc3", "mc3"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestNodeThatLeavesMovesItsOwnKeysOnly(t *testing.T) {
	const keys = 20000
	s := newSelector(t, lbmemcached.Config{Nodes: nodes(100)})
	before := where(t, s, keys)
	if err := s.SetNodes(slices.Delete(nodes(100), 17, 18)); err != nil {
		t.Fatal(err)
	}
	moved := 0
	for i, id := range where(t, s, keys) {
		if id != before[i] {
			moved++
			if before[i] != "mc17" {
				t.Fatalf("key %d moved from %s to %s", i, before[i], id)
			}
		}
	}
	if moved == 0 || moved > keys*2/100 {
		t.Errorf("%d of %d keys moved", moved, keys)
	}
}

func TestAddressMovesNoKey(t *testing.T) {
	list := nodes(10)
	a := newSelector(t, lbmemcached.Config{Nodes: list})
	for i := range list {
		list[i].Addr = fmt.Sprintf("10.0.0.%d:11211", i)
	}
	slices.Reverse(list)
	b := newSelector(t, lbmemcached.Config{Nodes: list})
	if !slices.Equal(where(t, a, 1000), where(t, b, 1000)) {
		t.Error("keys moved")
	}
}

func TestKeysAreSpreadByWeight(t *testing.T) {
	const keys = 60000
	list := nodes(3)
	list[1].Weight, list[2].Weight = 2, 3
	s := newSelector(t, lbmemcached.Config{Nodes: list})
	count := map[string]int{}
	for _, id := range where(t, s, keys) {
		count[id]++
	}
	for i, want := range []int{keys / 6, keys / 3, keys / 2} {
		if got := count[list[i].ID]; got < want*97/100 || got > want*103/100 {
			t.Errorf("%s has %d of %d keys, want about %d", list[i].ID, got, keys, want)
		}
	}
}

func TestSegmentsKeepTheirKeys(t *testing.T) {
	s := newSelector(t, lbmemcached.Config{Nodes: nodes(6), Segments: []lbmemcached.Segment{
		{Prefix: "user:", IDs: []string{"mc0", "mc1"}},
		{Prefix: "user:session:", IDs: []string{"mc2"}},
	}})
	seen := map[string]bool{}
	for i := range 300 {
		for prefix, ids := range map[string][]string{
			"user:": {"mc0", "mc1"}, "user:session:": {"mc2"}, "other:": {"mc3", "mc4", "mc5"},
		} {
			n, err := s.Pick(fmt.Sprint(prefix, i))
			if err != nil || !slices.Contains(ids, n.ID) {
				t.Fatalf("%s%d lives on %v, %v", prefix, i, n, err)
			}
			seen[n.ID] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("used: %v", seen)
	}
	// When all nodes are named, keys without a segment may live on all.
	s = newSelector(t, lbmemcached.Config{Nodes: nodes(2), Segments: []lbmemcached.Segment{{Prefix: "a", IDs: []string{"mc0", "mc1"}}}})
	where(t, s, 10)
	// A segment whose nodes are no members has no server.
	s = newSelector(t, lbmemcached.Config{Nodes: nodes(2), Segments: []lbmemcached.Segment{{Prefix: "a", IDs: []string{"none"}}}})
	if _, err := s.PickServer("a1"); !errors.Is(err, lbmemcached.ErrNoServer) || !errors.Is(err, lb.ErrNoNodes) {
		t.Error(err)
	}
}

func TestHotKeySpillsWithinTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const picks = 4000
		s := newSelector(t, lbmemcached.Config{Nodes: nodes(8), Over: 0.25})
		for range 3 { // windows
			count := map[string]int{}
			first := ""
			for i := range picks {
				key := "hot"
				if i%4 == 0 {
					key = fmt.Sprint("key:", i)
				}
				n, err := s.Pick(key)
				if err != nil {
					t.Fatal(err)
				}
				if first == "" && key == "hot" {
					first = n.ID
				}
				count[n.ID]++
				if most := max(32, int(1.25*float64(i+1)/8)+1); count[n.ID] > most {
					t.Fatalf("%s has %d of %d picks, want at most %d", n.ID, count[n.ID], i+1, most)
				}
			}
			time.Sleep(time.Second)
			if n, _ := s.Pick("hot"); n.ID != first {
				t.Errorf("in a new window the key does not live at home, %s, but on %s", first, n.ID)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestWithoutNodesThereIsNoServer(t *testing.T) {
	s := newSelector(t, lbmemcached.Config{})
	if _, err := s.PickServer("a"); !errors.Is(err, lbmemcached.ErrNoServer) {
		t.Error(err)
	}
	if st := s.Stats(); st.Picks != 1 || st.NoServer != 1 {
		t.Errorf("%+v", st)
	}
}

func TestEachReachesUsableNodesAlsoAfterAnError(t *testing.T) {
	s := newSelector(t, lbmemcached.Config{Nodes: append(nodes(3), lb.Node{ID: "sock", Addr: "/run/mc"})})
	if err := s.Pool().SetDraining("mc1", true); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := s.Each(func(a net.Addr) error {
		got = append(got, a.Network()+" "+a.String())
		return errors.New("no")
	})
	if want := []string{"tcp 127.0.0.1:1000", "tcp 127.0.0.1:1002", "unix /run/mc"}; !slices.Equal(got, want) || err == nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMembershipMayChangeAtAnyTime(t *testing.T) {
	for _, cfg := range []lbmemcached.Config{{}, {Over: 0.1}, {NoFailover: true}} {
		cfg.Nodes, cfg.Interval, cfg.Timeout = nodes(4), time.Millisecond, time.Millisecond
		s := newSelector(t, cfg)
		ctx, stop := context.WithCancel(t.Context())
		var wg, run sync.WaitGroup
		run.Go(func() { s.Run(ctx) })
		for g := range 4 {
			wg.Go(func() {
				for i := range 500 {
					s.PickServer(fmt.Sprint(g, i))
				}
			})
		}
		for i := range 100 {
			if err := s.SetNodes(nodes(i % 5)); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		stop()
		run.Wait()
		if st := s.Pool().Stats(); st.InFlight != 0 {
			t.Errorf("%+v", st)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]lbmemcached.Config{
		"no address":        {Nodes: []lb.Node{{ID: "a"}}},
		"no ID":             {Nodes: []lb.Node{{Addr: "a:1"}}},
		"twice":             {Nodes: []lb.Node{{ID: "a", Addr: "a:1"}, {ID: "a", Addr: "b:1"}}},
		"negative Over":     {Over: -1},
		"Over that stays":   {Over: 1, NoFailover: true},
		"negative time":     {Interval: -1},
		"empty prefix":      {Segments: []lbmemcached.Segment{{IDs: []string{"a"}}}},
		"empty segment":     {Segments: []lbmemcached.Segment{{Prefix: "a"}}},
		"same prefix":       {Segments: []lbmemcached.Segment{{Prefix: "a", IDs: []string{"a"}}, {Prefix: "a", IDs: []string{"b"}}}},
		"too many segments": {Segments: make([]lbmemcached.Segment, 64)},
	} {
		if _, err := lbmemcached.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s := newSelector(t, lbmemcached.Config{Nodes: nodes(2)})
	if err := s.SetNodes([]lb.Node{{ID: "a"}}); err == nil {
		t.Error("no error")
	}
	where(t, s, 10) // the old nodes stay
}

func TestPickAllocatesNothing(t *testing.T) {
	for name, cfg := range map[string]lbmemcached.Config{
		"plain":    {},
		"stays":    {NoFailover: true},
		"bounded":  {Over: 0.25, Window: time.Hour},
		"segments": {Segments: []lbmemcached.Segment{{Prefix: "article:", IDs: []string{"mc0", "mc1"}}}},
	} {
		cfg.Nodes = nodes(10)
		s := newSelector(t, cfg)
		s.PickServer("article:123456") // the first of a window makes its counters
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := s.PickServer("article:123456"); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Nodes of equal weights are chosen by a shorter way, which must be the same
// way.
func TestEqualWeightsPlaceAsUnequalOnesDo(t *testing.T) {
	equal := newSelector(t, lbmemcached.Config{Nodes: nodes(7)})
	list := nodes(8)
	list[7].Weight = 1e-12 // gets no key
	unequal := newSelector(t, lbmemcached.Config{Nodes: list})
	if a, b := where(t, equal, 5000), where(t, unequal, 5000); !slices.Equal(a, b) {
		t.Error("keys live elsewhere")
	}
}

// Against what gomemcache does by itself: a remainder of a checksum, which moves
// nearly all keys when a server is added or leaves, and knows no health.
func BenchmarkPickServer(b *testing.B) {
	for _, n := range []int{3, 10, 32} {
		list := nodes(n)
		var addrs []string
		for _, n := range list {
			addrs = append(addrs, n.Addr)
		}
		peer := new(memcache.ServerList)
		if err := peer.SetServers(addrs...); err != nil {
			b.Fatal(err)
		}
		weighted := slices.Clone(list)
		weighted[0].Weight = 2
		s, err := lbmemcached.New(lbmemcached.Config{Nodes: list})
		if err != nil {
			b.Fatal(err)
		}
		w, err := lbmemcached.New(lbmemcached.Config{Nodes: weighted})
		if err != nil {
			b.Fatal(err)
		}
		for name, s := range map[string]memcache.ServerSelector{"ServerList": peer, "ours": s, "weighted": w} {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.PickServer("article:123456"); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
