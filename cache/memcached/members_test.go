package memcached_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/memcached"
)

// keysOf returns keys whose own server is the one of this name.
func keysOf(t *testing.T, list []memcached.Server, name string, n int) (keys []string) {
	t.Helper()
	sel, err := memcached.NewSelector(memcached.Rendezvous, list)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprint("key-", i)
		if sel.Pick(key).Name == name {
			keys = append(keys, key)
		}
	}
	return keys
}

// eject makes tier find out that the first server, of key, is gone.
func eject(t *testing.T, tier *memcached.Tier, key string) {
	t.Helper()
	for range 3 {
		_, _ = tier.Get(t.Context(), []string{key}, cache.Want{}) // fails, or is answered by the gutter
	}
	if !tier.Stats().Servers[0].Ejected {
		t.Fatal("the server is not ejected")
	}
}

func TestWithoutAGutterTheKeysOfAnEjectedServerAreMissesWithoutLeases(t *testing.T) {
	t.Parallel()
	list, addrs := start(t, 2)
	tier := open(t, quick, addrs...)
	key := keysOf(t, servers(addrs...), "s0", 1)[0]
	list[0].Kill()
	for range 10 {
		items, err := tier.Get(t.Context(), []string{key}, look)
		if err == nil || items[0].Found || items[0].Busy || items[0].Lease.Token != 0 {
			t.Errorf("%+v, %v", items[0], err)
		}
	}
}

// With a gutter another server stands in for an ejected one, with copies of a
// short life that an invalidation removes.
func TestTheGutterStandsInForAnEjectedServer(t *testing.T) {
	t.Parallel()
	list, addrs := start(t, 3)
	cfg := quick
	cfg.Gutter = 2 * time.Second
	tier, other := open(t, cfg, addrs...), open(t, cfg, addrs...)
	keys := keysOf(t, servers(addrs...), "s0", 3)
	hold(t, tier, keys[0], "before")
	list[0].Kill()
	eject(t, tier, keys[0])
	eject(t, other, keys[0])
	for _, key := range keys {
		wantHeld(t, tier, key, "")
		hold(t, tier, key, "stands in")
		wantHeld(t, tier, key, "stands in")
		wantHeld(t, other, key, "stands in") // one load for all processes
	}
	items, err := tier.Get(t.Context(), keys, cache.Want{})
	for i, it := range items {
		if err != nil || !it.Found {
			t.Errorf("%s among others: found %t, %v", keys[i], it.Found, err)
		}
	}
	// An invalidation fails, because the key's own server has missed it, and
	// leaves no copy behind.
	if err := tier.Invalidate(t.Context(), keys[:1], 0); !errors.Is(err, memcached.ErrEjected) {
		t.Errorf("invalidate: %v", err)
	}
	wantHeld(t, other, keys[0], "")
	time.Sleep(cfg.Gutter + 1100*time.Millisecond) // memcached counts whole seconds
	wantHeld(t, tier, keys[1], "")

	// Once it is back, the server is asked again, and holds nothing from before.
	list[0].Restart()
	for deadline := time.Now().Add(20 * time.Second); tier.Stats().Servers[0].Ejected; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server does not come back")
		}
		_, _ = tier.Get(t.Context(), keys[:1], cache.Want{}) // sets the attempt off
	}
	wantHeld(t, tier, keys[0], "")
	hold(t, tier, keys[0], "after")
	wantHeld(t, tier, keys[0], "after")
}

func TestSetServersMovesKeysByTheRule(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 3)
	tier := open(t, memcached.Config{}, addrs[:2]...)
	var keys []string
	for i := range 60 {
		keys = append(keys, fmt.Sprint("k", i))
		hold(t, tier, keys[i], "v")
	}
	if err := tier.SetServers(servers(addrs...)); err != nil {
		t.Fatal(err)
	}
	after, err := memcached.NewSelector(memcached.Rendezvous, servers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	await(t, tier)
	moved := 0
	for _, key := range keys {
		if after.Pick(key).Name == "s2" {
			moved++
			wantHeld(t, tier, key, "")
		} else {
			wantHeld(t, tier, key, "v")
		}
	}
	if moved < 8 || moved > 35 {
		t.Errorf("%d of 60 keys moved to the third of three servers", moved)
	}
}

// await waits until all servers are in use.
func await(t *testing.T, tier *memcached.Tier) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for out := true; out; time.Sleep(10 * time.Millisecond) {
		var many []string
		for i := range 100 {
			many = append(many, fmt.Sprint("probe", i))
		}
		_, _ = tier.Get(t.Context(), many, cache.Want{}) // sets the purges off
		out = false
		for _, s := range tier.Stats().Servers {
			out = out || s.Ejected
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", tier.Stats())
		}
	}
}

// A server that was a member before may hold what was invalidated since.
func TestAServerThatComesIsPurgedBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 2)
	tier := open(t, memcached.Config{}, addrs...)
	key := keysOf(t, servers(addrs...), "s1", 1)[0]
	hold(t, tier, key, "old")
	if err := tier.SetServers(servers(addrs[0])); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, tier, key, "")
	hold(t, tier, key, "new") // on s0
	if err := tier.Invalidate(t.Context(), []string{key}, 0); err != nil {
		t.Fatal(err)
	}
	if err := tier.SetServers(servers(addrs...)); err != nil {
		t.Fatal(err)
	}
	await(t, tier)
	wantHeld(t, tier, key, "")
	if st := tier.Stats().Servers[1]; st.Purges != 1 {
		t.Errorf("stats %+v", st)
	}
}

// When a server goes that SetServers had brought, keys go back to where they
// were before: the values that waited there are out of date.
func TestKeysThatMoveBackFindNothingOld(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 2)
	tier := open(t, memcached.Config{}, addrs[0])
	key := keysOf(t, servers(addrs...), "s1", 1)[0]
	hold(t, tier, key, "old") // on s0, the only one
	if err := tier.SetServers(servers(addrs...)); err != nil {
		t.Fatal(err)
	}
	await(t, tier)
	hold(t, tier, key, "new") // on s1
	if err := tier.Invalidate(t.Context(), []string{key}, 0); err != nil {
		t.Fatal(err)
	}
	if err := tier.SetServers(servers(addrs[0])); err != nil {
		t.Fatal(err)
	}
	await(t, tier)
	wantHeld(t, tier, key, "")
}

func TestSetServersRefusesWhatNewRefusesAndKeepsWhatWas(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 1)
	tier := open(t, memcached.Config{}, addrs...)
	hold(t, tier, "k", "v")
	for _, list := range [][]memcached.Server{nil, {{Name: "a"}}, {{Name: "a", Addr: addrs[0]}, {Name: "a", Addr: addrs[0]}}} {
		if err := tier.SetServers(list); err == nil {
			t.Errorf("%+v is taken", list)
		}
	}
	if err := tier.SetServers(nil); !errors.Is(err, memcached.ErrNoServers) {
		t.Error(err)
	}
	wantHeld(t, tier, "k", "v")
	tier.Close()
	if err := tier.SetServers(servers(addrs...)); !errors.Is(err, memcached.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestMembersMayChangeUnderLoad(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 3)
	tier := open(t, memcached.Config{}, addrs...)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				// A server that goes ends its calls; all others answer.
				key := fmt.Sprint(g, "-", i%50)
				_, err1 := tier.Get(t.Context(), []string{key, key + "x"}, look)
				err2 := tier.Invalidate(t.Context(), []string{key}, 0)
				for _, err := range []error{err1, err2} {
					if err != nil && !errors.Is(err, memcached.ErrClosed) && !errors.Is(err, memcached.ErrEjected) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range 30 {
		if err := tier.SetServers(servers(addrs[:1+i%3]...)); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	if n := len(tier.Stats().Servers); n != 3 {
		t.Errorf("%d servers", n)
	}
}
