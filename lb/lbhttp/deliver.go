package lbhttp

import "time"

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
	a.report = res.loadReport()
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
