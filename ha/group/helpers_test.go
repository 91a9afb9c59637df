package group_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha/group"
	"github.com/ashlar-go/ashlar/internal/testnet"
)

const (
	beat     = 50 * time.Millisecond
	patience = 30 * time.Second // longer than anything takes that happens at all
)

var secret = []byte("nobody knows this secret")

// start runs a member until the test ends, or until stop.
func start(t *testing.T, cfg group.Config) (g *group.Group, stop func()) {
	t.Helper()
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = beat
	}
	if cfg.Misses == 0 {
		cfg.Misses = 100 // a busy machine is no dead member
	}
	if cfg.Secret == nil {
		cfg.Secret = secret
	}
	g, err := group.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended error // once done is closed
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended = g.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if <-done; !errors.Is(ended, context.Canceled) {
			t.Errorf("%s: Run = %v", cfg.Name, ended)
		}
	})
	t.Cleanup(stop)
	wait, end := context.WithTimeout(t.Context(), patience)
	defer end()
	if _, _, err := g.Addrs(wait); err != nil {
		stop()
		t.Fatalf("%s: %v", cfg.Name, err)
	}
	return g, stop
}

// freeAddrs returns addresses on loopback where nobody listens.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	var list []string
	for range n {
		l := testnet.Listen(t)
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list
}

// cluster starts n members with servers that know each other.
func cluster(t *testing.T, n int, change func(i int, c *group.Config)) ([]*group.Group, []func()) {
	t.Helper()
	addrs := freeAddrs(t, n)
	groups, stops := make([]*group.Group, n), make([]func(), n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			cfg := group.Config{Name: fmt.Sprintf("m%d", i), Cluster: addrs[i], Seeds: addrs}
			if change != nil {
				change(i, &cfg)
			}
			groups[i], stops[i] = start(t, cfg)
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, g := range groups {
		members(t, g, n)
	}
	return groups, stops
}

// members waits until g sees n members.
func members(t *testing.T, g *group.Group, n int) group.View {
	t.Helper()
	var v group.View
	until(t, fmt.Sprintf("%d members", n), func() bool {
		v = g.View()
		return len(v.Members) == n
	})
	return v
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// inbox collects what a subscription gets.
type inbox struct {
	mu   sync.Mutex
	list []group.Message
	err  error
	over bool
}

// receive subscribes until the test ends.
func receive(t *testing.T, b *group.Bus, subject string) *inbox {
	t.Helper()
	in := new(inbox)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := b.Receive(ctx, subject, func(m group.Message) {
			m.Data = append([]byte(nil), m.Data...)
			in.mu.Lock()
			defer in.mu.Unlock()
			in.list = append(in.list, m)
		})
		in.mu.Lock()
		defer in.mu.Unlock()
		in.err, in.over = err, true
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return in
}

func (in *inbox) all() []group.Message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]group.Message(nil), in.list...)
}

func (in *inbox) len() int { return len(in.all()) }

// hears waits until messages get through from g to in, whatever was lost
// before the servers knew of the subscription.
func (in *inbox) hears(t *testing.T, b *group.Bus, subject, text string) {
	t.Helper()
	until(t, "a message from there", func() bool {
		if err := b.Publish(t.Context(), subject, []byte(text)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		for _, m := range in.all() {
			if string(m.Data) == text {
				return true
			}
		}
		return false
	})
}
