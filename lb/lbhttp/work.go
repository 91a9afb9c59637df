package lbhttp

import (
	"io"

	"github.com/ashlar-go/ashlar/lb"
)

// work is the memory of a request in progress. Idle connections have none.
type work struct {
	in         []byte
	start, end int // the part of in that is not used up
	out        []byte
	body       []byte // the part of in that is the request's body
	req        request
	res        response
	chunks     chunks // the request's body
	answer     chunks // the response's
	limited    io.LimitedReader
	tried      []*lb.Node
	head       Head
	choice     lb.Request
}

// takeBody looks whether all of the body is in the buffer.
func (c *client) takeBody() (whole bool, err error) {
	w := c.w
	w.body = nil
	rest := w.in[w.start:w.end]
	switch {
	case w.req.chunked:
		w.chunks.reset(c.s.rules, c.s.cfg.MaxBody)
		from := 0
		for from < len(rest) && !w.chunks.done() {
			used, _, err := w.chunks.next(rest[from:])
			if err != nil {
				return false, err
			}
			from += used
		}
		done := w.chunks.done()
		w.chunks.reset(c.s.rules, c.s.cfg.MaxBody) // it is read again when it is sent
		if done {
			w.body = rest[:from]
			w.start += from
		}
		return done, nil
	case c.s.cfg.MaxBody > 0 && w.req.length > c.s.cfg.MaxBody:
		return false, errBody
	case w.req.length > int64(len(rest)):
		return false, nil
	case w.req.length > 0:
		w.body = rest[:w.req.length]
		w.start += int(w.req.length)
	}
	return true, nil
}

// hold gets memory for a request.
func (c *client) hold() *work {
	if c.w == nil {
		w, _ := c.s.works.Get().(*work)
		if w == nil {
			w = &work{in: make([]byte, c.s.cfg.MaxHead), out: make([]byte, 0, c.s.cfg.MaxHead)}
			w.req.fields = make([]field, 0, 32)
			w.res.fields = make([]field, 0, 32)
		}
		w.start, w.end = 0, 0
		c.w = w
	}
	return c.w
}

// drop gives it back.
func (c *client) drop() {
	if c.w != nil {
		clear(c.w.tried[:cap(c.w.tried)])
		c.w.limited.R, c.w.choice = nil, lb.Request{}
		c.s.works.Put(c.w)
		c.w = nil
	}
}
