package lbtcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// Proxy carries TCP connections to the nodes of a pool. Its methods may be
// called concurrently.
type Proxy struct {
	cfg  Config
	mu   sync.Mutex
	open map[net.Conn]struct{} // guarded by mu: clients' connections
	wg   sync.WaitGroup

	draining                           atomic.Bool
	accepted, refused, failed, retries atomic.Int64
	sent, received                     atomic.Int64
}

// Stats counts since the start.
type Stats struct {
	Open     int64 // clients' connections now
	Accepted int64 // clients' connections ever
	Refused  int64 // closed because of how they begin, or by Route
	Failed   int64 // closed because no node accepted
	Retries  int64 // attempts to connect beyond a connection's first
	Sent     int64 // bytes to nodes, of connections that have ended
	Received int64 // bytes from nodes, likewise
}

// New checks cfg and returns a Proxy that does nothing until Run.
func New(cfg Config) (*Proxy, error) {
	cfg, err := cfg.fill()
	if err != nil {
		return nil, err
	}
	return &Proxy{cfg: cfg, open: make(map[net.Conn]struct{})}, nil
}

// Stats returns the counters.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	open := len(p.open)
	p.mu.Unlock()
	return Stats{
		Open:     int64(open),
		Accepted: p.accepted.Load(),
		Refused:  p.refused.Load(),
		Failed:   p.failed.Load(),
		Retries:  p.retries.Load(),
		Sent:     p.sent.Load(),
		Received: p.received.Load(),
	}
}

// Run serves the listeners, and closes them, until ctx ends or one of them
// fails. Then it accepts no more connections and waits for those there are, for
// as long as Config.Drain says, before it closes them. It returns
// context.Cause(ctx), or the listener's error. Run is called once.
func (p *Proxy) Run(ctx context.Context, listeners ...net.Listener) error {
	if len(listeners) == 0 {
		return errors.New("lbtcp: Run needs a listener")
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	hard, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() {
			if err := p.accept(hard, l); err != nil {
				stop(err)
			}
		})
	}
	<-ctx.Done()
	p.draining.Store(true)
	for _, l := range listeners {
		l.Close()
	}
	accepting.Wait()
	done := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(done)
	}()
	limit := time.NewTimer(p.cfg.Drain)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		giveUp()
		p.mu.Lock()
		p.cfg.Logger.Warn("connections are given up", "connections", len(p.open))
		for c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		<-done
	}
	return context.Cause(ctx)
}

// accept returns nil only after draining began.
func (p *Proxy) accept(ctx context.Context, l net.Listener) error {
	const first = 5 * time.Millisecond
	wait := first
	for {
		conn, err := l.Accept()
		if err != nil {
			if p.draining.Load() {
				return nil
			}
			//lint:ignore SA1019 out of descriptors: later there are some, and net has no other word for it
			if t, ok := errors.AsType[net.Error](err); ok && t.Temporary() {
				p.cfg.Logger.Warn("accept", "err", err)
				time.Sleep(wait)
				wait = min(2*wait, time.Second)
				continue
			}
			return err
		}
		wait = first
		p.accepted.Add(1)
		p.mu.Lock()
		p.open[conn] = struct{}{}
		p.mu.Unlock()
		p.wg.Add(1)
		go p.serve(ctx, conn)
	}
}

// serve takes one connection to a node, and leaves the rest to the relay.
func (p *Proxy) serve(ctx context.Context, conn net.Conn) {
	c := &Client{Source: addrPort(conn.RemoteAddr()), Destination: addrPort(conn.LocalAddr())}
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
		return
	}
	server, lease, err := p.connect(ctx, pool, req)
	if err != nil {
		p.failed.Add(1)
		if t := p.cfg.Trace.Done; t != nil {
			t(c, nil, 0, 0, err)
		}
		p.forget(conn)
		return
	}
	done := func(sent, received int64, err error) {
		p.sent.Add(sent)
		p.received.Add(received)
		// How long a connection lasts says nothing about the node's speed, and
		// who broke it nothing about its health: that is for the checks.
		lease.Done(lb.Outcome{})
		if t := p.cfg.Trace.Done; t != nil {
			t(c, lease.Node(), sent, received, err)
		}
		server.Close()
		p.forget(conn)
	}
	n, err := p.introduce(server, c, early)
	if err != nil {
		done(0, 0, err)
		return
	}
	client := conn
	if len(p.cfg.ProxyFrom) > 0 && !p.trusted(addrPort(conn.RemoteAddr())) {
		client = &unproxied{Conn: conn, begins: early}
	}
	startRelay(client, server, p.cfg.IdleTimeout, func(sent, received int64, err error) { done(sent+n, received, err) })
}

// forget ends a client's connection.
func (p *Proxy) forget(conn net.Conn) {
	conn.Close()
	p.mu.Lock()
	delete(p.open, conn)
	p.mu.Unlock()
	p.wg.Done()
}

// ErrNoRoute is the reason to refuse a connection for which Route has no pool.
var ErrNoRoute = errors.New("lbtcp: no route")

// introduce sends what comes before the client's next bytes, and returns how
// many of the client's it were.
func (p *Proxy) introduce(server net.Conn, c *Client, early []byte) (int64, error) {
	first := Header{c.Source, c.Destination}.Append(nil, p.cfg.ProxyTo)
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
