package lbhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// ServerConfig says how a [Server] works. Only Pool is required; the zero value
// of every other field is a default, and a negative number turns off what zero
// would turn on.
type ServerConfig struct {
	// Pool chooses a node for every request. Required.
	Pool *lb.Pool
	// Rules says which fields pass.
	Rules Rules
	// Choose, if set, fills in what the pool is to know of a request, such as a
	// key or a tier. Identify's tier is in it already. It is called on the
	// client's goroutine; h is worth nothing afterwards.
	Choose func(h *Head, r *lb.Request)

	// TLS, if set, is what clients must speak; the server takes care of ALPN,
	// which offers only HTTP/1.1: [Proxy] on net/http serves HTTP/2.
	TLS *tls.Config
	// Identify, with TLS, says who the client is by its verified certificate:
	// its tier, and what the backends are told. It is called once a connection.
	Identify func(*tls.ConnectionState) Identity

	// Dial connects to a node; default TCP to its Addr. A connection that is
	// no *net.TCPConn, such as a *tls.Conn to a backend, works and costs more.
	Dial func(ctx context.Context, n *lb.Node) (net.Conn, error)
	// Attempts bounds the nodes that a request is sent to; default 3.
	Attempts int
	// Budget bounds the retries of requests that a node may have seen, so that
	// an outage of all nodes is not made worse; default &lb.Budget{}, which is
	// a fifth of the requests and ten a second.
	Budget *lb.Budget
	// MaxIdle bounds the idle connections to a node; default 256.
	MaxIdle int
	// MaxHead bounds a head in bytes, in both directions; default 16 KiB. It
	// is also the size of the buffers, of which a busy connection has three.
	MaxHead int
	// MaxBody bounds a request's body in bytes; what is longer is answered with
	// 413, before any of it is sent on if its length is known. Default no limit.
	MaxBody int64
	// MaxClients bounds the connections of clients. Those beyond it wait, one
	// for each listener accepted and the others in the kernel, until another
	// one ends. Default no limit.
	MaxClients int

	// Time limits. They are looked at every few milliseconds, a hundred at the
	// most, so that they may be late by as much.

	// HeadTimeout bounds the time from the first byte of a request to the end
	// of its head, and the TLS handshake; default 10 s.
	HeadTimeout time.Duration
	// IdleTimeout closes connections, on both sides, on which nothing happens
	// between requests, and upgraded ones on which nothing moves; default 60 s
	// for clients, a third of it for backends, an hour for upgraded ones.
	IdleTimeout time.Duration
	// BodyTimeout bounds the wait for some more of a body to move, by 256 KiB
	// or to its end, in either direction; default 60 s. A client that is too
	// slow with its request's is answered with 408.
	BodyTimeout time.Duration
	// ConnectTimeout bounds connecting to a node; default 3 s.
	ConnectTimeout time.Duration
	// ResponseTimeout bounds the wait for the head of a response, from the end
	// of the request; default 60 s.
	ResponseTimeout time.Duration
	// Drain bounds the time that Run waits for requests in progress when its
	// context has ended; default 30 s, negative none.
	Drain time.Duration

	// Name is what the server calls itself in Proxy-Status (RFC 9209); default
	// "lb".
	Name string
	// Logger hears of state changes, never of single requests; default none.
	Logger *slog.Logger
	// Trace is called as things happen; default none.
	Trace *Trace
}

// Identity is who a client is, by its certificate.
type Identity struct {
	// Tier is the class of the client's requests; see lb.Request.
	Tier uint8
	// Fields, names and values, are added to each request, after all fields of
	// those names that the client sent were dropped. Control characters in a
	// value become spaces; a field whose name is no token is left out.
	Fields [][2]string
}

// fields are those that are fields: what a certificate holds was written by
// somebody else, and could break out of its line.
func (id Identity) fields() [][2]string {
	var good [][2]string
	for _, f := range id.Fields {
		if f[0] == "" || !all([]byte(f[0]), &tokenTable) {
			continue
		}
		value := []byte(f[1])
		for i, c := range value {
			if !valueTable[c] {
				value[i] = ' '
			}
		}
		good = append(good, [2]string{f[0], strings.TrimSpace(string(value))})
	}
	return good
}

// Trace is called as a server works, concurrently, on the goroutine that does
// the work. A nil function is not called.
type Trace struct {
	// Attempt is called when an attempt to have a request answered failed;
	// again says whether another node is asked.
	Attempt func(err *AttemptError, again bool)
	// Refused is called when a client sent what is no HTTP, with the status
	// that it got.
	Refused func(client net.Addr, status int, reason string)
}

func (cfg ServerConfig) fill() (ServerConfig, error) {
	if cfg.Pool == nil {
		return cfg, errors.New("lbhttp: ServerConfig.Pool is required")
	}
	if cfg.Identify != nil && cfg.TLS == nil {
		return cfg, errors.New("lbhttp: ServerConfig.Identify requires TLS")
	}
	if cfg.MaxHead < 0 || cfg.MaxHead > 1<<20 || cfg.MaxHead > 0 && cfg.MaxHead < 1<<10 {
		return cfg, fmt.Errorf("lbhttp: ServerConfig.MaxHead is %d, want 1 KiB to 1 MiB", cfg.MaxHead)
	}
	cfg.MaxBody, cfg.MaxClients = max(cfg.MaxBody, 0), max(cfg.MaxClients, 0)
	if cfg.Name == "" {
		cfg.Name = "lb"
	}
	if !all([]byte(cfg.Name), &tokenTable) {
		return cfg, fmt.Errorf("lbhttp: ServerConfig.Name is %q, want a token", cfg.Name)
	}
	orDefault(&cfg.Attempts, 3)
	orDefault(&cfg.MaxIdle, 256)
	orDefault(&cfg.MaxHead, 16<<10)
	orDefault(&cfg.HeadTimeout, 10*time.Second)
	orDefault(&cfg.IdleTimeout, 60*time.Second)
	orDefault(&cfg.BodyTimeout, 60*time.Second)
	orDefault(&cfg.ConnectTimeout, 3*time.Second)
	orDefault(&cfg.ResponseTimeout, 60*time.Second)
	orDefault(&cfg.Drain, 30*time.Second)
	if cfg.Budget == nil {
		cfg.Budget = new(lb.Budget)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Trace == nil {
		cfg.Trace = &Trace{}
	}
	if cfg.Dial == nil {
		cfg.Dial = dialTCP
	}
	return cfg, nil
}

func dialTCP(ctx context.Context, n *lb.Node) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", n.Addr)
}

func orDefault[T int | time.Duration](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}
