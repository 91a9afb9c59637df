package lbtcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// Config says how a [Proxy] works. Only Pool or Route is required; the zero
// value of every other field is a default, and a negative duration turns off
// what zero would turn on.
type Config struct {
	// Pool chooses a node for each connection. Required without Route.
	Pool *lb.Pool
	// Route chooses the pool instead, and what it is to know about the
	// connection, such as a key or a tier. A nil pool refuses the connection.
	// It is called on the connection's goroutine and may block.
	Route func(ctx context.Context, c *Client) (*lb.Pool, lb.Request)
	// Peek waits for the client's TLS ClientHello and shows it to Route. It is
	// for protocols that begin with TLS: elsewhere a client that waits for a
	// greeting would wait in vain. A connection that begins with something else
	// is refused.
	Peek bool

	// ProxyFrom are the addresses of proxies in front of this one. Their
	// connections begin with a PROXY header, of version 1 or 2, and are refused
	// if they do not; nobody else's may. Default none: then what looks like a
	// PROXY header is data like any other.
	ProxyFrom []netip.Prefix
	// ProxyTo writes a PROXY header to nodes; default not. One that came is
	// passed on with all that it says; else version 2 has the server name of
	// the ClientHello, with Peek.
	ProxyTo ProxyVersion

	// Dial connects to a node; default TCP to its Addr. A *net.TCPConn is taken
	// over: it is closed, and its socket used on.
	Dial func(ctx context.Context, n *lb.Node) (net.Conn, error)
	// Attempts bounds the nodes that are tried for a connection; default 3.
	Attempts int
	// ConnectTimeout bounds one attempt; default 3 s.
	ConnectTimeout time.Duration
	// HeadTimeout bounds the wait for a PROXY header or a ClientHello; default
	// 5 s.
	HeadTimeout time.Duration
	// IdleTimeout closes connections on which nothing moves in either
	// direction, up to an eighth later; default one hour.
	IdleTimeout time.Duration
	// Drain bounds the time that Run waits for connections when its context has
	// ended; default 30 s.
	Drain time.Duration

	// Logger hears of state changes, never of single connections; default none.
	Logger *slog.Logger
	// Trace is called as things happen; default none.
	Trace *Trace
}

// Client is what is known of a connection when its node is chosen.
type Client struct {
	// Source is the client's address: of the PROXY header if there was one.
	Source netip.AddrPort
	// Destination is the address that the client connected to.
	Destination netip.AddrPort
	// Header is the PROXY header; nil if there was none.
	Header *Header
	// Hello is the client's TLS ClientHello, with Config.Peek.
	Hello Hello
}

// Trace is called as a proxy works, concurrently. A nil function is not called.
// Refused and Connect may block, as their goroutine has that connection only.
type Trace struct {
	// Refused is called when a client's connection is closed before a node was
	// asked: by Route, or because of how it begins.
	Refused func(client netip.AddrPort, err error)
	// Connect is called after each attempt to connect to a node.
	Connect func(n *lb.Node, attempt int, took time.Duration, err error)
	// Done is called when a connection has ended, with the bytes that went to
	// the node and that came from it. It must not block: its goroutine carries
	// other connections too.
	Done func(c *Client, n *lb.Node, sent, received int64, err error)
}

func (cfg Config) fill() (Config, error) {
	switch {
	case cfg.Pool == nil && cfg.Route == nil:
		return cfg, errors.New("lbtcp: Config.Pool or Config.Route is required")
	case cfg.Pool != nil && cfg.Route != nil:
		return cfg, errors.New("lbtcp: Config has both Pool and Route, want one")
	case cfg.Peek && cfg.Route == nil:
		return cfg, errors.New("lbtcp: Config.Peek is for Config.Route")
	case cfg.ProxyTo > ProxyV2:
		return cfg, fmt.Errorf("lbtcp: Config.ProxyTo is %d, want 0 to 2", cfg.ProxyTo)
	case cfg.Attempts < 0:
		return cfg, fmt.Errorf("lbtcp: Config.Attempts is %d, want at least 0", cfg.Attempts)
	}
	cfg.ProxyFrom = slices.Clone(cfg.ProxyFrom)
	for _, p := range cfg.ProxyFrom {
		if !p.IsValid() {
			return cfg, errors.New("lbtcp: Config.ProxyFrom holds an invalid prefix")
		}
	}
	if cfg.Route == nil {
		pool := cfg.Pool
		cfg.Route = func(context.Context, *Client) (*lb.Pool, lb.Request) { return pool, lb.Request{} }
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 3
	}
	cfg.ConnectTimeout = orDefault(cfg.ConnectTimeout, 3*time.Second)
	cfg.HeadTimeout = orDefault(cfg.HeadTimeout, 5*time.Second)
	cfg.IdleTimeout = orDefault(cfg.IdleTimeout, time.Hour)
	cfg.Drain = orDefault(cfg.Drain, 30*time.Second)
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, n *lb.Node) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", n.Addr)
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Trace == nil {
		cfg.Trace = &Trace{}
	}
	return cfg, nil
}

// orDefault fills in for zero; what is negative becomes zero, no limit.
func orDefault(d, otherwise time.Duration) time.Duration {
	switch {
	case d == 0:
		return otherwise
	case d < 0:
		return 0
	}
	return d
}
