package lb_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

func TestExplainSaysWhatBecameOfEachNode(t *testing.T) {
	p := newPool(t, lb.Config{
		Nodes: []lb.Node{attr("a"), attr("b"), attr("c"), attr("d"), attr("e", "tier", "1"), attr("f")},
		Limit: 2, Steps: []lb.Step{lb.ByTier()}, Panic: -1,
	})
	if err := p.SetDraining("a", true); err != nil {
		t.Fatal(err)
	}
	if err := p.SetHealthy("b", false); err != nil {
		t.Fatal(err)
	}
	var c *lb.Node
	for range 20 { // fill c
		l := acquire(t, p, lb.Request{})
		if l.Node().ID != "c" {
			l.Done(lb.Outcome{Latency: time.Millisecond})
			continue
		}
		if c = l.Node(); true {
			acquire(t, p, lb.Request{Exclude: without(p, "c")})
			break
		}
	}
	var d *lb.Node
	for _, n := range p.Nodes() {
		if n.Node.ID == "d" {
			d = n.Node
		}
	}
	if c == nil {
		t.Fatal("c was never chosen")
	}
	got, err := p.Explain(t.Context(), lb.Request{Exclude: []*lb.Node{d}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "draining", "b": "down", "c": "limit", "d": "excluded", "e": "step", "f": "chosen"}
	for _, ch := range got {
		if ch.Why != want[ch.Node.ID] || ch.Chosen != (ch.Why == "chosen") {
			t.Errorf("%s: %q, want %q", ch.Node.ID, ch.Why, want[ch.Node.ID])
		}
	}
}

// without lists all nodes but one.
func without(p *lb.Pool, id string) (list []*lb.Node) {
	for _, n := range p.Nodes() {
		if n.Node.ID != id {
			list = append(list, n.Node)
		}
	}
	return list
}

func TestHedgeTakesTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(2), Policy: lb.RoundRobin{}})
		var budget lb.Budget
		h := lb.Hedge{After: 10 * time.Millisecond, Budget: &budget}
		slow := "n00"
		f := func(ctx context.Context, n *lb.Node) (string, error) {
			if n.ID != slow {
				return n.ID, nil
			}
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(time.Second):
				return n.ID, nil
			}
		}
		begin := time.Now()
		for range 4 {
			if got, err := lb.Do(t.Context(), p, lb.Request{}, h, f, nil); err != nil || got != "n01" {
				t.Errorf("%q, %v", got, err)
			}
		}
		if d := time.Since(begin); d > 40*time.Millisecond || d < 10*time.Millisecond {
			t.Errorf("four requests took %v", d)
		}
		if s := p.Stats(); s.InFlight != 0 || s.Failed != 0 {
			t.Errorf("%+v: want nothing in flight, and no charge for the one that was cancelled", s)
		}
		none := lb.Budget{Share: -1, Floor: -1}
		begin = time.Now()
		for range 2 {
			if _, err := lb.Do(t.Context(), p, lb.Request{}, lb.Hedge{After: time.Millisecond, Budget: &none}, f, nil); err != nil {
				t.Error(err)
			}
		}
		if d := time.Since(begin); d != time.Second {
			t.Errorf("without a budget one of two requests to a slow node should take its second, both took %v", d)
		}
		bad := errors.New("made up")
		if _, err := lb.Do(t.Context(), p, lb.Request{}, h, func(context.Context, *lb.Node) (int, error) { return 0, bad }, nil); !errors.Is(err, bad) {
			t.Errorf("%v, want the error of f", err)
		}
	})
}
