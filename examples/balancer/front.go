package main

import (
	"context"
	"hash/fnv"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
	"golang.org/x/sync/errgroup"
)

// front is what serves clients.
type front struct {
	run   func(context.Context, net.Listener) error
	stats func() frontStats
	open  func(addr string) error // opens what it needs beside the listener; nil: nothing
}

func newFront(o options, pool *lb.Pool, w *watch, log *slog.Logger) (*front, error) {
	switch {
	case o.mode == "tcp":
		return tcpFront(o, pool, w, log)
	case o.mode == "dns":
		return dnsFront(o, pool, w, log)
	case o.tlsCert != "":
		return tlsFront(o, pool, w, log)
	}
	return httpFront(o, pool, w, log)
}

// tcpFront passes connections on.
func tcpFront(o options, pool *lb.Pool, w *watch, log *slog.Logger) (*front, error) {
	cfg := lbtcp.Config{
		Drain: orNone(o.drain), Logger: log, Trace: &lbtcp.Trace{Connect: w.connect},
		Route: func(_ context.Context, c *lbtcp.Client) (*lb.Pool, lb.Request) {
			return pool, lb.Request{Key: keyOf(c.Source.Addr())}
		},
	}
	if o.proxyIn {
		cfg.ProxyFrom = o.trust
	}
	if o.proxyOut {
		cfg.ProxyTo = lbtcp.ProxyV2
	}
	p, err := lbtcp.New(cfg)
	if err != nil {
		return nil, err
	}
	run := func(ctx context.Context, l net.Listener) error { return p.Run(ctx, l) }
	return &front{run: run, stats: func() frontStats {
		s := p.Stats()
		return frontStats{s.Open, s.Retries, s.Refused, s.Failed}
	}}, nil
}

// dnsFront passes queries on that come by UDP, and connections beside them, for
// answers that are too long.
func dnsFront(o options, pool *lb.Pool, w *watch, log *slog.Logger) (*front, error) {
	tcp, err := tcpFront(o, pool, w, log)
	if err != nil {
		return nil, err
	}
	d, err := lbtcp.NewDNS(lbtcp.DNSConfig{Pool: pool, Logger: log})
	if err != nil {
		return nil, err
	}
	var conn net.PacketConn
	open := func(addr string) (err error) {
		conn, err = net.ListenPacket("udp", addr)
		return err
	}
	run := func(ctx context.Context, l net.Listener) error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return d.Run(ctx, conn) })
		g.Go(func() error { return tcp.run(ctx, l) })
		return g.Wait()
	}
	return &front{run: run, open: open, stats: func() frontStats {
		t, s := tcp.stats(), d.Stats()
		return frontStats{t.Clients, t.Retries + s.Retries, t.Refused + s.Dropped, t.Failed + s.Failed}
	}}, nil
}

// orNone is d as the library's configurations have it, where zero is a default.
func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// keyOf places a client for policies that hash, in all balancers alike.
func keyOf(a netip.Addr) uint64 {
	h := fnv.New64a()
	b := a.As16()
	h.Write(b[:])
	return h.Sum64()
}
