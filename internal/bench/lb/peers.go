package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// The other proxies in Go, each with what its users would write.

// serveHTTP runs a handler on net/http until ctx ends.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	if err := s.Serve(l); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

type bufferPool struct{ sync.Pool }

func (p *bufferPool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }

func reverseProxy(backends []string, pooled bool) http.Handler {
	var next atomic.Uint64
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backends[next.Add(1)%uint64(len(backends))]})
			r.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
	if pooled {
		p.BufferPool = &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}
	}
	return p
}

func ourProxy(pool *lb.Pool) (http.Handler, error) {
	t, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: pool})
	if err != nil {
		return nil, err
	}
	return lbhttp.NewProxy(lbhttp.ProxyConfig{Transport: t})
}

func fastProxy(ctx context.Context, l net.Listener, backends []string) error {
	var clients []*fasthttp.HostClient
	for _, addr := range backends {
		clients = append(clients, &fasthttp.HostClient{Addr: addr, MaxConns: 1024})
	}
	var next atomic.Uint64
	s := &fasthttp.Server{Handler: func(c *fasthttp.RequestCtx) {
		c.Request.Header.Del("Connection")
		if err := clients[next.Add(1)%uint64(len(clients))].Do(&c.Request, &c.Response); err != nil {
			c.Error(err.Error(), 502)
		}
		c.Response.Header.Del("Connection")
	}}
	defer context.AfterFunc(ctx, func() { s.Shutdown() })()
	return s.Serve(l)
}
