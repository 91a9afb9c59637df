package memcached_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/memcached"
)

// database is a source of truth that counts what it is asked.
type database struct {
	mu       sync.Mutex
	values   map[string]string
	versions map[string]uint64
	loads    atomic.Int64
	slow     time.Duration
	tags     []string
}

func newDatabase() *database {
	return &database{values: make(map[string]string), versions: make(map[string]uint64)}
}

func (d *database) load(_ context.Context, key string) (cache.Loaded[string], error) {
	d.loads.Add(1)
	d.mu.Lock()
	v, ok := d.values[key]
	version := d.versions[key]
	d.mu.Unlock()
	time.Sleep(d.slow)
	if !ok {
		return cache.Loaded[string]{}, cache.ErrNotFound
	}
	return cache.Loaded[string]{Value: v, Version: version, Tags: d.tags}, nil
}

func (d *database) write(_ context.Context, key, value string) (cache.Loaded[string], error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.values[key] = value
	d.versions[key]++
	return cache.Loaded[string]{Value: value, Version: d.versions[key]}, nil
}

// process is one process of the program: a cache with a client of its own.
func process(t *testing.T, d *database, cfg memcached.Config, addrs ...string) *cache.LookAside[string, string] {
	t.Helper()
	c, err := cache.New(cache.Config[string, string]{
		Load: d.load,
		TTL:  60 * 24 * time.Hour, // more than memcached takes for a number of seconds
		Shared: &cache.Shared[string, string]{
			Tier: open(t, cfg, addrs...), Namespace: "test", LocalTTL: -1, Hold: 2 * time.Second,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantGet(t *testing.T, c *cache.LookAside[string, string], key, want string) {
	t.Helper()
	if v, err := c.Get(t.Context(), key); v != want || err != nil {
		t.Errorf("%s: %q, %v; want %q", key, v, err, want)
	}
}

func TestFourThousandMissesInFourProcessesAreOneLoad(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 3)
	d := newDatabase()
	d.values["k"], d.slow = "v", 300*time.Millisecond
	var processes []*cache.LookAside[string, string]
	for range 4 {
		processes = append(processes, process(t, d, memcached.Config{}, addrs...))
	}
	var wg sync.WaitGroup
	for _, p := range processes {
		for range 1000 {
			wg.Go(func() { wantGet(t, p, "k", "v") })
		}
	}
	wg.Wait()
	if n := d.loads.Load(); n != 1 {
		t.Errorf("%d loads", n)
	}
}

func TestWhatOneProcessLoadedIsKeptForMoreThanThirtyDays(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 1)
	d := newDatabase()
	d.values["k"] = "v"
	wantGet(t, process(t, d, memcached.Config{}, addrs...), "k", "v")
	wantGet(t, process(t, d, memcached.Config{}, addrs...), "k", "v")
	if n := d.loads.Load(); n != 1 {
		t.Errorf("%d loads", n)
	}
}

// Whatever happens to the servers, what the loader can answer is answered.
func TestASecondTierErrorNeverFailsAGetThatTheLoaderCanAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(t *testing.T) (addr string){
		"nobody listens": func(t *testing.T) string {
			list, addrs := start(t, 1)
			list[0].Kill()
			return addrs[0]
		},
		"it hangs":        func(t *testing.T) string { return silent(t, swallow) },
		"it has no name":  func(*testing.T) string { return "no-such-host.invalid:1" },
		"it is no server": func(t *testing.T) string { return silent(t, nonsense) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase()
			d.values["always"] = "there"
			c := process(t, d, quick, fault(t))
			w, err := cache.NewWriteThru(c, d.write)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				key, want := fmt.Sprint("k", i), fmt.Sprint("v", i)
				_, _ = d.write(t.Context(), key, want)
				wantGet(t, c, key, want)
				if got, err := c.GetMany(t.Context(), []string{key, "always"}); len(got) != 2 || got[key] != want || got["always"] != "there" || err != nil {
					t.Errorf("get many: %v, %v", got, err)
				}
				// A write goes to the source; what the caches missed is told.
				if l, err := w.Write(t.Context(), key, want+"!"); l.Value != want+"!" {
					t.Errorf("write: %+v, %v", l, err)
				}
				wantGet(t, c, key, want+"!")
				if err := c.Invalidate(t.Context(), key); err == nil {
					t.Error("an invalidation that did not reach the server is no error")
				}
				wantGet(t, c, key, want+"!")
				if _, err := c.Get(t.Context(), "none"); !errors.Is(err, cache.ErrNotFound) {
					t.Errorf("an absent key: %v", err)
				}
			}
			if st := c.Stats(); st.SharedErrors == 0 {
				t.Errorf("the server is not asked: %+v", st)
			}
		})
	}
}

func TestALoadThatWasOvertakenElsewhereIsNotStored(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 1)
	d := newDatabase()
	d.values["k"] = "old"
	loading, goOn := make(chan struct{}), make(chan struct{})
	slow, err := cache.New(cache.Config[string, string]{
		Load: func(ctx context.Context, key string) (cache.Loaded[string], error) {
			l, err := d.load(ctx, key)
			if loading != nil {
				close(loading)
				<-goOn
				loading = nil
			}
			return l, err
		},
		Shared: &cache.Shared[string, string]{Tier: open(t, memcached.Config{}, addrs...), Namespace: "test", LocalTTL: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	go func() {
		v, _ := slow.Get(context.Background(), "k")
		done <- v
	}()
	<-loading
	other := process(t, d, memcached.Config{}, addrs...)
	_, _ = d.write(t.Context(), "k", "new")
	if err := other.Invalidate(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if v := <-done; v != "old" {
		t.Errorf("who asked before the write got %q", v)
	}
	wantGet(t, other, "k", "new")
	wantGet(t, slow, "k", "new")
}

func TestATagVoidsItsEntriesOnAllServersAndInAllProcesses(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 3)
	d := newDatabase()
	d.tags = []string{"sports"}
	a, b := process(t, d, memcached.Config{}, addrs...), process(t, d, memcached.Config{}, addrs...)
	var keys []string
	for i := range 30 {
		keys = append(keys, fmt.Sprint("k", i))
		d.values[keys[i]] = "old"
		wantGet(t, a, keys[i], "old")
	}
	loads := d.loads.Load()
	for _, key := range keys {
		wantGet(t, b, key, "old")
		d.values[key] = "new"
	}
	if n := d.loads.Load(); n != loads {
		t.Errorf("%d loads of what was there", n-loads)
	}
	if err := a.InvalidateTag(t.Context(), "sports"); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		wantGet(t, b, key, "new")
		wantGet(t, a, key, "new")
	}
	if n := d.loads.Load(); n != 2*loads {
		t.Errorf("%d loads, want %d", n, 2*loads)
	}
}

// Writers in all processes at once: in the end every process shows what the
// source has.
func TestWritersInSeveralProcessesLeaveTheNewestVersion(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 2)
	d := newDatabase()
	var all []*cache.LookAside[string, string]
	var wg sync.WaitGroup
	for p := range 4 {
		c := process(t, d, memcached.Config{}, addrs...)
		all = append(all, c)
		w, err := cache.NewWriteThru(c, d.write)
		if err != nil {
			t.Fatal(err)
		}
		for g := range 2 {
			wg.Go(func() {
				for i := range 50 {
					if _, err := w.Write(t.Context(), "k", fmt.Sprint(p, g, i)); err != nil {
						t.Error(err)
					}
					if _, err := c.Get(t.Context(), "k"); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	d.mu.Lock()
	want := d.values["k"]
	d.mu.Unlock()
	for _, c := range all {
		wantGet(t, c, "k", want)
	}
}

// The process dies after the commit and before it tells the tier: for as long
// as Hold nothing is held, and afterwards what the source says.
func TestACrashBetweenCommitAndUpdateLeavesNothingOlder(t *testing.T) {
	t.Parallel()
	_, addrs := start(t, 1)
	d := newDatabase()
	_, _ = d.write(t.Context(), "k", "old")
	reader := process(t, d, memcached.Config{}, addrs...)
	wantGet(t, reader, "k", "old")
	dying := open(t, memcached.Config{}, addrs...)
	const holds = 2 * time.Second
	if _, err := dying.Fence(t.Context(), "test:k", holds); err != nil { // as WriteThru begins
		t.Fatal(err)
	}
	before := d.loads.Load()
	wantGet(t, reader, "k", "old") // before the commit, and not stored
	_, _ = d.write(t.Context(), "k", "new")
	dying.Close()
	wantGet(t, reader, "k", "new")
	wantGet(t, reader, "k", "new")
	if n := d.loads.Load() - before; n != 3 {
		t.Errorf("%d loads while the write was in progress, want 3: none is stored", n)
	}
	time.Sleep(holds + 1100*time.Millisecond) // memcached counts whole seconds
	for range 3 {
		wantGet(t, reader, "k", "new")
	}
	if n := d.loads.Load() - before; n != 4 {
		t.Errorf("%d loads, want 4: the last is stored", n)
	}
}
