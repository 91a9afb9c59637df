package memcached_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/memcached"
)

var look = cache.Want{Lease: 5 * time.Second}

// entry is a value that is good for a minute.
func entry(value string) cache.Entry {
	return cache.Entry{Value: []byte(value), Loaded: time.Now(), TTL: time.Minute}
}

// hold puts a value under key by way of a lease.
func hold(t *testing.T, tier *memcached.Tier, key, value string) {
	t.Helper()
	items, err := tier.Get(t.Context(), []string{key}, look)
	if err != nil || items[0].Lease.Token == 0 {
		t.Fatalf("no lease on %s: %+v, %v", key, items, err)
	}
	if stored, err := tier.Fill(t.Context(), key, items[0].Lease, entry(value)); !stored || err != nil {
		t.Fatalf("%s is not stored: %v", key, err)
	}
}

// wantHeld fails unless key holds value; the empty value stands for a miss.
func wantHeld(t *testing.T, tier *memcached.Tier, key, value string) {
	t.Helper()
	items, err := tier.Get(t.Context(), []string{key}, cache.Want{})
	if err != nil || items[0].Found != (value != "") || string(items[0].Entry.Value) != value {
		t.Errorf("%s holds %q, %v; want %q", key, items[0].Entry.Value, err, value)
	}
}

// silent is a server that takes connections and does with them what serve does.
func silent(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

func swallow(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// nonsense answers as a web server does.
func nonsense(c net.Conn) {
	_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
	swallow(c)
}

func TestAHungServerCostsAtMostThreeTimeouts(t *testing.T) {
	t.Parallel()
	var ejected atomic.Int64
	tier := open(t, memcached.Config{Timeout: 200 * time.Millisecond, Trace: &memcached.Trace{
		Ejected: func(string, error) { ejected.Add(1) },
	}}, silent(t, swallow))
	waited := 0
	for range 10 {
		_, err := tier.Get(t.Context(), []string{"k"}, look)
		var e *memcached.Error
		if !errors.As(err, &e) || e.Server != "s0" || e.Op != "get" {
			t.Fatalf("error %v", err)
		}
		if !errors.Is(err, memcached.ErrEjected) {
			waited++
			if !e.Timeout() {
				t.Errorf("%v is no time-out", err)
			}
		}
	}
	if waited != 3 {
		t.Errorf("%d callers waited, want 3", waited)
	}
	if st := tier.Stats().Servers[0]; !st.Ejected || st.Ejections != 1 || st.Timeouts != 3 {
		t.Errorf("stats %+v", st)
	}
	// Nor do many at once, or changes.
	for range 50 {
		if err := tier.Invalidate(t.Context(), []string{"k"}, 0); !errors.Is(err, memcached.ErrEjected) {
			t.Fatal(err)
		}
	}
	tier.Close() // waits for the trace
	if ejected.Load() != 1 {
		t.Errorf("told %d times of the ejection", ejected.Load())
	}
}

// Deadlines of gomemcache are per answer line: a trickling server holds its
// callers for ever.
func TestATricklingServerHoldsNobodyBeyondTheTimeout(t *testing.T) {
	t.Parallel()
	addr := silent(t, func(c net.Conn) {
		defer c.Close()
		for _, b := range []byte("VALUE k 0 1000000 1\r\n" + strings.Repeat("x", 1000)) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	tier := open(t, memcached.Config{Timeout: 300 * time.Millisecond}, addr)
	begin := time.Now()
	if _, err := tier.Get(t.Context(), []string{"k"}, look); err == nil {
		t.Error("a part of an answer is an answer")
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("held for %v", d)
	}
}

func TestAnAnswerThatIsNoneIsAnErrorWithoutItsText(t *testing.T) {
	t.Parallel()
	tier := open(t, memcached.Config{}, silent(t, func(c net.Conn) {
		fmt.Fprintf(c, "the secret of key-of-mine\r\n")
		swallow(c)
	}))
	_, err := tier.Get(t.Context(), []string{"key-of-mine"}, look)
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "key-of-mine") {
		t.Errorf("error %v", err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	tier := open(t, memcached.Config{Timeout: time.Minute}, silent(t, swallow))
	calls := map[string]func(context.Context) error{
		"get": func(ctx context.Context) error { _, err := tier.Get(ctx, []string{"k"}, look); return err },
		"get many": func(ctx context.Context) error {
			_, err := tier.Get(ctx, []string{"a", "b"}, look)
			return err
		},
		"fill": func(ctx context.Context) error {
			_, err := tier.Fill(ctx, "k", cache.Lease{Token: 1}, entry("v"))
			return err
		},
		"fence": func(ctx context.Context) error { _, err := tier.Fence(ctx, "k", time.Second); return err },
		"put": func(ctx context.Context) error {
			_, err := tier.Put(ctx, "k", cache.Lease{}, entry("v"))
			return err
		},
		"invalidate": func(ctx context.Context) error { return tier.Invalidate(ctx, []string{"k"}, 0) },
		"tags":       func(ctx context.Context) error { return tier.InvalidateTags(ctx, []string{"t"}) },
		"purge":      func(ctx context.Context) error { return tier.Purge(ctx) },
	}
	cause := errors.New("the visitor left")
	for name, call := range calls {
		for _, already := range []bool{true, false} {
			ctx, cancel := context.WithCancelCause(t.Context())
			if already {
				cancel(cause)
			} else {
				time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
			}
			begin := time.Now()
			if err := call(ctx); !errors.Is(err, cause) {
				t.Errorf("%s, %t: %v", name, already, err)
			}
			if d := time.Since(begin); d > 10*time.Second {
				t.Errorf("%s, %t: took %v", name, already, d)
			}
			cancel(nil)
		}
	}
	if st := tier.Stats().Servers[0]; st.Ejected {
		t.Error("visitors who leave made the server look ill")
	}
}

func TestAServerIsPurgedBeforeItIsUsedAgain(t *testing.T) {
	t.Parallel()
	list, addrs := start(t, 1)
	returned := make(chan string, 9)
	cfg := quick
	cfg.Trace = &memcached.Trace{Returned: func(server string) { returned <- server }}
	tier, other := open(t, cfg, addrs...), open(t, quick, addrs...)
	hold(t, tier, "stays", "old")
	hold(t, tier, "changes", "old")
	wantHeld(t, other, "changes", "old")

	list[0].Pause()
	if err := tier.Invalidate(t.Context(), []string{"changes"}, 0); err == nil {
		t.Fatal("a stopped server was told")
	}
	list[0].Resume()
	for {
		items, err := tier.Get(t.Context(), []string{"changes"}, cache.Want{})
		if err == nil {
			if items[0].Found {
				t.Fatalf("read %q after its invalidation", items[0].Entry.Value)
			}
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if name := <-returned; name != "s0" {
		t.Errorf("%s returned", name)
	}
	wantHeld(t, tier, "stays", "")
	if st := tier.Stats().Servers[0]; st.Purges == 0 || st.Ejected {
		t.Errorf("stats %+v", st)
	}
}

func TestGetReturnsWhatItCan(t *testing.T) {
	t.Parallel()
	list, addrs := start(t, 3)
	tier := open(t, quick, addrs...)
	var keys []string
	for i := range 60 {
		keys = append(keys, fmt.Sprint("k", i))
		hold(t, tier, keys[i], "v")
	}
	list[1].Kill()
	items, err := tier.Get(t.Context(), keys, cache.Want{})
	var e *memcached.Error
	if !errors.As(err, &e) || e.Server != "s1" || len(items) != len(keys) {
		t.Fatalf("%d items, %v", len(items), err)
	}
	found := 0
	for _, it := range items {
		if it.Found {
			found++
		}
	}
	if found < 20 || found > 55 {
		t.Errorf("%d of 60 found with a third of the servers dead", found)
	}
}

func TestAResolversErrorIsTheCalls(t *testing.T) {
	t.Parallel()
	tier := open(t, memcached.Config{}, "no-such-host.invalid:11211")
	var dns *net.DNSError
	if _, err := tier.Get(t.Context(), []string{"k"}, look); !errors.As(err, &dns) {
		t.Errorf("error %v", err)
	}
}

func TestAConnectionThatTheServerClosedIsReplacedUnseen(t *testing.T) {
	t.Parallel()
	list, addrs := start(t, 1)
	tier := open(t, memcached.Config{}, addrs...)
	for range 5 {
		if _, err := tier.Get(t.Context(), []string{"k"}, cache.Want{}); err != nil {
			t.Fatal(err)
		}
		list[0].Restart()
	}
	if st := tier.Stats().Servers[0]; st.Retries == 0 || st.Errors != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestAfterCloseNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	addr := silent(t, swallow)
	tier := open(t, memcached.Config{Timeout: time.Minute}, addr)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := tier.Get(context.Background(), []string{"k"}, look); !errors.Is(err, memcached.ErrClosed) {
				t.Errorf("a waiting Get ends with %v", err)
			}
		})
		wg.Go(func() {
			if err := tier.Invalidate(context.Background(), []string{"k"}, 0); !errors.Is(err, memcached.ErrClosed) {
				t.Errorf("a waiting Invalidate ends with %v", err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	tier.Close()
	tier.Close()
	wg.Wait()
	if _, err := tier.Get(t.Context(), []string{"k"}, look); !errors.Is(err, memcached.ErrClosed) {
		t.Errorf("a Get after Close: %v", err)
	}
	// What is left are the goroutines of the silent server: one that accepts,
	// one for each connection that it has not yet seen closed.
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+1; {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
	if st := tier.Stats().Servers[0]; st.Conns != 0 {
		t.Errorf("%d connections are left", st.Conns)
	}
}
