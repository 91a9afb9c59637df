package lb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Queue is where requests wait while all nodes that may take them are at their
// limit. Tiers take turns, so that one that floods keeps only its own waiting.
// Within a tier the first come is the first served, until it has waited for
// half of Wait: then there are more than can be served in time, and the last
// come is the first, who still can be, instead of everybody almost too late.
//
// Requests of a tier wait for each other also where candidacy steps leave them
// different nodes: give such classes tiers of their own.
type Queue struct {
	Len  int           // of each tier; default 0: nobody waits
	Wait time.Duration // for a place, then ErrQueueTimeout; default 1s
}

// errAtLimit says that there is nothing to choose from right now.
var errAtLimit = errors.New("lb: all nodes are at their limit")

// waitQueue does not know which nodes a tier may use: steps decide that. So
// whoever's turn it is tries, and if what got free is not for it, it takes its
// place again and the turn goes on to the next tier. Each tier fails at most
// once in a round, which is one release or change, so that nobody spins.
type waitQueue struct {
	Queue
	waiting atomic.Int32      // those that try just now included
	byTier  [256]atomic.Int32 // of these

	mu    sync.Mutex
	round uint64       // guarded by mu
	many  bool         // guarded by mu: in this round there may be room for more than one
	out   int          // guarded by mu: those that try just now
	tiers []*tierQueue // guarded by mu: those with somebody waiting, next first
}

type tierQueue struct {
	tier  uint8
	round uint64    // that somebody tried in vain
	list  []*waiter // first come first; not empty
}

type waiter struct {
	tier  uint8
	since time.Time
	turn  chan struct{} // has a token when it may try
	round uint64        // guarded by the queue's mu: that it tries in
}

func (q *waitQueue) init(c Queue) {
	q.Queue = c
	q.round = 1
	if q.Wait <= 0 {
		q.Wait = time.Second
	}
}

// busy reports whether requests of that tier wait.
func (q *waitQueue) busy(tier uint8) bool { return q.byTier[tier].Load() > 0 }

// enter returns a place in the queue, nil if it is full, and whether the caller
// should try at once: what got free while nobody of its tier waited was told to
// nobody.
func (q *waitQueue) enter(tier uint8) (w *waiter, now bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := q.find(tier); q.Len == 0 || i >= 0 && len(q.tiers[i].list) >= q.Len {
		return nil, false
	}
	w = &waiter{tier: tier, since: time.Now(), turn: make(chan struct{}, 1), round: q.round}
	q.waiting.Add(1)
	if q.byTier[tier].Add(1) == 1 {
		q.out++
		w.round-- // those behind it must hear of what got free before
		return w, true
	}
	q.line(w)
	return w, false
}

// wait returns nil when it is w's turn to try.
func (w *waiter) wait(ctx context.Context, late <-chan time.Time) error {
	select {
	case <-w.turn:
		return nil
	case <-late:
		return ErrQueueTimeout
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// again gives w its place back after it tried in vain, and another tier the
// turn. It reports whether w should try again at once, since something got free
// meanwhile.
func (q *waitQueue) again(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.round < q.round {
		w.round = q.round
		return true
	}
	q.out--
	q.line(w).round = q.round
	q.wake()
	return false
}

// leave is the end of waiting: w has a node, or is not served. Whoever has the
// turn goes before those who only may find more: else a tier's turn is worth
// nothing while others are quicker.
func (q *waitQueue) leave(w *waiter, served bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting.Add(-1)
	q.byTier[w.tier].Add(-1)
	if q.remove(w) {
		return // it was not its turn
	}
	q.out--
	switch {
	case w.round < q.round: // something got free while it tried
		q.round++
		q.many = true
		if q.out == 0 {
			q.wake()
		}
	case !served || q.many && q.out == 0:
		q.wake()
	}
}

// next begins a round: something got free, perhaps for more than one.
func (q *waitQueue) next(many bool) {
	if q.waiting.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.round++
	q.many = q.many || many
	q.wake()
}

// wake gives the turn to the next tier that did not fail in this round; mu is
// held.
func (q *waitQueue) wake() {
	i := slices.IndexFunc(q.tiers, func(t *tierQueue) bool { return t.round < q.round })
	if i < 0 {
		q.many = false
		return
	}
	t := q.tiers[i]
	k := 0
	if time.Since(t.list[0].since) > q.Wait/2 { // overload
		k = len(t.list) - 1
	}
	w := t.list[k]
	w.round = q.round
	q.tiers = slices.Delete(q.tiers, i, i+1)
	if t.list = slices.Delete(t.list, k, k+1); len(t.list) > 0 {
		q.tiers = append(q.tiers, t)
	}
	q.out++
	w.turn <- struct{}{}
}

// line puts w where its time puts it, and returns its tier; mu is held.
func (q *waitQueue) line(w *waiter) *tierQueue {
	i := q.find(w.tier)
	if i < 0 {
		i = len(q.tiers)
		q.tiers = append(q.tiers, &tierQueue{tier: w.tier})
	}
	t := q.tiers[i]
	k := len(t.list)
	for k > 0 && t.list[k-1].since.After(w.since) {
		k--
	}
	t.list = slices.Insert(t.list, k, w)
	return t
}

// remove takes w out, and reports whether it was there; mu is held.
func (q *waitQueue) remove(w *waiter) bool {
	i := q.find(w.tier)
	if i < 0 {
		return false
	}
	t := q.tiers[i]
	k := slices.Index(t.list, w)
	if k < 0 {
		return false
	}
	if t.list = slices.Delete(t.list, k, k+1); len(t.list) == 0 {
		q.tiers = slices.Delete(q.tiers, i, i+1)
	}
	return true
}

func (q *waitQueue) find(tier uint8) int {
	return slices.IndexFunc(q.tiers, func(t *tierQueue) bool { return t.tier == tier })
}
