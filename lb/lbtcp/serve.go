package lbtcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// serve takes one connection to a node, and leaves the rest to a loop.
func (p *Proxy) serve(ctx context.Context, conn net.Conn) {
	c := &Client{Source: addrPort(conn.RemoteAddr()), Destination: addrPort(conn.LocalAddr())}
	guard := len(p.cfg.ProxyFrom) > 0 && !p.cfg.Peek && !among(p.cfg.ProxyFrom, c.Source)
	early, err := p.begin(conn, c)
	var pool *lb.Pool
	var req lb.Request
	if err == nil {
		if pool, req = p.cfg.Route(ctx, c); pool == nil {
			err = ErrNoRoute
		}
	}
	if err != nil {
		p.refused.Add(1)
		if t := p.cfg.Trace.Refused; t != nil {
			t(c.Source, err)
		}
		p.forget(conn)
		conn.Close()
		p.leave()
		return
	}
	server, lease, err := p.connect(ctx, pool, req)
	if err != nil {
		p.failed.Add(1)
		if t := p.cfg.Trace.Done; t != nil {
			t(c, nil, 0, 0, err)
		}
		p.forget(conn)
		conn.Close()
		p.leave()
		return
	}
	n, err := p.introduce(server, c, early)
	done := func(sent, received int64, err error) {
		p.sent.Add(n + sent)
		p.received.Add(received)
		// How long a connection lasts says nothing about the node's speed, and
		// who broke it nothing about its health: that is for the checks.
		lease.Done(lb.Outcome{})
		if t := p.cfg.Trace.Done; t != nil {
			t(c, lease.Node(), n+sent, received, err)
		}
		p.leave()
	}
	if err != nil {
		p.forget(conn)
		conn.Close()
		server.Close()
		done(0, 0, err)
		return
	}
	if loop := p.loops[p.turn.Add(1)%uint32(len(p.loops))]; loop.take(conn, server, guard, done) {
		p.forget(conn)
		return
	}
	client := conn
	if guard {
		client = &guarded{Conn: conn}
	}
	sent, received, err := Relay(client, server, p.cfg.IdleTimeout)
	p.forget(conn)
	done(sent, received, err)
}

// forget is for a connection that somebody else will close, or has closed.
func (p *Proxy) forget(conn net.Conn) {
	p.mu.Lock()
	delete(p.begun, conn)
	p.mu.Unlock()
}

// leave is the last thing that happens to a client's connection.
func (p *Proxy) leave() {
	p.open.Add(-1)
	p.wg.Done()
}

// ErrNoRoute is the reason to refuse a connection for which Route has no pool.
var ErrNoRoute = errors.New("lbtcp: no route")

// introduce sends what comes before the client's next bytes, and returns how
// many of the client's it were.
func (p *Proxy) introduce(server net.Conn, c *Client, early []byte) (int64, error) {
	h := Header{Source: c.Source, Destination: c.Destination, Authority: c.Hello.ServerName}
	if c.Header != nil && c.Header.Source.IsValid() {
		h = *c.Header // with all that it says
	}
	first := h.Append(nil, p.cfg.ProxyTo)
	first = append(first, early...)
	if len(first) == 0 {
		return 0, nil
	}
	server.SetWriteDeadline(time.Now().Add(max(p.cfg.HeadTimeout, time.Second)))
	if _, err := server.Write(first); err != nil {
		return 0, err
	}
	return int64(len(early)), server.SetWriteDeadline(time.Time{})
}

// connect asks for nodes until one accepts: no byte was sent, so that every
// protocol allows it.
func (p *Proxy) connect(ctx context.Context, pool *lb.Pool, req lb.Request) (net.Conn, lb.Lease, error) {
	var last error
	for attempt := 1; ; attempt++ {
		lease, err := pool.Acquire(ctx, req)
		if err != nil {
			return nil, lb.Lease{}, errors.Join(err, last)
		}
		begin := time.Now()
		conn, err := p.dial(ctx, lease.Node())
		if t := p.cfg.Trace.Connect; t != nil {
			t(lease.Node(), attempt, time.Since(begin), err)
		}
		if err == nil {
			return conn, lease, nil
		}
		o := lb.Outcome{Err: err, Latency: time.Since(begin), Class: lb.Failed}
		if ctx.Err() != nil {
			o.Class = lb.Canceled
		}
		req.Exclude = append(req.Exclude[:len(req.Exclude):len(req.Exclude)], lease.Node())
		last = fmt.Errorf("lbtcp: attempt %d, node %s: %w", attempt, lease.Node().ID, err)
		lease.Done(o)
		if attempt >= p.cfg.Attempts || ctx.Err() != nil {
			return nil, lb.Lease{}, last
		}
		p.retries.Add(1)
	}
}

func (p *Proxy) dial(ctx context.Context, n *lb.Node) (net.Conn, error) {
	if p.cfg.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.ConnectTimeout)
		defer cancel()
	}
	return p.cfg.Dial(ctx, n)
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
