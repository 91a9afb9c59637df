package group

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// solo runs a member alone until the test ends.
func solo(t *testing.T, cfg Config) *Group {
	t.Helper()
	cfg.Heartbeat = 20 * time.Millisecond
	cfg.Misses = 500
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.pending = 1000
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	if err := g.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

// drop publishes a message that the network loses.
func (g *Group) drop(wire string, data []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.history.add(wire, data)
	g.recent[wire] = g.tailBeats()
}

// Whatever part of a stream is lost, its end too, all of it comes in order.
func TestLostMessagesAreRepaired(t *testing.T) {
	g := solo(t, Config{Name: "a"})
	got := listening(t, g)
	ctx := t.Context()
	first := <-sent(t, g, got)
	const messages = 3000
	for i := range messages {
		data := fmt.Appendf(nil, "%d", i)
		if i == messages-1 || rand.IntN(10) < 3 {
			g.drop("f.x", data)
		} else if err := g.Publish(ctx, "x", data); err != nil {
			t.Fatal(err)
		}
	}
	next := 0
	for next < messages {
		select {
		case m := <-got:
			if m.Gap != nil {
				t.Fatal(m.Gap)
			}
			if string(m.Data) == "ready" {
				continue
			}
			if string(m.Data) != fmt.Sprint(next) {
				t.Fatalf("message %s after %d, the first was %d", m.Data, next-1, first.Seq)
			}
			next++
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d messages came", next, messages)
		}
	}
	if s := g.Stats(); s.Repaired == 0 || s.Gaps != 0 {
		t.Errorf("stats %+v, want repairs and no gaps", s)
	}
}

// listening returns what comes on subject x until the test ends.
func listening(t *testing.T, g *Group) chan Message {
	got := make(chan Message, 1<<14)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = g.At(FIFO).Receive(ctx, "x", func(m Message) { m.Data = append([]byte(nil), m.Data...); got <- m })
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return got
}

// sent publishes until something comes, and returns a channel with it.
func sent(t *testing.T, g *Group, got chan Message) chan Message {
	t.Helper()
	for range 3000 {
		if err := g.Publish(t.Context(), "x", []byte("ready")); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-got:
			c := make(chan Message, 1)
			c <- m
			return c
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("nothing comes")
	return nil
}

// What is too old for the history is told, in its place, and counted.
func TestWhatCannotBeRepairedIsTold(t *testing.T) {
	g := solo(t, Config{Name: "a", History: 1000})
	got := listening(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	subscribed := make(chan error, 1)
	<-sent(t, g, got)
	wg.Go(func() { subscribed <- g.Subscribe(ctx, "x", func([]byte) {}) })
	time.Sleep(100 * time.Millisecond)
	if err := g.Publish(ctx, "x", []byte("before")); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		g.drop("f.x", fmt.Appendf(nil, "%0100d", i)) // the last nine or ten fit
	}
	if err := g.Publish(ctx, "x", []byte("after")); err != nil {
		t.Fatal(err)
	}
	var lost, came uint64
	for end := false; !end; {
		select {
		case m := <-got:
			switch {
			case m.Gap != nil:
				lost += m.Gap.Lost
			case string(m.Data) == "after":
				end = true
			case len(m.Data) == 100:
				came++
			}
		case <-time.After(30 * time.Second):
			t.Fatal("it hangs")
		}
	}
	if lost+came != 20 || lost == 0 || came == 0 {
		t.Errorf("%d came, %d told as lost, want 20 together, of both some", came, lost)
	}
	if s := g.Stats(); s.Lost < int64(lost) || s.Gaps == 0 {
		t.Errorf("stats %+v, want %d lost", s, lost)
	}
	if e, ok := errors.AsType[*GapError](<-subscribed); !ok || e.From != "a" || e.Subject != "x" || e.Lost == 0 {
		t.Errorf("Subscribe = %v, want the gap", e)
	}
}

// A subscriber that is too slow gets all the same, or is told.
func TestSlowSubscriberLosesNothingSilently(t *testing.T) {
	g := solo(t, Config{Name: "a"})
	const messages = 10_000
	var came, lost uint64
	open := make(chan struct{})
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		_ = g.At(BestEffort).Receive(ctx, "x", func(m Message) {
			if string(m.Data) == "ready" {
				return
			}
			<-open // closed when all are published
			if m.Gap != nil {
				lost += m.Gap.Lost
			} else {
				came++
			}
			if came+lost == messages {
				close(done)
			}
		})
	})
	for g.Stats().Received == 0 {
		if err := g.At(BestEffort).Publish(ctx, "x", []byte("ready")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	for range messages {
		if err := g.At(BestEffort).Publish(ctx, "x", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	close(open)
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Fatalf("%+v", g.Stats())
	}
	if lost == 0 {
		t.Error("nothing was dropped: the test shows nothing")
	}
}

// Frames that are forged, changed, sent again or meant for other subjects are
// not delivered.
func TestForgedAndRepeatedMessagesAreDropped(t *testing.T) {
	g := solo(t, Config{Name: "a", Secret: []byte("0123456789abcdef")})
	got := listening(t, g)
	ctx := t.Context()
	last := <-sent(t, g, got)
	name := g.subject("f.x")
	good := frame{kind: kindData, from: "a", epoch: g.link.epoch, seq: last.Seq, body: last.Data}
	raw := func(subject string, data []byte) {
		if err := g.link.nc.PublishMsg(&nats.Msg{Subject: subject, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	evil := good
	evil.seq, evil.body = last.Seq+1, []byte("evil")
	raw(name, evil.encode(nil, []byte("another key"), name))
	raw(name, evil.encode(nil, g.keys.frames, g.subject("f.y")))
	changed := evil.encode(nil, g.keys.frames, name)
	changed[len(changed)-frameMAC-1] ^= 1
	raw(name, changed)
	raw(name, nil)
	old := evil
	old.epoch--
	raw(name, old.encode(nil, g.keys.frames, name))
	for range 3 {
		raw(name, good.encode(nil, g.keys.frames, name))
	}
	if err := g.Publish(ctx, "x", []byte("end")); err != nil {
		t.Fatal(err)
	}
	for m := range got {
		if m.Gap != nil || string(m.Data) != "ready" && string(m.Data) != "end" {
			t.Fatalf("got %+v", m)
		}
		if string(m.Data) == "end" {
			break
		}
	}
	if s := g.Stats(); s.Forged != 4 || s.Stale != 1 || s.Duplicates < 3 {
		t.Errorf("stats %+v, want 4 forged, 1 stale, 3 duplicates", s)
	}
}
