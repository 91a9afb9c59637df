package lbsql

import (
	"context"
	"sync/atomic"
	"time"
)

// hedged is l.start for a query that may be sent a second time: to another
// replica when the first has not answered for Config.HedgeAfter. It returns
// whose answer came first; the other one is cancelled. final says that both have
// failed: then the query has been tried often enough.
//
// The first is sent by the caller's own goroutine. The second has one, made by
// the timer, that ends with it: nobody waits for it when it has lost.
func (c *Cluster) hedged(ctx context.Context, l *lent, tried []*replica, j job) (winner *lent, sent, final bool, err error) {
	one, stopOne := context.WithCancel(ctx)
	two, stopTwo := context.WithCancel(ctx)
	var decided atomic.Bool
	second := make(chan *lent, 1) // nil: not sent, or not the winner
	timer := time.AfterFunc(c.cfg.HedgeAfter, func() {
		l2 := c.second(two, l.r, tried, j)
		if l2 != nil && !decided.CompareAndSwap(false, true) {
			l2.rows.Close()
			l2 = nil
		}
		if l2 != nil {
			stopOne()
		}
		second <- l2
	})
	sent, err = l.start(one, j)
	if timer.Stop() || err == nil && decided.CompareAndSwap(false, true) {
		stopTwo()
		l.rows.stop = stopOne
		if err != nil {
			stopOne()
		}
		return l, sent, false, err
	}
	// The second is under way, and the first has failed or was too late.
	l2 := <-second
	if l2 == nil {
		stopOne()
		stopTwo()
		return l, sent, true, err
	}
	if err == nil {
		l.rows.Close()
	} else {
		l.end()
	}
	c.count.hedgeWins.Add(1)
	l2.rows.stop = stopTwo
	return l2, true, false, nil
}

// second sends a query to another replica than the first, if there is one and
// the budget allows it. It returns nil unless that one has answered.
func (c *Cluster) second(ctx context.Context, first *replica, tried []*replica, j job) *lent {
	if !c.hedges.Take() {
		return nil
	}
	l, err := c.pick(ctx, append(tried[:len(tried):len(tried)], first))
	if l == nil || err != nil {
		return nil
	}
	c.count.hedges.Add(1)
	c.count.onReplica.Add(1)
	if _, err := l.start(ctx, j); err != nil {
		l.end()
		return nil
	}
	return l
}
