package lb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

func TestLimitIsNeverExceeded(t *testing.T) {
	p := newPool(t, lb.Config{Nodes: nodes(4), Limit: 3, Queue: lb.Queue{Len: 1000, Wait: time.Minute}})
	var wg sync.WaitGroup
	var held [4]atomic.Int32 // leases out, by node
	for range 50 {
		wg.Go(func() {
			for range 40 {
				l, err := p.Acquire(t.Context(), lb.Request{})
				if err != nil {
					t.Error(err)
					return
				}
				n := &held[l.Node().ID[2]-'0']
				if n.Add(1) > 3 {
					t.Errorf("%s has more than 3", l.Node().ID)
				}
				runtime.Gosched()
				n.Add(-1)
				l.Done(lb.Outcome{})
			}
		})
	}
	wg.Wait()
	if s := p.Stats(); s.InFlight != 0 || s.Waiting != 0 {
		t.Errorf("at the end %+v", s)
	}
}

func TestQueueIsBoundedAndTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(1), Limit: 1, Queue: lb.Queue{Len: 1, Wait: time.Second}})
		l := acquire(t, p, lb.Request{})
		begin := time.Now()
		done := make(chan error)
		go func() {
			_, err := p.Acquire(t.Context(), lb.Request{})
			done <- err
		}()
		synctest.Wait()
		if _, err := p.Acquire(t.Context(), lb.Request{}); !errors.Is(err, lb.ErrQueueFull) {
			t.Errorf("a second one in a queue of one: %v", err)
		}
		if err := <-done; !errors.Is(err, lb.ErrQueueTimeout) || time.Since(begin) != time.Second {
			t.Errorf("%v after %v, want ErrQueueTimeout after a second", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := p.Acquire(ctx, lb.Request{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that ends: %v", err)
		}
		time.AfterFunc(time.Millisecond, func() { l.Done(lb.Outcome{}) })
		next := acquire(t, p, lb.Request{})
		next.Done(lb.Outcome{})
		if s := p.Stats(); s.Waiting != 0 || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// line are requests that queue in a bubble, each for a second's service.
type line struct {
	t  *testing.T
	p  *lb.Pool
	wg sync.WaitGroup

	mu    sync.Mutex
	order []uint8 // guarded by mu: tiers as they were served
}

func newLine(t *testing.T, p *lb.Pool) *line { return &line{t: t, p: p} }

// ask adds one at the end.
func (q *line) ask(tier uint8) {
	q.wg.Go(func() {
		l, err := q.p.Acquire(q.t.Context(), lb.Request{Tier: tier})
		if err != nil {
			q.t.Error(err)
			return
		}
		q.mu.Lock()
		q.order = append(q.order, tier)
		q.mu.Unlock()
		time.Sleep(time.Second)
		l.Done(lb.Outcome{})
	})
	synctest.Wait()
}

// served waits for all and returns their tiers in the order of service.
func (q *line) served() []uint8 {
	q.wg.Wait()
	return q.order
}

func TestTierThatFloodsKeepsOnlyItselfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(1), Limit: 1, Queue: lb.Queue{Len: 100, Wait: time.Hour}})
		l := acquire(t, p, lb.Request{})
		line := newLine(t, p)
		for range 50 {
			line.ask(0)
		}
		for range 3 {
			line.ask(1)
		}
		l.Done(lb.Outcome{})
		if got := fmt.Sprint(line.served()[:6]); got != "[0 1 0 1 0 1]" {
			t.Errorf("served in the order %v", got)
		}
	})
}

func TestBudgetBoundsRetriesInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := lb.Budget{Floor: -1}
		sent := 0
		const requests = 1000
		for range requests {
			b.Request()
			for sent++; b.Take(); sent++ { // everything fails and would be tried again
			}
		}
		if sent > 1.2*requests || sent < 1.19*requests {
			t.Errorf("%d sent for %d requests, want 1.2 times", sent, requests)
		}
		floor := lb.Budget{Share: -1, Floor: 2}
		n := 0
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			floor.Request()
			for floor.Take() {
				n++
			}
		}
		if n < 20 || n > 22 {
			t.Errorf("%d retries in ten seconds, want 2 a second", n)
		}
	})
}

func TestWaitersGetNodesThatJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(1), Limit: 2, Queue: lb.Queue{Len: 100, Wait: time.Hour}})
		var got atomic.Int32
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := p.Acquire(t.Context(), lb.Request{}); err != nil {
					t.Error(err)
				}
				got.Add(1)
			})
		}
		for n := 1; n <= 5; n++ {
			if err := p.Set(nodes(n)); err != nil {
				t.Fatal(err)
			}
			if synctest.Wait(); int(got.Load()) != 2*n {
				t.Errorf("with %d nodes %d have one, want two each", n, got.Load())
			}
		}
		wg.Wait()
	})
}

// Steps give tiers different nodes: one whose nodes are busy does not keep
// others from theirs, and waits for its own.
func TestTiersWaitForTheirOwnNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{
			Nodes: []lb.Node{attr("free", "tier", "0"), attr("paid", "tier", "1")},
			Steps: []lb.Step{lb.ByTier()}, Limit: 1, Queue: lb.Queue{Len: 10, Wait: time.Minute},
		})
		busy := acquire(t, p, lb.Request{})
		served := make(chan string, 10)
		for range 3 {
			go func() {
				l, err := p.Acquire(t.Context(), lb.Request{})
				if err != nil {
					t.Error(err)
					return
				}
				served <- l.Node().ID
				l.Done(lb.Outcome{})
			}()
		}
		synctest.Wait()
		for range 5 {
			l := acquire(t, p, lb.Request{Tier: 1})
			l.Done(lb.Outcome{})
		}
		if synctest.Wait(); len(served) != 0 {
			t.Errorf("tier 0 was served by %s", <-served)
		}
		busy.Done(lb.Outcome{})
		for range 3 {
			if id := <-served; id != "free" {
				t.Errorf("tier 0 was served by %s", id)
			}
		}
	})
}

// Once the first has waited for half of what it may, the last come is served
// first: it is in time.
func TestQueueServesTheLastFirstUnderOverload(t *testing.T) {
	for _, tt := range []struct {
		wait  time.Duration
		order string
	}{{time.Minute, "[0 1 2]"}, {1800 * time.Millisecond, "[2 1]"}} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, lb.Config{Nodes: nodes(1), Limit: 1, Queue: lb.Queue{Len: 10, Wait: tt.wait}})
			l := acquire(t, p, lb.Request{})
			var order []int
			var mu sync.Mutex
			var wg sync.WaitGroup
			for i := range 3 {
				wg.Go(func() {
					l, err := p.Acquire(t.Context(), lb.Request{})
					if err != nil {
						return
					}
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					time.Sleep(500 * time.Millisecond)
					l.Done(lb.Outcome{})
				})
				time.Sleep(400 * time.Millisecond)
			}
			l.Done(lb.Outcome{})
			wg.Wait()
			if got := fmt.Sprint(order); got != tt.order {
				t.Errorf("waiting at most %v: served %s, want %s", tt.wait, got, tt.order)
			}
			if s := p.Stats(); s.Waiting != 0 || s.InFlight != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Three nodes that slow down with what they have, twice as many clients as they
// can serve: the queue holds back what the limits do not let through.
func TestAdaptiveLimitWorksWithTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, lb.Config{Nodes: nodes(3), Adaptive: lb.Adaptive{On: true, Start: 40, Max: 60}, Queue: lb.Queue{Len: 1000, Wait: time.Minute}})
		var inFlight [3]atomic.Int32
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 120 {
			wg.Go(func() {
				for ctx.Err() == nil {
					l, err := p.Acquire(ctx, lb.Request{})
					if err != nil {
						return
					}
					n := &inFlight[l.Node().ID[2]-'0']
					d := 10 * time.Millisecond * time.Duration(max(n.Add(1), 8)) / 8 // eight cores
					time.Sleep(d)
					n.Add(-1)
					l.Done(lb.Outcome{Latency: d})
				}
			})
		}
		time.Sleep(30 * time.Second)
		for _, n := range p.Nodes() {
			if n.Limit < 6 || n.Limit > 20 {
				t.Errorf("%s of eight cores has the limit %d", n.Node.ID, n.Limit)
			}
		}
		s := p.Stats()
		if s.Waiting < 50 || s.Acquired < 30*2400*7/10 {
			t.Errorf("%+v, want about 70000 acquired, and the rest waiting", s)
		}
		cancel()
		wg.Wait()
		if s := p.Stats(); s.Waiting != 0 || s.InFlight != 0 {
			t.Errorf("at the end %+v", s)
		}
	})
}
