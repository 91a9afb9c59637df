package lbhttp

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// exchange has the request in c.w answered and sends the answer. It is called
// with the alarm off. A request whose body is still to come is streamed.
func (c *client) exchange() step {
	w, s := c.w, c.s
	s.requests.Add(1)
	s.cfg.Budget.Request()
	streamed := w.body == nil && (w.req.chunked || w.req.length > 0)
	if w.req.upgrade && w.req.upgradesTo("h2c") {
		// Whoever spoke HTTP/2 through us would be past all rules.
		w.req.upgrade = false
	}
	c.dropForged()
	req := lb.Request{Tier: c.tier}
	w.tried = w.tried[:0]
	if s.cfg.Choose != nil {
		w.head, w.choice = Head{r: &w.req, client: c.peer.addr}, req
		s.cfg.Choose(&w.head, &w.choice)
		req = w.choice
	}
	var last error
	for attempt := 1; ; attempt++ {
		req.Exclude = w.tried
		c.alarm.set(s.until(-1), watchClient)
		lease, err := s.cfg.Pool.Acquire(&c.there, req)
		if !c.alarm.stop() {
			lease.Done(lb.Outcome{Class: lb.Canceled}) // if it is one
			s.aborted.Add(1)
			return stepClose
		}
		if err != nil {
			if last == nil {
				last = err
			}
			return c.fail(last, streamed)
		}
		node := lease.Node()
		a := attempted{c: c, node: node, number: attempt, begin: time.Now()}
		next, err := a.run(streamed)
		if next == stepTunnel {
			c.lease = lease // which ends with the tunnel
			return next
		}
		lease.Done(a.outcome(err))
		if err == nil {
			return next
		}
		if a.gone {
			s.aborted.Add(1)
			return stepClose
		}
		again := attempt < s.cfg.Attempts && mayRetry(a.phase, a.sent, w.req.idempotent, !streamed || !a.begun) && !a.answered
		if again {
			again = !a.sent || s.cfg.Budget.Take()
		}
		last = &AttemptError{Node: node, Attempt: attempt, Phase: a.phase, Sent: a.sent, Err: err}
		if t := s.cfg.Trace.Attempt; t != nil {
			t(last.(*AttemptError), again)
		}
		if !again {
			if a.answered { // the client has some of it already
				return stepClose
			}
			return c.fail(last, streamed)
		}
		s.retries.Add(1)
		w.tried = append(w.tried, node)
	}
}

// dropForged drops the fields that only Identify may set.
func (c *client) dropForged() {
	for _, name := range c.peer.names {
		for i := range c.w.req.fields {
			if f := &c.w.req.fields[i]; foldsTo(c.w.req.name(f), name) {
				f.drop = true
			}
		}
	}
}

// appendBody puts a body that is there as a whole behind the head.
func (c *client) appendBody() {
	w := c.w
	if !w.req.chunked {
		w.out = append(w.out, w.body...)
		return
	}
	w.chunks.reset(c.s.rules, 0)
	for rest := w.body; len(rest) > 0; {
		used, data, _ := w.chunks.next(rest) // takeBody has seen it
		if len(data) > 0 {
			w.out = appendChunk(w.out, data)
		}
		rest = rest[used:]
	}
	w.out = append(append(w.out, "0\r\n"...), w.chunks.trailer...)
}

// attempted is one attempt to have a request answered.
type attempted struct {
	c      *client
	node   *lb.Node
	number int
	begin  time.Time

	phase    Phase
	sent     bool // the node may have seen some of the request
	begun    bool // some of a streamed body was taken from the client
	answered bool // the client has seen some of an answer
	gone     bool // it was the client that failed
	stale    bool // a kept connection had been closed by the node
	rejected bool
	report   *lb.Report
	up       *upload
}

func (a *attempted) outcome(err error) lb.Outcome {
	o := lb.Outcome{Latency: time.Since(a.begin), Report: a.report}
	switch {
	case a.gone, a.stale:
		// That says nothing about the node: a connection that was closed while
		// it was idle is followed by another attempt.
		o.Class = lb.Canceled
	case err != nil:
		o.Class = lb.Failed
	case a.rejected:
		o.Class = lb.Rejected
	}
	return o
}

// run sends the request to the node and its answer to the client.
func (a *attempted) run(streamed bool) (step, error) {
	c := a.c
	s, w := c.s, c.w
	b, err := a.connect(streamed)
	if err != nil {
		return 0, err
	}
	// Written for each attempt: what was there may be an interim response now.
	w.out = appendRequest(w.out[:0], &w.req, &c.peer, s.rules)
	if w.body != nil {
		c.appendBody()
	}
	reused := b.used
	c.back = b
	a.phase = PhaseHeader
	if streamed {
		c.alarm.set(s.until(-1), watchClient) // the upload sets the limit when it is done
		a.sent, err = b.sendHead(w.out)
		if err == nil {
			a.up = c.startUpload(b)
			a.begun = true
			err = b.more()
		}
	} else {
		c.alarm.set(s.until(s.cfg.ResponseTimeout), watchClient)
		a.sent, err = b.send(w.out)
	}
	var n int
	if err == nil {
		n, err = a.head(b)
	}
	if !c.alarm.stop() && err == nil {
		err = errSlow
	}
	if err != nil {
		if errors.Is(err, io.EOF) || isReset(err) {
			a.stale = reused && b.end <= b.start
		}
		return 0, a.broken(b, err)
	}
	return a.deliver(b, n)
}

// connect finds a kept connection or makes one.
func (a *attempted) connect(streamed bool) (*backend, error) {
	c := a.c
	s := c.s
	up := s.ups.of(a.node.Addr)
	up.used.Store(s.now.Load())
	for {
		b := up.get()
		if b == nil {
			break
		}
		// A request that cannot be repeated is not sent by a connection that
		// the node has closed meanwhile.
		if (streamed || !c.w.req.idempotent || a.number > 1) && b.stale() {
			b.close()
			continue
		}
		return b, nil
	}
	ctx, cancel := context.Context(&c.there), context.CancelFunc(func() {})
	if s.cfg.ConnectTimeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	}
	c.alarm.set(s.until(-1), watchClient)
	conn, err := s.cfg.Dial(ctx, a.node)
	cancel()
	if !c.alarm.stop() {
		a.gone = true
		if err == nil {
			conn.Close()
			err = context.Canceled
		}
	}
	if err != nil {
		a.phase = PhaseDial
		return nil, err
	}
	return newBackend(conn, up, s.bufs), nil
}

// broken ends an attempt that failed. If it was the client who failed, a.gone
// says so.
func (a *attempted) broken(b *backend, err error) error {
	c := a.c
	b.conn.SetDeadline(past)
	if a.up != nil {
		if uerr := a.up.stop(); uerr != nil {
			err = uerr
			if errors.Is(uerr, os.ErrDeadlineExceeded) {
				uerr = errSlowBody
			}
			if r, ok := errors.AsType[*refusal](uerr); ok && !a.answered {
				c.refuse(r)
			}
			a.gone = true
		}
	}
	if c.gone {
		a.gone = true
	}
	c.back = nil
	b.close()
	c.base.SetDeadline(time.Time{}) // which the alarm may have set
	return err
}
