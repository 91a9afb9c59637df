package lb

import (
	"context"
	"errors"
	"time"
)

// Hedge sends a request a second time, to another node, when the first has not
// answered for a while, and takes whichever answers first (Dean and Barroso, The
// Tail at Scale). The other is cancelled, which costs its node nothing. Only
// requests that may be served twice may be hedged.
type Hedge struct {
	After  time.Duration // how long to wait for the first; required: about the 95th percentile
	Budget *Budget       // bounds the second ones; required. Do pays in for each request
}

// Do calls f with a node of the pool, and perhaps again with another one at the
// same time. f must return soon after its context ends. What the loser of the
// two returned goes to drop, if that is not nil, so that it can be closed. An
// error of the first before After is returned as it is: that is for a retry.
func Do[T any](ctx context.Context, p *Pool, r Request, h Hedge, f func(context.Context, *Node) (T, error), drop func(T)) (T, error) {
	var zero T
	if h.After <= 0 || h.Budget == nil {
		return zero, errors.New("lb: Hedge.After and Hedge.Budget are required")
	}
	h.Budget.Request()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 2)
	send := func(l Lease) {
		begin := time.Now()
		o := Outcome{Class: Failed}
		var a answer
		defer func() {
			o.Latency = time.Since(begin)
			l.Done(o)
			answers <- a
		}()
		a.err = errAborted // if f panics or ends its goroutine
		a.v, a.err = f(ctx, l.Node())
		o = Outcome{Err: a.err}
	}
	l, err := p.Acquire(ctx, r)
	if err != nil {
		return zero, err
	}
	first := l.Node()
	go send(l)
	out := 1
	timer := time.NewTimer(h.After)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if !h.Budget.Take() {
				continue
			}
			r.Exclude = append(r.Exclude[:len(r.Exclude):len(r.Exclude)], first)
			if l, err := p.Acquire(ctx, r); err == nil {
				out++
				go send(l)
			}
		case a := <-answers:
			if out--; a.err != nil && out > 0 && ctx.Err() == nil {
				continue // the other may still succeed
			}
			cancel()
			for ; out > 0; out-- { // f returns soon now
				if b := <-answers; b.err == nil && drop != nil {
					drop(b.v)
				}
			}
			return a.v, a.err
		}
	}
}

var errAborted = errors.New("lb: the request's function did not return")
