package lbmemcached_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbmemcached"
)

// running is a Selector whose Run runs, over real servers.
type running struct {
	*testing.T
	*lbmemcached.Selector
	client  *memcache.Client
	servers []*testservers.Server
	nodes   []lb.Node
	events  chan string
}

func start(t *testing.T, n int, cfg lbmemcached.Config) *running {
	r := &running{T: t, events: make(chan string, 100)}
	for i := range n {
		s := testservers.Memcached(t)
		r.servers = append(r.servers, s)
		r.nodes = append(r.nodes, lb.Node{ID: fmt.Sprint("mc", i), Addr: s.Addr})
	}
	cfg.Nodes = r.nodes
	cfg.Interval, cfg.Timeout = 10*time.Millisecond, 2*time.Second
	cfg.Trace = &lbmemcached.Trace{
		Out:  func(id string, err error) { r.events <- "out " + id },
		Back: func(id string) { r.events <- "back " + id },
	}
	r.Selector = newSelector(t, cfg)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Selector.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	r.client = memcache.NewFromSelector(r.Selector)
	r.client.Timeout = 5 * time.Second
	t.Cleanup(func() { r.client.Close() })
	return r
}

func (r *running) want(event string) {
	r.Helper()
	select {
	case got := <-r.events:
		if got != event {
			r.Fatalf("%s, want %s", got, event)
		}
	case <-time.After(time.Minute):
		r.Fatalf("no event, want %s", event)
	}
}

// keyOn returns a key that lives on a node now.
func (r *running) keyOn(id string) string {
	r.Helper()
	for i := range 1000 {
		key := fmt.Sprint("key:", i)
		if n, err := r.Pick(key); err == nil && n.ID == id {
			return key
		}
	}
	r.Fatal("no key lives on", id)
	return ""
}

func (r *running) set(key, value string) {
	r.Helper()
	if err := r.client.Set(&memcache.Item{Key: key, Value: []byte(value)}); err != nil {
		r.Fatal(err)
	}
}

func TestNodeThatDoesNotAnswerIsOutAndIsEmptiedWhenItComesBack(t *testing.T) {
	r := start(t, 3, lbmemcached.Config{})
	key := r.keyOn("mc1")
	r.set(key, "old")
	r.servers[1].Kill()
	r.want("out mc1")
	if n, err := r.Pick(key); err != nil || n.ID == "mc1" {
		t.Fatal(n, err)
	}
	r.set(key, "new")
	if it, err := r.client.Get(key); err != nil || string(it.Value) != "new" {
		t.Error(it, err)
	}
	if st := r.Stats(); st.Out != 1 || st.Outs != 1 {
		t.Errorf("%+v", st)
	}
	if err := r.client.Ping(); err != nil { // Each: those that are used
		t.Error(err)
	}
	r.servers[1].Restart()
	r.want("back mc1")
	if n, err := r.Pick(key); err != nil || n.ID != "mc1" {
		t.Error(n, err)
	}
	if st := r.Stats(); st.Out != 0 || st.Purges != 1 {
		t.Errorf("%+v", st)
	}
}

func TestServerThatHungDoesNotComeBackWithOldValues(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for time-outs")
	}
	r := start(t, 2, lbmemcached.Config{Fall: 1})
	key := r.keyOn("mc0")
	r.set(key, "old")
	r.servers[0].Pause()
	r.want("out mc0")
	r.set(key, "new")
	r.servers[0].Resume()
	r.want("back mc0")
	if it, err := r.client.Get(key); !errors.Is(err, memcache.ErrCacheMiss) {
		t.Errorf("%+v, %v", it, err)
	}
}

func TestKeyOfANodeThatIsOutStaysAwayIfAsked(t *testing.T) {
	r := start(t, 2, lbmemcached.Config{NoFailover: true, Keep: true})
	key, other := r.keyOn("mc0"), r.keyOn("mc1")
	r.servers[0].Kill()
	r.want("out mc0")
	if _, err := r.client.Get(key); !errors.Is(err, lbmemcached.ErrNoServer) {
		t.Error(err)
	}
	r.set(other, "x")
	r.servers[0].Restart()
	r.want("back mc0")
	r.set(key, "x")
	if st := r.Stats(); st.Purges != 0 {
		t.Errorf("%+v", st)
	}
}

func TestNodeThatIsAddedIsEmptiedBeforeItIsUsed(t *testing.T) {
	r := start(t, 1, lbmemcached.Config{})
	added := testservers.Memcached(t)
	direct := memcache.New(added.Addr)
	defer direct.Close()
	for i := range 100 {
		if err := direct.Set(&memcache.Item{Key: fmt.Sprint("key:", i), Value: []byte("ancient")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.SetNodes(append(r.nodes, lb.Node{ID: "new", Addr: added.Addr})); err != nil {
		t.Fatal(err)
	}
	r.want("back new")
	r.keyOn("new")
	for i := range 100 {
		if it, err := r.client.Get(fmt.Sprint("key:", i)); !errors.Is(err, memcache.ErrCacheMiss) {
			t.Fatalf("%+v, %v", it, err)
		}
	}
	// The same name at another address is another server.
	if err := r.SetNodes([]lb.Node{{ID: "mc0", Addr: added.Addr}}); err != nil {
		t.Fatal(err)
	}
	r.want("back mc0")
	if st := r.Stats(); st.Purges != 2 || st.Nodes != 1 {
		t.Errorf("%+v", st)
	}
}
