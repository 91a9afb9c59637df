package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
	"golang.org/x/sync/errgroup"
)

// serve runs until ctx ends, and returns nil then.
func serve(ctx context.Context, o options, stdout io.Writer, log *slog.Logger) error {
	cfg := lb.Config{
		Nodes: o.backends, Policy: o.policy, SlowStart: o.slowStart, Limit: o.limit, Queue: lb.Queue{Len: o.queue}, Logger: log,
		Check: lb.Check{Func: o.probe, Interval: o.interval, Rise: o.rise, Fall: o.fall},
	}
	tiered := func(n lb.Node) bool { return n.Attr["tier"] != "" }
	if len(o.tiers) > 0 || o.backendFile != "" || slices.ContainsFunc(o.backends, tiered) {
		cfg.Steps = []lb.Step{lb.ByTier()}
	}
	pool, err := lb.New(cfg)
	if err != nil {
		return err
	}
	front, err := newFront(o, pool, log)
	if err != nil {
		return err
	}
	page, err := newAdmin(o, pool)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	g, ctx := errgroup.WithContext(ctx)
	if o.admin != "" {
		al, err := net.Listen("tcp", o.admin)
		if err != nil {
			return err
		}
		defer al.Close()
		g.Go(func() error {
			return serveHTTP(ctx, &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second}, al, time.Second)
		})
		fmt.Fprintln(stdout, "listening on", al.Addr(), "(status)")
	}
	if o.backendFile != "" {
		g.Go(func() error { return reload(ctx, o, pool, log) })
	}
	g.Go(func() error { return pool.Run(ctx) })
	g.Go(func() error { return front(ctx, l) })
	fmt.Fprintln(stdout, "listening on", l.Addr())
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// newFront returns what serves clients.
func newFront(o options, pool *lb.Pool, log *slog.Logger) (func(context.Context, net.Listener) error, error) {
	switch {
	case o.mode == "tcp":
		cfg := lbtcp.Config{Drain: o.drain, Logger: log, Route: func(_ context.Context, c *lbtcp.Client) (*lb.Pool, lb.Request) {
			return pool, lb.Request{Key: keyOf(c.Source.Addr())}
		}}
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
		return func(ctx context.Context, l net.Listener) error { return p.Run(ctx, l) }, nil
	case o.tlsCert != "":
		return tlsFront(o, pool, log)
	}
	s, err := lbhttp.NewServer(lbhttp.ServerConfig{
		Pool: pool, Rules: lbhttp.Rules{Trusted: o.trust}, Drain: o.drain, Name: "balancer", Logger: log,
		Choose: func(h *lbhttp.Head, r *lb.Request) { r.Key = keyOf(h.Client()) },
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, l net.Listener) error { return s.Run(ctx, l) }, nil
}

// tlsFront serves https by net/http, which speaks HTTP/2.
func tlsFront(o options, pool *lb.Pool, log *slog.Logger) (func(context.Context, net.Listener) error, error) {
	cert, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("-tls-cert: %w", err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if o.clientCA != "" {
		pem, err := os.ReadFile(o.clientCA)
		if err != nil {
			return nil, fmt.Errorf("-client-ca: %w", err)
		}
		conf.ClientCAs, conf.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !conf.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("-client-ca: %s holds no certificate", o.clientCA)
		}
	}
	t, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: pool, HTTP2: o.h2c, Choose: func(r *http.Request, lr *lb.Request) {
		lr.Tier = lbhttp.Tier(r.Context())
		if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			lr.Key = keyOf(a.Addr())
		}
	}})
	if err != nil {
		return nil, err
	}
	p, err := lbhttp.NewProxy(lbhttp.ProxyConfig{Transport: t, Rules: lbhttp.Rules{Trusted: o.trust}, Name: "balancer", Logger: log, Identify: o.identify})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, l net.Listener) error {
		s := &http.Server{Handler: p, TLSConfig: conf, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
		return serveHTTP(ctx, s, tls.NewListener(l, conf), o.drain)
	}, nil
}

// identify makes a client's tier of its certificate's organizational unit, and
// tells the backends who it is.
func (o *options) identify(s *tls.ConnectionState) lbhttp.Identity {
	if len(s.VerifiedChains) == 0 {
		return lbhttp.Identity{}
	}
	leaf := s.VerifiedChains[0][0]
	id := lbhttp.Identity{Fields: [][2]string{{"X-Client-Cert-Subject", leaf.Subject.String()}}}
	for _, unit := range leaf.Subject.OrganizationalUnit {
		id.Tier = max(id.Tier, o.tiers[unit])
	}
	return id
}

// serveHTTP serves until ctx ends, and waits then for requests in progress.
func serveHTTP(ctx context.Context, s *http.Server, l net.Listener, drain time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if s.Shutdown(wait) != nil {
		s.Close()
	}
	return context.Cause(ctx)
}

// reload reads the backends anew on SIGHUP. A file with a mistake changes
// nothing.
func reload(ctx context.Context, o options, pool *lb.Pool, log *slog.Logger) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-hup:
		}
		nodes, err := readBackends(o.backendFile)
		if err == nil {
			err = pool.Set(nodes)
		}
		if err != nil {
			log.Error("the backends stay as they are", "err", err)
			continue
		}
		log.Info("backends read", "file", o.backendFile, "backends", len(nodes))
	}
}

// keyOf places a client for policies that hash, in all balancers alike.
func keyOf(a netip.Addr) uint64 {
	h := fnv.New64a()
	b := a.As16()
	h.Write(b[:])
	return h.Sum64()
}
