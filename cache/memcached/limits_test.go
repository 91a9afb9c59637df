package memcached_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/memcached"
	"github.com/ashlar-go/ashlar/internal/testservers"
)

// sized is a value of so many bytes.
func sized(n int) cache.Entry {
	e := entry("")
	e.Value = bytes.Repeat([]byte("x"), n)
	return e
}

// The limit is Config.MaxValue, or the server's own when that is lower: in both
// cases nothing is stored, the lease ends, and nothing older stays.
func TestAValueThatIsTooLargeIsNotStoredAndNothingOlderStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  memcached.Config
		args []string
	}{
		"the client's limit": {cfg: memcached.Config{MaxValue: 600_000}},
		"the server's limit": {args: []string{"-I", "512k"}},
	} {
		t.Run(name, func(t *testing.T) {
			tier := open(t, c.cfg, testservers.Memcached(t, c.args...).Addr)
			items, err := tier.Get(t.Context(), []string{"k"}, look)
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := tier.Fill(t.Context(), "k", items[0].Lease, sized(700_000)); stored || !errors.Is(err, memcached.ErrTooLarge) {
				t.Errorf("fill: %t, %v", stored, err)
			}
			hold(t, tier, "k", "small") // the lease has ended, or there would be none here
			if stored, err := tier.Put(t.Context(), "k", cache.Lease{}, sized(700_000)); stored || !errors.Is(err, memcached.ErrTooLarge) {
				t.Errorf("put: %t, %v", stored, err)
			}
			wantHeld(t, tier, "k", "")

			// A write under a fence ends it.
			fence, err := tier.Fence(t.Context(), "k", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := tier.Put(t.Context(), "k", fence, sized(700_000)); stored || !errors.Is(err, memcached.ErrTooLarge) {
				t.Errorf("put under a fence: %t, %v", stored, err)
			}
			hold(t, tier, "k", "small")
			st := tier.Stats().Servers[0]
			if st.TooLarge != 3 || st.Errors > 3 || st.Ejections != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestValuesUpToTheLimitAreStored(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 1)
	tier := open(t, memcached.Config{}, addrs...)
	for _, n := range []int{0, 1, 1000, 100_000, 1_000_000, 1<<20 - 1<<10} {
		items, err := tier.Get(t.Context(), []string{fmt.Sprint(n)}, look)
		if err != nil {
			t.Fatal(err)
		}
		if stored, err := tier.Fill(t.Context(), fmt.Sprint(n), items[0].Lease, sized(n)); !stored || err != nil {
			t.Errorf("%d bytes: %t, %v", n, stored, err)
		}
		items, err = tier.Get(t.Context(), []string{fmt.Sprint(n)}, cache.Want{})
		if err != nil || !items[0].Found || len(items[0].Entry.Value) != n {
			t.Errorf("%d bytes: found %t, %d bytes, %v", n, items[0].Found, len(items[0].Entry.Value), err)
		}
	}
}

// A naive client's TTL of more than 30 days is a time in 1970.
func TestATTLOfMoreThanThirtyDaysIsHeld(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 1)
	tier := open(t, memcached.Config{}, addrs...)
	for _, days := range []int{29, 30, 31, 365, 5000, 100_000} {
		key := fmt.Sprint(days)
		items, err := tier.Get(t.Context(), []string{key}, look)
		if err != nil {
			t.Fatal(err)
		}
		e := entry(key)
		e.TTL = time.Duration(days) * 24 * time.Hour
		if stored, err := tier.Fill(t.Context(), key, items[0].Lease, e); !stored || err != nil {
			t.Errorf("%d days: %t, %v", days, stored, err)
		}
		wantHeld(t, tier, key, key)
	}
}

// Every string is a key of its own, also those that a naive client would send
// as commands.
func TestAnyStringIsAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 2)
	tier := open(t, memcached.Config{}, addrs...)
	long := strings.Repeat("k", 250)
	keys := []string{"", " ", "a", "a b", "a\x00", "a\x7f", "a\r\nflush_all\r\n", "\r\nset a 0 0 1\r\nx\r\n", "~", "~c~", "~h~x", "ключ", "\xff\xfe",
		long, long + "k", long + "l", strings.Repeat("k", 100_000), "a\t", "noreply", "0"}
	for i, key := range keys {
		hold(t, tier, key, fmt.Sprint("value ", i))
	}
	for i, key := range keys {
		wantHeld(t, tier, key, fmt.Sprint("value ", i))
	}
	items, err := tier.Get(t.Context(), keys, cache.Want{})
	for i := range items {
		if want := fmt.Sprint("value ", i); err != nil || string(items[i].Entry.Value) != want {
			t.Errorf("%.40q among all holds %q, %v", keys[i], items[i].Entry.Value, err)
		}
	}
	if err := tier.Invalidate(t.Context(), keys[:len(keys)-1], 0); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys[:len(keys)-1] {
		wantHeld(t, tier, key, "")
	}
	wantHeld(t, tier, keys[len(keys)-1], fmt.Sprint("value ", len(keys)-1))
}

// A hundred callers share the connections that they may have.
func TestConnectionsStayWithinTheLimit(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 1)
	var now, most atomic.Int64
	tier := open(t, memcached.Config{MaxConns: 7, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return &countedConn{Conn: c, n: &now}, nil
	}}, addrs...)
	var wg sync.WaitGroup
	for g := range 100 {
		wg.Go(func() {
			for i := range 20 {
				key := fmt.Sprint(g, "-", i%3)
				if _, err := tier.Get(t.Context(), []string{key}, look); err != nil {
					t.Error(err)
				}
				if err := tier.Invalidate(t.Context(), []string{key, "shared"}, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() > 7 || most.Load() < 2 {
		t.Errorf("%d connections at a time", most.Load())
	}
}

type countedConn struct {
	net.Conn
	once sync.Once
	n    *atomic.Int64
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.n.Add(-1) })
	return c.Conn.Close()
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 1)
	tier := open(t, memcached.Config{IdleTimeout: 50 * time.Millisecond}, addrs...)
	if err := tier.Invalidate(t.Context(), []string{"k"}, 0); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); tier.Stats().Servers[0].Conns > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", tier.Stats().Servers[0].Conns)
		}
	}
}

// A server that may not evict refuses what does not fit. That is an error of
// the call, and an invalidation still leaves nothing to be read.
func TestAServerWithoutRoomNeverKeepsWhatIsOutOfDate(t *testing.T) {
	t.Parallel()
	tier := open(t, memcached.Config{}, testservers.Memcached(t, "-M", "-m", "2").Addr)
	var full error
	var held []string
	for i := 0; i < 1000 && full == nil; i++ {
		key := fmt.Sprint("k", i)
		items, err := tier.Get(t.Context(), []string{key}, look)
		if err == nil {
			var stored bool
			stored, err = tier.Fill(t.Context(), key, items[0].Lease, sized(50_000))
			if stored {
				held = append(held, key)
			}
		}
		full = err
	}
	if full == nil || len(held) == 0 {
		t.Fatalf("%d values of 50 kB fit into 2 MB: %v", len(held), full)
	}
	if strings.Contains(full.Error(), "k1") {
		t.Errorf("%v shows a key", full)
	}
	for _, key := range held {
		// An error is allowed: then the server is purged before it is used again.
		if err := tier.Invalidate(t.Context(), []string{key}, 0); err != nil {
			t.Log(err)
		}
		items, err := tier.Get(t.Context(), []string{key}, cache.Want{})
		if err == nil && items[0].Found {
			t.Fatalf("%s is read after its invalidation", key)
		}
	}
	// There is room again.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		items, err := tier.Get(t.Context(), []string{"again"}, look)
		if err == nil {
			if stored, err := tier.Fill(t.Context(), "again", items[0].Lease, sized(1000)); stored && err == nil {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing is stored any more: %v", err)
		}
	}
}
