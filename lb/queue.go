package lb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Queue is where requests wait while all nodes are at Config.Limit. Tiers take
// turns, so that one that floods keeps only its own waiting; within a tier the
// first come is the first served.
type Queue struct {
	Len  int           // of each tier; default 0: nobody waits
	Wait time.Duration // for a place, then ErrQueueTimeout; default 1s
}

// errAtLimit says that there is nothing to choose from right now.
var errAtLimit = errors.New("lb: all nodes are at their limit")

type waitQueue struct {
	Queue
	waiting atomic.Int32 // in all lists

	mu    sync.Mutex
	tiers []*tierQueue // guarded by mu: those with somebody waiting, next first
}

type tierQueue struct {
	tier uint8
	list []chan struct{} // first come first; closed when it is somebody's turn
}

func (q *waitQueue) init(c Queue) {
	q.Queue = c
	if q.Wait <= 0 {
		q.Wait = time.Second
	}
}

func (q *waitQueue) busy() bool { return q.waiting.Load() > 0 }

// next tells the first of the tier whose turn it is that a place may be free.
func (q *waitQueue) next() {
	if q.waiting.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tiers) == 0 {
		return
	}
	t := q.tiers[0]
	q.tiers = slices.Delete(q.tiers, 0, 1)
	close(t.list[0])
	q.waiting.Add(-1)
	if t.list = slices.Delete(t.list, 0, 1); len(t.list) > 0 {
		q.tiers = append(q.tiers, t)
	}
}

// wait returns when it is the caller's turn to try. front puts it before all
// others: it was its turn, and the place went to somebody else.
func (q *waitQueue) wait(ctx context.Context, tier uint8, front bool, room func() bool) error {
	turn := make(chan struct{})
	if !q.join(turn, tier, front) {
		return ErrQueueFull
	}
	if room() { // a lease ended before we were in the queue
		q.next()
	}
	timer := time.NewTimer(q.Wait)
	defer timer.Stop()
	select {
	case <-turn:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	if q.leave(turn, tier) {
		q.next() // it was our turn: somebody else's now
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return ErrQueueTimeout
}

func (q *waitQueue) join(turn chan struct{}, tier uint8, front bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.tiers, func(t *tierQueue) bool { return t.tier == tier })
	switch {
	case q.Len == 0 || i >= 0 && len(q.tiers[i].list) >= q.Len && !front:
		return false
	case i < 0 && front:
		q.tiers = slices.Insert(q.tiers, 0, &tierQueue{tier: tier, list: []chan struct{}{turn}})
	case i < 0:
		q.tiers = append(q.tiers, &tierQueue{tier: tier, list: []chan struct{}{turn}})
	case front:
		q.tiers[i].list = slices.Insert(q.tiers[i].list, 0, turn)
	default:
		q.tiers[i].list = append(q.tiers[i].list, turn)
	}
	q.waiting.Add(1)
	return true
}

// leave takes turn out, and reports whether its turn had come already.
func (q *waitQueue) leave(turn chan struct{}, tier uint8) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, t := range q.tiers {
		if t.tier != tier {
			continue
		}
		if k := slices.Index(t.list, turn); k >= 0 {
			q.waiting.Add(-1)
			if t.list = slices.Delete(t.list, k, k+1); len(t.list) == 0 {
				q.tiers = slices.Delete(q.tiers, i, i+1)
			}
			return false
		}
	}
	return true
}
