package lb_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// Busy is the sum of latencies, also beyond what one word holds, and also when
// the node changes.
func TestBusyIsTheSumOfLatencies(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(1), Policy: lb.Random{}})
	var sum time.Duration
	serve := func(n int, latency time.Duration) {
		for range n {
			l, err := p.Acquire(t.Context(), lb.Request{})
			if err != nil {
				t.Fatal(err)
			}
			l.Done(lb.Outcome{Latency: latency})
			sum += latency
		}
	}
	check := func(when string, err time.Duration) {
		if got := p.Nodes()[0].Busy; got < sum-err || got > sum+err {
			t.Errorf("%s: busy %v, want %v", when, got, sum)
		}
	}
	serve(1000, 1500*time.Microsecond)
	check("quick ones", time.Millisecond)
	serve(1, 3*time.Hour)
	check("a long one", time.Millisecond)
	serve(300_000, 7999*time.Millisecond) // a word holds 13 days
	check("more than a word holds", 300*time.Millisecond)
	moved := nodes(1)
	moved[0].Addr = "elsewhere:80"
	if err := p.Set(moved); err != nil {
		t.Fatal(err)
	}
	check("moved", 300*time.Millisecond)
	serve(10, time.Second)
	check("moved and used", 300*time.Millisecond)
}
