package lbhttp

import (
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// switched passes on 101 Switching Protocols. What follows is the tunnel's,
// which begins outside of RawRead.
func (a *attempted) switched(b *backend, n int) (step, error) {
	c := a.c
	w := c.w
	if !w.req.upgrade || !w.res.upgrade || a.up != nil {
		return 0, a.broken(b, errUpgrade)
	}
	w.out = appendResponse(w.out[:0], &w.res, c.s.rules, ending{})
	b.start += n
	w.out = append(w.out, b.bytes()...) // the backend may have gone on at once
	b.release()
	if err := c.write(w.out); err != nil {
		a.gone = true
		return 0, a.broken(b, err)
	}
	return stepTunnel, nil
}

// tunnel moves bytes both ways until both sides have closed.
func (c *client) tunnel() {
	b, w := c.back, c.w
	class := lb.OK
	defer func() {
		c.back = nil
		b.close()
		c.lease.Done(lb.Outcome{Class: class})
	}()
	early := w.in[w.start:w.end] // the client may have gone on at once
	c.alarm.set(c.s.until(-1), watchNothing)
	b.conn.SetDeadline(time.Time{})
	if len(early) > 0 {
		if _, err := b.conn.Write(early); err != nil {
			class = lb.Failed
			return
		}
	}
	c.drop()
	limit := max(c.s.cfg.IdleTimeout, 0)
	if limit > 0 {
		limit = max(limit, time.Hour)
	}
	lbtcp.Relay(c.conn, b.conn, limit)
}
