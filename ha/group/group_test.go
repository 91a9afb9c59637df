package group_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha/group"
)

// The bus that other families ask for.
var _ interface {
	Publish(ctx context.Context, subject string, data []byte) error
	Subscribe(ctx context.Context, subject string, deliver func(data []byte)) error
} = (*group.Group)(nil)

func TestEachPublishersMessagesComeInOrderOnce(t *testing.T) {
	for _, level := range []group.Level{group.FIFO, group.BestEffort} {
		t.Run(level.String(), func(t *testing.T) {
			const messages = 500
			groups, _ := cluster(t, 3, nil)
			var boxes []*inbox
			for _, g := range groups {
				boxes = append(boxes, receive(t, g.At(level), "news.sport"))
			}
			for _, in := range boxes {
				for i, g := range groups {
					in.hears(t, g.At(level), "news.sport", fmt.Sprintf("ready %d", i))
				}
			}
			var begun []int // what came before all were ready
			for _, in := range boxes {
				begun = append(begun, in.len())
			}
			var wg sync.WaitGroup
			for _, g := range groups {
				wg.Go(func() {
					for k := range messages {
						if err := g.At(level).Publish(t.Context(), "news.sport", fmt.Appendf(nil, "%d", k)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			for i, in := range boxes {
				next := map[string]int{}
				until(t, "all messages", func() bool {
					n := 0
					for _, m := range in.all()[begun[i]:] {
						if m.Gap != nil {
							t.Fatalf("subscriber %d: %v", i, m.Gap)
						}
						if !strings.HasPrefix(string(m.Data), "ready") {
							n++
						}
					}
					return n >= 3*messages
				})
				for _, m := range in.all() {
					if strings.HasPrefix(string(m.Data), "ready") {
						continue
					}
					if want := fmt.Sprint(next[m.From]); string(m.Data) != want {
						t.Fatalf("subscriber %d: %s of %s, want %s", i, m.Data, m.From, want)
					}
					next[m.From]++
				}
			}
		})
	}
}

func TestLevelsDoNotHearEachOther(t *testing.T) {
	g, _ := start(t, group.Config{Name: "a"})
	in := receive(t, g.At(group.BestEffort), "x")
	in.hears(t, g.At(group.BestEffort), "x", "mine")
	if err := g.Publish(t.Context(), "x", []byte("other")); err != nil {
		t.Fatal(err)
	}
	in.hears(t, g.At(group.BestEffort), "x", "mine too")
	for _, m := range in.all() {
		if string(m.Data) == "other" {
			t.Error("a message of another level came")
		}
	}
}

func TestViewsTellWhoCameAndWent(t *testing.T) {
	addrs := freeAddrs(t, 3)
	a, _ := start(t, group.Config{Name: "a", Cluster: addrs[0], Seeds: addrs})
	var mu sync.Mutex
	var seen []string
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() {
		watched <- a.Watch(ctx, func(v group.View) {
			mu.Lock()
			defer mu.Unlock()
			for _, c := range v.Changes {
				seen = append(seen, c.Member.Name+" "+string(c.Cause))
			}
		})
	}()
	_, stopB := start(t, group.Config{Name: "b", Cluster: addrs[1], Seeds: addrs})
	members(t, a, 2)
	c, _ := start(t, group.Config{Name: "c", Cluster: addrs[2], Seeds: addrs})
	if v := members(t, c, 3); !v.Has("a") || !v.Has("b") || !v.Has("c") || v.Has("d") {
		t.Errorf("c sees %v", v.Members)
	}
	members(t, a, 3)
	stopB()
	members(t, a, 2)
	_, stopB = start(t, group.Config{Name: "b", Cluster: addrs[1], Seeds: addrs})
	members(t, a, 3)
	stopB()
	members(t, a, 2)
	cancel()
	if err := <-watched; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch = %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got, want := strings.Join(seen, ", "), "b joined, c joined, b left, b joined, b left"; got != want {
		t.Errorf("a saw %s, want %s", got, want)
	}
}

func TestTheLaterOfTwoWithOneNameIsRefused(t *testing.T) {
	addrs := freeAddrs(t, 2)
	start(t, group.Config{Name: "twin", Cluster: addrs[0], Seeds: addrs})
	second, err := group.New(group.Config{Name: "twin", Cluster: addrs[1], Seeds: addrs, Secret: secret, Heartbeat: beat})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := second.Run(ctx); !errors.Is(err, group.ErrNameTaken) {
		t.Errorf("Run = %v, want ErrNameTaken", err)
	}
	if err := second.Publish(ctx, "x", nil); !errors.Is(err, group.ErrClosed) {
		t.Errorf("Publish = %v, want ErrClosed", err)
	}
}

func TestMemberOfAnotherProcessesServer(t *testing.T) {
	a, _ := start(t, group.Config{Name: "a", Listen: "127.0.0.1:0"})
	listen, _, err := a.Addrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, _ := start(t, group.Config{Name: "b", URL: "nats://" + listen})
	members(t, a, 2)
	members(t, b, 2)
	in := receive(t, a.At(group.FIFO), "x")
	in.hears(t, b.At(group.FIFO), "x", "hello")
}

func TestWrongSecretIsNotHeard(t *testing.T) {
	a, _ := start(t, group.Config{Name: "a", Listen: "127.0.0.1:0"})
	listen, _, err := a.Addrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := group.New(group.Config{Name: "b", URL: "nats://user:hunter2@" + listen, Secret: []byte("not the secret of the group")})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Run(t.Context())
	if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "not the secret") {
		t.Errorf("Run = %v, want an error without passwords", err)
	}
}

func TestWrongConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  group.Config
		want string
	}{
		{group.Config{}, "Config.Name"},
		{group.Config{Name: "a b"}, "Config.Name"},
		{group.Config{Name: "a", Group: "*"}, "Config.Group"},
		{group.Config{Name: "a", Heartbeat: 1}, "Heartbeat"},
		{group.Config{Name: "a", Misses: -1}, "Misses"},
		{group.Config{Name: "a", Replicas: 2}, "Replicas"},
		{group.Config{Name: "a", Secret: []byte("short")}, "16"},
		{group.Config{Name: "a", Listen: "0.0.0.0:1"}, "Secret"},
		{group.Config{Name: "a", Cluster: "10.0.0.1:1"}, "Secret"},
		{group.Config{Name: "a", Cluster: "127.0.0.1:1", Seeds: []string{"10.0.0.1:1"}}, "Secret"},
		{group.Config{Name: "a", Seeds: []string{"127.0.0.1:1"}}, "Cluster"},
		{group.Config{Name: "a", URL: "nats://127.0.0.1:1", Dir: "x"}, "URL"},
		{group.Config{Name: "a", Listen: "nonsense"}, "nonsense"},
	} {
		if _, err := group.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%+v) = %v, want an error about %s", c.cfg, err, c.want)
		}
	}
}

func TestWrongUse(t *testing.T) {
	g, _ := start(t, group.Config{Name: "a"})
	ctx := t.Context()
	for _, subject := range []string{"", "a..b", "a.*", ">", "a b", "a\nb", strings.Repeat("x", 256)} {
		if err := g.Publish(ctx, subject, nil); err == nil {
			t.Errorf("Publish on %q succeeded", subject)
		}
		if err := g.Subscribe(ctx, subject, func([]byte) {}); err == nil {
			t.Errorf("Subscribe to %q succeeded", subject)
		}
	}
	if err := g.Publish(ctx, "x", make([]byte, group.MaxMessage+1)); !errors.Is(err, group.ErrTooLarge) {
		t.Errorf("Publish = %v, want ErrTooLarge", err)
	}
	if err := g.At(group.Ordered).Publish(ctx, "x", nil); !errors.Is(err, group.ErrUnordered) {
		t.Errorf("Publish without Dir = %v, want ErrUnordered", err)
	}
	if err := g.At(group.FIFO).Replay(ctx, "x", 0, func(group.Message) {}); err == nil {
		t.Error("Replay of FIFO succeeded")
	}
	if err := g.Run(ctx); err == nil {
		t.Error("a second Run succeeded")
	}
	in := receive(t, g.At(group.FIFO), "x")
	in.hears(t, g.At(group.FIFO), "x", strings.Repeat("x", group.MaxMessage))
}

func TestPublishWaitsForRun(t *testing.T) {
	g, err := group.New(group.Config{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := g.Publish(ctx, "x", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Publish = %v, want DeadlineExceeded", err)
	}
}
