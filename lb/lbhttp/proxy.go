package lbhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// ProxyConfig says how a [Proxy] works. Only Transport is required.
type ProxyConfig struct {
	// Transport sends the requests on: a [*Transport]. Required.
	Transport http.RoundTripper
	// Rules says which fields pass.
	Rules Rules
	// Identify says who the client is by its verified certificate. It is called
	// for each request that came by TLS; its tier is in the request's context,
	// where [Tier] finds it.
	Identify func(*tls.ConnectionState) Identity
	// Name is what the proxy calls itself in Proxy-Status (RFC 9209); default
	// "lb".
	Name string
	// IdleTimeout closes upgraded connections on which nothing moves; default
	// one hour, negative never.
	IdleTimeout time.Duration
	// Logger hears of state changes, never of single requests; default none.
	Logger *slog.Logger
}

// Proxy is a reverse proxy as an http.Handler: for HTTP/2, gRPC, and servers
// that do other things too. It passes on trailers, 1xx responses and upgrades,
// and streams both ways. For plain HTTP/1.1 a [Server] costs a third of it.
type Proxy struct {
	cfg   ProxyConfig
	rules *rules
}

// NewProxy checks cfg and returns a Proxy.
func NewProxy(cfg ProxyConfig) (*Proxy, error) {
	if cfg.Transport == nil {
		return nil, errors.New("lbhttp: ProxyConfig.Transport is required")
	}
	ru, err := cfg.Rules.compile()
	if err != nil {
		return nil, err
	}
	if cfg.Name == "" {
		cfg.Name = "lb"
	}
	if !all([]byte(cfg.Name), &tokenTable) {
		return nil, errors.New("lbhttp: ProxyConfig.Name is no token")
	}
	orDefault(&cfg.IdleTimeout, time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Proxy{cfg: cfg, rules: ru}, nil
}

type tierKey struct{}

// Tier returns the class that ProxyConfig.Identify gave to a request, 0 without
// one: for TransportConfig.Choose.
func Tier(ctx context.Context) uint8 {
	tier, _ := ctx.Value(tierKey{}).(uint8)
	return tier
}

// ServeHTTP implements http.Handler. It panics with http.ErrAbortHandler when a
// response breaks off, which makes the server break off too.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := targetStatus(r); status != 0 {
		p.answer(w, status, "http_request_error")
		return
	}
	ctx := r.Context()
	var id Identity
	if r.TLS != nil && p.cfg.Identify != nil {
		id = p.cfg.Identify(r.TLS)
		ctx = context.WithValue(ctx, tierKey{}, id.Tier)
	}
	// The server would take what is left of the request's body for itself as soon
	// as the answer begins, also where the transport has only its end to read, and
	// the answer would break off. HTTP/2 needs no permission.
	_ = http.NewResponseController(w).EnableFullDuplex()
	interim := &interims{w: w, rules: p.rules}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: interim.got})
	out := p.outgoing(r.WithContext(ctx), id)
	resp, err := p.cfg.Transport.RoundTrip(out)
	interim.end()
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		p.tunnel(w, r, out, resp)
		return
	}
	defer resp.Body.Close()
	h := w.Header()
	p.rules.responseHeader(h, resp.Header, resp.ProtoMajor, resp.ProtoMinor)
	var announced []string
	for name := range resp.Trailer {
		announced = append(announced, name)
		h.Add("Trailer", name)
	}
	w.WriteHeader(resp.StatusCode)
	if len(announced) > 0 || resp.ContentLength < 0 {
		// A client that waits for the head, of gRPC for instance, gets it now.
		http.NewResponseController(w).Flush()
	}
	if r.Method != "HEAD" {
		if err := copyBody(w, resp.Body, resp.ContentLength < 0); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	resp.Body.Close() // now: trailers are there afterwards
	for name, values := range resp.Trailer {
		if p.rules.passesTrailer(name) {
			if !slices.Contains(announced, name) {
				name = http.TrailerPrefix + name
			}
			h[name] = values
		}
	}
}

// outgoing is the request as the transport gets it.
func (p *Proxy) outgoing(r *http.Request, id Identity) *http.Request {
	out := r // WithContext has made a copy
	from := peer{proto: "http"}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from.addr = a.Addr().Unmap()
		from.trusted = p.rules.trusts(from.addr)
	}
	if r.TLS != nil {
		from.proto = "https"
	}
	out.Header = p.rules.requestHeader(r, &from)
	fields := id.fields()
	for _, f := range fields {
		lower := strings.ToLower(f[0])
		for name := range out.Header {
			if foldsTo(bytesOf(name), lower) {
				delete(out.Header, name)
			}
		}
	}
	for _, f := range fields {
		out.Header.Add(f[0], f[1])
	}
	u := *r.URL
	u.Host, u.Scheme = r.Host, from.proto
	out.URL = &u
	out.RequestURI = ""
	out.Close = false
	if r.ContentLength == 0 {
		out.Body = nil
	}
	return out
}

// fail answers a request that no node has answered.
func (p *Proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody reads it
	}
	v := judge(err)
	p.answer(w, v.status, v.code)
}

// answer sends a response of our own.
func (p *Proxy) answer(w http.ResponseWriter, status int, code string) {
	h := w.Header()
	clear(h)
	h.Set("Proxy-Status", p.cfg.Name+"; error="+code)
	if status == http.StatusMethodNotAllowed {
		h.Set("Allow", allowed)
	}
	http.Error(w, http.StatusText(status), status)
}

// targetStatus refuses, by the rules of request.parseLine, what net/http takes
// for a target, and would pass on: a request to be a tunnel, what is no path.
func targetStatus(r *http.Request) int {
	u := r.URL
	switch {
	case r.Method == http.MethodConnect:
		return http.StatusMethodNotAllowed
	case u.Opaque != "", u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https",
		u.Path != "" && u.Path[0] != '/' && (u.Path != "*" || r.Method != http.MethodOptions):
		return http.StatusBadRequest
	}
	return 0
}

// tunnel passes on 101 Switching Protocols and what follows.
func (p *Proxy) tunnel(w http.ResponseWriter, r, out *http.Request, resp *http.Response) {
	backend, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || out.Header.Get("Upgrade") == "" {
		resp.Body.Close()
		p.fail(w, r, errUpgrade)
		return
	}
	defer backend.Close()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.cfg.Logger.Warn("upgrade of a connection that cannot be taken over", "err", err)
		p.fail(w, r, errUpgrade)
		return
	}
	defer conn.Close()
	h := http.Header{}
	p.rules.responseHeader(h, resp.Header, 1, 1)
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", resp.Header.Get("Upgrade"))
	buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	h.Write(buffered)
	buffered.WriteString("\r\n")
	if err := buffered.Flush(); err != nil {
		return
	}
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	if _, err := backend.Write(early); err != nil {
		return
	}
	conn.SetDeadline(time.Time{})
	lbtcp.Relay(conn, streamConn{backend}, max(p.cfg.IdleTimeout, 0))
}

// streamConn is the body of a 101 response as a net.Conn, as far as lbtcp.Relay
// needs one: a deadline of the past, which ends it, is the only one it sets.
type streamConn struct{ io.ReadWriteCloser }

func (c streamConn) SetDeadline(time.Time) error      { return c.Close() }
func (c streamConn) SetReadDeadline(time.Time) error  { return c.Close() }
func (c streamConn) SetWriteDeadline(time.Time) error { return c.Close() }
func (streamConn) LocalAddr() net.Addr                { return nil }
func (streamConn) RemoteAddr() net.Addr               { return nil }

// CloseWrite passes a half-close on if the body can do that.
func (c streamConn) CloseWrite() error {
	if half, ok := c.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// interims passes 1xx responses on, until the response itself has come.
type interims struct {
	w     http.ResponseWriter
	rules *rules
	mu    sync.Mutex
	ended bool // guarded by mu
}

func (i *interims) end() {
	i.mu.Lock()
	i.ended = true
	i.mu.Unlock()
}

// got is called on a goroutine of the transport.
func (i *interims) got(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended || code == http.StatusContinue { // the server itself sends 100 when the body is read
		return nil
	}
	h := i.w.Header()
	i.rules.responseHeader(h, http.Header(header), 1, 1)
	i.w.WriteHeader(code)
	clear(h)
	return nil
}

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copyBody copies a body, and flushes as it comes if its end is not known: it
// may be a stream of events.
func copyBody(w http.ResponseWriter, body io.Reader, flush bool) error {
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	rc := http.NewResponseController(w)
	for {
		n, err := body.Read(buf[:])
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
			if flush {
				rc.Flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
