package lb_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

func TestNodeThatFailsInARowIsTakenOutAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := "n01"
		p := newPool(t, lb.Config{Nodes: nodes(4), Policy: lb.RoundRobin{}, Outlier: lb.Outlier{Eject: 10 * time.Second}})
		send := func(n int) (failed int) {
			for range n {
				l := acquire(t, p, lb.Request{})
				o := lb.Outcome{Latency: time.Millisecond}
				if l.Node().ID == bad {
					o.Class = lb.Failed
					failed++
				}
				l.Done(o)
			}
			return failed
		}
		if n := send(1000); n != 5 {
			t.Errorf("%d failed before it was taken out, want 5", n)
		}
		time.Sleep(11 * time.Second)
		if n := send(1000); n != 1 {
			t.Errorf("%d failed on trial, want 1", n)
		}
		time.Sleep(11 * time.Second)
		if n := send(1000); n != 0 {
			t.Errorf("%d failed while it was out for twice as long", n)
		}
		time.Sleep(11 * time.Second)
		bad = ""
		if got := shares(t, p, 400); got["n01"] == 0 || got["n01"] > 40 {
			t.Errorf("at its return it has %d of 400, want a small part", got["n01"])
		}
		time.Sleep(11 * time.Second)
		if got := shares(t, p, 400); got["n01"] != 100 {
			t.Errorf("after recovery it has %d of 400", got["n01"])
		}
		if s := p.Stats(); s.Ejections != 2 {
			t.Errorf("taken out %d times, want 2", s.Ejections)
		}
	})
}

func TestNotEverybodyIsTakenOut(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(20), Policy: lb.RoundRobin{}})
	for range 2000 {
		l := acquire(t, p, lb.Request{})
		l.Done(lb.Outcome{Class: lb.Failed})
	}
	if s := p.Stats(); s.Ejections != 2 || s.Usable != 18 {
		t.Errorf("all 20 fail: %d taken out, %d usable, want 2 and 18", s.Ejections, s.Usable)
	}
}

func TestSlowStartGivesANewNodeLessThanItsShare(t *testing.T) {
	for _, policy := range []lb.Policy{lb.RoundRobin{}, lb.LeastInFlight{}, lb.Marginal{}, lb.PowerOfD{}} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, lb.Config{Nodes: nodes(9), Policy: policy, SlowStart: 10 * time.Second})
			if got := shares(t, p, 900); len(got) != 9 {
				t.Errorf("%T: nodes of New are held back: %v", policy, got)
			}
			if err := p.Set(nodes(10)); err != nil {
				t.Fatal(err)
			}
			early, late := 0, 0
			for i := range 1000 { // 10 s, ten requests at a time
				var leases []lb.Lease
				for range 10 {
					l := acquire(t, p, lb.Request{})
					if l.Node().ID == "n09" {
						if i < 100 {
							early++
						} else if i >= 900 {
							late++
						}
					}
					leases = append(leases, l)
				}
				time.Sleep(10 * time.Millisecond)
				for k := range leases {
					leases[k].Done(lb.Outcome{Latency: 10 * time.Millisecond})
				}
			}
			// Its full share of each tenth is 100.
			if early < 1 || early > 15 || late > 105 {
				t.Errorf("%T: %d requests in the first second, %d in the tenth; want about 10 and at most 100", policy, early, late)
			}
		})
	}
}

func TestChecksTakeNodesOutAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken, asked atomic.Int32
		p := newPool(t, lb.Config{Nodes: nodes(3), Policy: lb.RoundRobin{}, Check: lb.Check{
			Func: func(ctx context.Context, n *lb.Node) error {
				asked.Add(1)
				if n.ID == "n01" && broken.Load() == 1 {
					<-ctx.Done() // hangs
					return ctx.Err()
				}
				return nil
			},
		}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if got := p.Stats().Usable; got != 3 || asked.Load() < 12 {
			t.Errorf("all well: %d usable after %d checks", got, asked.Load())
		}
		broken.Store(1)
		time.Sleep(11 * time.Second)
		if got := shares(t, p, 30); got["n01"] != 0 {
			t.Errorf("a node whose check hangs has %d of 30", got["n01"])
		}
		broken.Store(0)
		time.Sleep(5 * time.Second)
		if got := shares(t, p, 30); got["n01"] != 10 {
			t.Errorf("a node that is well again has %d of 30", got["n01"])
		}
		if err := p.Set(nodes(1)); err != nil { // checks of nodes that left end
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		before := asked.Load()
		time.Sleep(20 * time.Second)
		if n := asked.Load() - before; n < 9 || n > 12 {
			t.Errorf("%d checks of one node in 20 s", n)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestProbesGoToAllNodesAsOftenAsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		p := newPool(t, lb.Config{Nodes: nodes(10), Policy: lb.Marginal{Probes: 0.5}, Probe: func(context.Context, *lb.Node) (lb.Report, error) {
			asked.Add(1)
			return lb.Report{RIF: 1, Cores: 4, Slowness: time.Millisecond}, nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		for range 100 {
			shares(t, p, 4)
			time.Sleep(10 * time.Millisecond)
		}
		if n := asked.Load(); n < 198 || n > 200 {
			t.Errorf("%d probes for 400 requests, want half", n)
		}
		for _, n := range p.Nodes() {
			if n.Report == nil {
				t.Errorf("%s was never asked", n.Node.ID)
			}
		}
		cancel()
		<-done
	})
}

func TestNodeThatFailsMoreThanItsPeersIsTakenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(10), Policy: lb.RoundRobin{}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		for second := range 25 {
			time.Sleep(time.Second)
			for i := range 200 {
				l := acquire(t, p, lb.Request{})
				o := lb.Outcome{Latency: time.Millisecond}
				// Everybody fails now and then; n03 every other time, never five in a row.
				if i%97 == 0 || l.Node().ID == "n03" && i%20 < 10 {
					o.Class = lb.Failed
				}
				l.Done(o)
			}
			if n := p.Stats().Ejections; n != 0 && second < 15 {
				t.Fatalf("second %d: taken out already", second)
			}
		}
		for _, n := range p.Nodes() {
			if (n.State == "ejected") != (n.Node.ID == "n03") {
				t.Errorf("%s is %s", n.Node.ID, n.State)
			}
		}
		cancel()
		<-done
	})
}

// A node is not believed before its first check, and one success is enough then.
func TestNodeIsDownUntilCheckedIfFirstIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(3), Policy: lb.RoundRobin{}, Check: lb.Check{
			First: true, Rise: 3, Interval: 10 * time.Second,
			Func: func(_ context.Context, n *lb.Node) error {
				if n.ID == "n02" {
					return errors.New("not ready")
				}
				return nil
			},
		}})
		if _, err := p.Acquire(t.Context(), lb.Request{}); !errors.Is(err, lb.ErrNoNodes) {
			t.Errorf("before any check: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(1100 * time.Millisecond)
		if got := shares(t, p, 30); got["n00"] != 15 || got["n01"] != 15 {
			t.Errorf("after the first checks: %v", got)
		}
		if n := p.Nodes()[2]; n.State != "down" {
			t.Errorf("one whose first check failed is %s", n.State)
		}
		moved := nodes(4)
		moved[0].Addr = "elsewhere"
		if err := p.Set(moved); err != nil {
			t.Fatal(err)
		}
		if got := shares(t, p, 30); got["n01"] != 30 {
			t.Errorf("right after a node joined and one moved: %v", got)
		}
		time.Sleep(1100 * time.Millisecond)
		if got := shares(t, p, 30); len(got) != 3 {
			t.Errorf("a second later: %v", got)
		}
		cancel()
		<-done
	})
}

func TestNodeThatIsSlowerThanItsPeersIsTakenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(10), Policy: lb.RoundRobin{}, Outlier: lb.Outlier{Slow: 3}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		send := func(seconds int, slow map[string]time.Duration) {
			for range seconds {
				time.Sleep(time.Second)
				for range 200 {
					l := acquire(t, p, lb.Request{})
					l.Done(lb.Outcome{Latency: max(10*time.Millisecond, slow[l.Node().ID])})
				}
			}
		}
		state := func() (out []string) {
			for _, n := range p.Nodes() {
				if n.State == "ejected" {
					out = append(out, n.Node.ID)
				}
			}
			return out
		}
		send(25, map[string]time.Duration{"n07": 25 * time.Millisecond})
		if got := state(); got != nil {
			t.Errorf("2.5 times as slow: %v taken out", got)
		}
		// Two stand out, one of ten may be out: the slowest.
		send(25, map[string]time.Duration{"n07": 50 * time.Millisecond, "n03": 40 * time.Millisecond})
		if got := fmt.Sprint(state()); got != "[n07]" {
			t.Errorf("%v taken out, want n07", got)
		}
		send(60, nil)
		if got := state(); got != nil {
			t.Errorf("well again: %v taken out", got)
		}
		cancel()
		<-done
	})
}
