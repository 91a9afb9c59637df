package memcached_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache/memcached"
)

// A dead node's part of the keys is a miss, costs nobody a wait, and moves to
// the nodes that are left; theirs stays where it is.
func TestBook_7_8_ADeadNodesPartIsAMissAndMovesElsewhere(t *testing.T) {
	t.Parallel()
	list, addrs := start(t, 3)
	cfg := quick
	cfg.Gutter = time.Minute
	d := newDatabase()
	c := process(t, d, cfg, addrs...)
	const keys = 300
	get := func() {
		for i := range keys {
			wantGet(t, c, fmt.Sprint("k", i), "v")
		}
	}
	for i := range keys {
		d.values[fmt.Sprint("k", i)] = "v"
	}
	get()
	get()
	if n := d.loads.Load(); n != keys {
		t.Fatalf("%d loads of %d keys", n, keys)
	}
	list[1].Kill()
	get()
	lost := d.loads.Load() - keys
	if lost < keys/5 || lost > keys/2 {
		t.Errorf("the third of three nodes had %d of %d keys", lost, keys)
	}
	get()
	// The first calls after the death found out about it, and were not stored.
	if again := d.loads.Load() - keys - lost; again > 3 {
		t.Errorf("%d keys are still without a node", again)
	}
}

// In a segmented cluster a client that needs only one kind of keys has links to
// its segment alone.
func TestBook_7_8_SegmentsKeepClientsAndLinksFew(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 6)
	tier := open(t, memcached.Config{Segments: []memcached.Segment{
		{Prefix: "session:", Servers: []string{"s0", "s1"}},
		{Prefix: "article:", Servers: []string{"s2", "s3"}},
	}}, addrs...)
	for i := range 100 {
		hold(t, tier, fmt.Sprint("session:", i), "v")
	}
	for _, s := range tier.Stats().Servers {
		mine := s.Name == "s0" || s.Name == "s1"
		if (s.Conns > 0) != mine || (s.Fills > 20) != mine {
			t.Errorf("%s has %d links and %d values", s.Name, s.Conns, s.Fills)
		}
	}
	// What no segment names is on the servers of none.
	for i := range 100 {
		hold(t, tier, fmt.Sprint("other:", i), "v")
	}
	for _, s := range tier.Stats().Servers[2:4] {
		if s.Conns > 0 {
			t.Errorf("%s has %d links", s.Name, s.Conns)
		}
	}
}

// Who missed messages clears everything before it is used again.
func TestBook_A_3_WhoMissedMessagesClearsEverything(t *testing.T) {
	t.Parallel()
	list, addrs := start(t, 1)
	tier := open(t, quick, addrs...)
	for i := range 20 {
		hold(t, tier, fmt.Sprint("k", i), "old")
	}
	list[0].Pause()
	if err := tier.Invalidate(t.Context(), []string{"k7"}, 0); err == nil {
		t.Fatal("a stopped server was told")
	}
	list[0].Resume()
	await(t, tier)
	for i := range 20 {
		wantHeld(t, tier, fmt.Sprint("k", i), "")
	}
}

// Memory that nobody else has is not needed for operation: with all nodes dead
// the site works, at the price of the source.
func TestBook_3_3_TheClusterIsNotNeededForOperation(t *testing.T) {
	t.Parallel()
	list, addrs := start(t, 2)
	d := newDatabase()
	d.values["k"] = "v"
	c := process(t, d, quick, addrs...)
	wantGet(t, c, "k", "v")
	for _, s := range list {
		s.Kill()
	}
	for range 10 {
		wantGet(t, c, "k", "v")
	}
	if n := d.loads.Load(); n != 11 {
		t.Errorf("%d loads", n)
	}
	if st := c.Stats(); st.SharedErrors == 0 {
		t.Error("nothing was asked")
	}
}
