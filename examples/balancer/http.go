package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// httpFront serves http by the library's own server.
func httpFront(o options, pool *lb.Pool, w *watch, log *slog.Logger) (*front, error) {
	s, err := lbhttp.NewServer(lbhttp.ServerConfig{
		Pool: pool, Rules: o.rules(), Drain: orNone(o.drain), Name: "balancer", Logger: log,
		Trace:  &lbhttp.Trace{Attempt: w.attempt},
		Choose: func(h *lbhttp.Head, r *lb.Request) { r.Key = keyOf(h.Client()) },
	})
	if err != nil {
		return nil, err
	}
	var forged atomic.Int64
	run := func(ctx context.Context, l net.Listener) error {
		l, err := o.introduced(l, &forged)
		if err != nil {
			return err
		}
		return s.Run(ctx, l)
	}
	return &front{run: run, stats: func() frontStats {
		s := s.Stats()
		return frontStats{s.Clients, s.Retries, s.Refused + forged.Load(), s.Failed}
	}}, nil
}

// rules believe -trust, unless it speaks in PROXY headers: then nobody says who
// the client is in HTTP.
func (o *options) rules() lbhttp.Rules {
	if o.proxyIn {
		return lbhttp.Rules{}
	}
	return lbhttp.Rules{Trusted: o.trust}
}

// introduced is l, or with -proxy-protocol in a listener whose clients are those
// of the PROXY headers. What is refused is counted.
func (o *options) introduced(l net.Listener, refused *atomic.Int64) (net.Listener, error) {
	if !o.proxyIn {
		return l, nil
	}
	return lbtcp.NewListener(lbtcp.ListenerConfig{
		Listener: l, From: o.trust, Refused: func(netip.AddrPort, error) { refused.Add(1) },
	})
}

// tlsFront serves https by net/http, which speaks HTTP/2.
func tlsFront(o options, pool *lb.Pool, w *watch, log *slog.Logger) (*front, error) {
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
	var clients, retries, refused, failed atomic.Int64
	trace := &lbhttp.Trace{Attempt: func(err *lbhttp.AttemptError, again bool) {
		w.attempt(err, again)
		if again {
			retries.Add(1)
		} else {
			failed.Add(1)
		}
	}}
	t, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: pool, HTTP2: o.h2c, Trace: trace, Choose: func(r *http.Request, lr *lb.Request) {
		lr.Tier = lbhttp.Tier(r.Context())
		if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			lr.Key = keyOf(a.Addr())
		}
	}})
	if err != nil {
		return nil, err
	}
	p, err := lbhttp.NewProxy(lbhttp.ProxyConfig{Transport: t, Rules: o.rules(), Name: "balancer", Logger: log, Identify: o.identify})
	if err != nil {
		return nil, err
	}
	run := func(ctx context.Context, l net.Listener) error {
		s := &http.Server{
			Handler: p, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
			ErrorLog: stdlog.New(handshakes{&refused, log}, "", 0),
			ConnState: func(_ net.Conn, s http.ConnState) {
				switch s {
				case http.StateNew:
					clients.Add(1)
				case http.StateClosed, http.StateHijacked:
					clients.Add(-1)
				}
			},
		}
		l, err := o.introduced(l, &refused)
		if err != nil {
			return err
		}
		return serveHTTP(ctx, s, tls.NewListener(l, conf), o.drain)
	}
	return &front{run: run, stats: func() frontStats {
		return frontStats{clients.Load(), retries.Load(), refused.Load(), failed.Load()}
	}}, nil
}

// handshakes takes what net/http has to say. Clients that fail to begin TLS are
// counted instead of logged: anybody can make as many of them as he likes.
type handshakes struct {
	refused *atomic.Int64
	log     *slog.Logger
}

func (h handshakes) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("http: TLS handshake error")) {
		h.refused.Add(1)
	} else {
		h.log.Warn(string(bytes.TrimSpace(line)))
	}
	return len(line), nil
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
