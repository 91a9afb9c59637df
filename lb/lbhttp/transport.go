package lbhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// TransportConfig says how a [Transport] works. Only Pool is required.
type TransportConfig struct {
	// Pool chooses a node for every request. Required.
	Pool *lb.Pool
	// Choose, if set, fills in what the pool is to know of a request, such as a
	// key or a tier; Any is the request already.
	Choose func(r *http.Request, lr *lb.Request)
	// Attempts bounds the nodes that a request is sent to; default 3.
	Attempts int
	// Budget bounds the retries of requests that a node may have seen, so that
	// an outage of all nodes is not made worse; default &lb.Budget{}, which is
	// a fifth of the requests and ten a second.
	Budget *lb.Budget

	// HTTP2 speaks HTTP/2 to nodes: by prior knowledge (h2c) unless TLS is set.
	// gRPC needs it.
	HTTP2 bool
	// TLS is how nodes are spoken to by https; default http.
	TLS *tls.Config
	// ConnectTimeout bounds connecting to a node; default 3 s, negative no
	// limit. With TLS the handshake has as much again.
	ConnectTimeout time.Duration
	// ResponseTimeout bounds the wait for the head of a response from the end
	// of the request; default and negative no limit but the request's context.
	ResponseTimeout time.Duration
	// MaxIdle bounds the idle connections to a node; default 256.
	MaxIdle int
	// Base sends requests to nodes instead of a transport made from the fields
	// above: a request's URL says which node. Default none.
	Base http.RoundTripper

	// Trace is called as things happen; default none.
	Trace *Trace
}

// Transport is an http.RoundTripper that sends each request to a node of a
// pool, whatever host its URL names; the Host field stays what it was. A request
// is in flight until its response's body was read to the end or closed.
//
// An attempt that failed is followed by one on another node if nothing of the
// request can have been seen, or if its method is idempotent (RFC 9110, section
// 9.2.2), and if its body is there again: none, or with http.Request.GetBody, or
// not touched. The error is an [*AttemptError], or that of Pool.Acquire.
// It is safe for concurrent use.
type Transport struct {
	cfg    TransportConfig
	base   http.RoundTripper
	scheme string
}

// NewTransport checks cfg and returns a Transport.
func NewTransport(cfg TransportConfig) (*Transport, error) {
	if cfg.Pool == nil {
		return nil, errors.New("lbhttp: TransportConfig.Pool is required")
	}
	if cfg.Attempts < 0 || cfg.MaxIdle < 0 {
		return nil, fmt.Errorf("lbhttp: TransportConfig.Attempts is %d and MaxIdle %d, want at least 0", cfg.Attempts, cfg.MaxIdle)
	}
	if cfg.Budget == nil {
		cfg.Budget = new(lb.Budget)
	}
	orDefault(&cfg.Attempts, 3)
	orDefault(&cfg.MaxIdle, 256)
	orDefault(&cfg.ConnectTimeout, 3*time.Second)
	if cfg.Trace == nil {
		cfg.Trace = &Trace{}
	}
	t := &Transport{cfg: cfg, base: cfg.Base, scheme: "http"}
	if cfg.TLS != nil {
		t.scheme = "https"
	}
	if t.base == nil {
		t.base = newBase(cfg)
	}
	return t, nil
}

func newBase(cfg TransportConfig) *http.Transport {
	dialer := net.Dialer{Timeout: max(cfg.ConnectTimeout, 0)}
	base := &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   max(cfg.ConnectTimeout, 0),
		ResponseHeaderTimeout: max(cfg.ResponseTimeout, 0),
		MaxIdleConnsPerHost:   cfg.MaxIdle,
		IdleConnTimeout:       20 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // what a backend sends is what the client gets
		Protocols:             new(http.Protocols),
	}
	if cfg.TLS != nil {
		base.TLSClientConfig = cfg.TLS.Clone()
	}
	switch {
	case !cfg.HTTP2:
		base.Protocols.SetHTTP1(true)
	case cfg.TLS != nil:
		base.Protocols.SetHTTP2(true)
	default:
		base.Protocols.SetUnencryptedHTTP2(true)
	}
	return base
}

// CloseIdleConnections closes connections to nodes that no request uses.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.cfg.Budget.Request()
	lr := lb.Request{Any: req}
	if t.cfg.Choose != nil {
		t.cfg.Choose(req, &lr)
	}
	var body *onceBody
	if req.Body != nil && req.Body != http.NoBody {
		body = &onceBody{ReadCloser: req.Body}
	}
	resp, err := t.roundTrip(req, body, lr)
	body.leave(err != nil)
	return resp, err
}

func (t *Transport) roundTrip(req *http.Request, body *onceBody, lr lb.Request) (*http.Response, error) {
	var last error
	for attempt := 1; ; attempt++ {
		lease, err := t.cfg.Pool.Acquire(req.Context(), lr)
		if err != nil {
			if last == nil {
				last = err
			}
			return nil, last
		}
		resp, ae := t.attempt(req, body, lease, attempt)
		if ae == nil {
			return resp, nil
		}
		last = ae
		again := attempt < t.cfg.Attempts && req.Context().Err() == nil &&
			mayRetry(ae.Phase, ae.Sent, idempotent(req), body.whole(req))
		if again {
			again = !ae.Sent || t.cfg.Budget.Take()
		}
		if f := t.cfg.Trace.Attempt; f != nil {
			f(ae, again)
		}
		if !again {
			return nil, last
		}
		lr.Exclude = append(lr.Exclude[:len(lr.Exclude):len(lr.Exclude)], ae.Node)
	}
}

// attempt sends the request to the lease's node.
func (t *Transport) attempt(req *http.Request, body *onceBody, lease lb.Lease, number int) (*http.Response, *AttemptError) {
	begin := time.Now()
	node := lease.Node()
	out, err := t.outgoing(req, body, node)
	var resp *http.Response
	phase, sent := PhaseDial, false
	if err == nil {
		resp, err = t.base.RoundTrip(out)
		phase, sent = PhaseHeader, true
		if err != nil && beforeRequest(err) {
			phase, sent = PhaseDial, false
		}
	}
	if err != nil {
		o := lb.Outcome{Class: lb.Failed, Latency: time.Since(begin)}
		if errors.Is(context.Cause(req.Context()), context.Canceled) {
			o.Class = lb.Canceled
		}
		lease.Done(o)
		return nil, &AttemptError{Node: node, Attempt: number, Phase: phase, Sent: sent, Err: err}
	}
	held := &leaseBody{ReadCloser: resp.Body, lease: lease, begin: begin, ctx: req.Context()}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		held.class = lb.Rejected
	}
	held.report = takeReport(resp.Header)
	resp.Request = req
	if rw, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		held.tunnel = true
		resp.Body = &tunnelBody{held, rw}
	} else {
		resp.Body = held
	}
	return resp, nil
}

// outgoing is the request as the node gets it.
func (t *Transport) outgoing(req *http.Request, body *onceBody, node *lb.Node) (*http.Request, error) {
	out := req.WithContext(req.Context())
	u := *req.URL
	u.Scheme, u.Host = t.scheme, node.Addr
	out.URL = &u
	if out.Host == "" {
		out.Host = req.URL.Host
	}
	if body == nil {
		return out, nil
	}
	out.Body = body
	if body.touched() {
		fresh, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = fresh
	}
	// The base transport would send a body again by itself, on the same node.
	out.GetBody = nil
	return out, nil
}

// idempotent is RFC 9110's notion.
func idempotent(r *http.Request) bool {
	switch r.Method {
	case "", "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// beforeRequest reports whether an error is one of connecting.
func beforeRequest(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, dns := errors.AsType[*net.DNSError](err)
	return verification || record || dns
}
