package lbhttp

import (
	"context"
	"errors"
	"io"
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
		lease, err := s.cfg.Pool.Acquire(s.ctx, req)
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
	w.chunks.reset(c.s.rules)
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
		c.alarm.set(s.until(-1), watchNothing) // the upload sets the limit when it is done
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
	ctx, cancel := s.ctx, context.CancelFunc(func() {})
	if s.cfg.ConnectTimeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	}
	conn, err := s.cfg.Dial(ctx, a.node)
	cancel()
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

// head reads the head of the answer, and passes on those before it that are
// not the last: 100 Continue, 103 Early Hints.
func (a *attempted) head(b *backend) (int, error) {
	c := a.c
	w := c.w
	for {
		n, err := w.res.parse(b.bytes(), c.s.rules)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			if b.end == len(b.buf) && !b.compact() {
				return 0, errTooLong
			}
			if err := b.more(); err != nil {
				return 0, err
			}
			continue
		}
		if w.res.status >= 200 || w.res.status == 101 {
			return n, nil
		}
		if w.req.minor == 1 {
			w.out = appendResponse(w.out[:0], &w.res, c.s.rules, ending{})
			if !c.alarm.stop() {
				return 0, errSlow
			}
			if err := c.write(w.out); err != nil {
				a.gone = true
				return 0, err
			}
			c.alarm.set(c.s.until(c.s.cfg.ResponseTimeout), watchClient)
		}
		b.start += n
		if b.start == b.end {
			if err := b.refill(); err != nil {
				return 0, err
			}
		}
	}
}

// deliver sends the answer whose head is the first n bytes that b holds.
func (a *attempted) deliver(b *backend, n int) (step, error) {
	c := a.c
	s, w := c.s, c.w
	res := &w.res
	a.phase = PhaseBody
	a.rejected = res.status == 429 || res.status == 503
	a.report = s.report(res)
	if res.status == 101 {
		return a.switched(b, n)
	}
	kind := res.body(w.req.isHead)
	e := ending{close: w.req.close || w.req.minor == 0 && !w.req.keepAlive || s.draining.Load()}
	if a.up != nil && !a.up.finished() {
		e.close = true // what is left of the request would be taken for the next
	}
	e.chunked = w.req.minor == 1 && (kind == bodyChunked || kind == bodyUntilClose) && !w.req.isHead
	if w.req.minor == 0 && (kind == bodyChunked || kind == bodyUntilClose) {
		e.close = true
	}
	if res.chunked && w.req.isHead && w.req.minor == 1 {
		e.chunked = true // what GET would have said
	}
	e.old = w.req.minor == 0
	w.out = appendResponse(w.out[:0], res, s.rules, e)
	reusable := res.reusable(kind)
	b.start += n
	var err error
	switch kind {
	case bodyNone:
		err = a.write(w.out)
	case bodyLength:
		err = a.sendLength(b, res.length)
	default:
		err = a.sendUnknown(b, kind, e)
	}
	if err != nil {
		return 0, a.broken(b, err)
	}
	if a.up != nil {
		if a.up.stop() != nil {
			e.close, reusable = true, false
		}
		c.base.SetReadDeadline(time.Time{})
	}
	c.back = nil
	if reusable && b.start == b.end {
		b.up.put(b, s.now.Load(), s.cfg.MaxIdle)
	} else {
		b.close()
	}
	if e.close {
		return stepClose, nil
	}
	return stepMore, nil
}
