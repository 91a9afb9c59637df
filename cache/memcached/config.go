package memcached

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// Config describes a cluster and how a Tier uses it. The zero value of every
// field but Servers is a good default.
type Config struct {
	// Servers are the members of the cluster, in any order; required. They
	// are taken to be the cache's own: they are emptied by Purge and before
	// they are used again after a failure.
	Servers []Server
	// Segments keeps kinds of keys on some of the servers.
	Segments []Segment
	// Placement is the rule that spreads the keys; Rendezvous by default.
	Placement Placement

	// Timeout bounds each request with the connection it may need; default
	// 500 ms. A caller's own context may end earlier.
	Timeout time.Duration
	// MaxConns bounds the connections to each server; default 32, at least 5.
	// Four of them are for single Gets: more Gets than that at the same time
	// travel together. Other calls wait for a connection when all are in use.
	MaxConns int
	// IdleTimeout is how long a connection may be idle before it is closed;
	// default a minute, negative for ever.
	IdleTimeout time.Duration
	// MaxValue is the size in bytes up to which a value with its header is
	// sent; default 1 MiB less a kilobyte, as memcached's own item limit (its
	// -I option) is 1 MiB.
	MaxValue int
	// Gutter, when positive, lets another server stand in while a key's own is
	// ejected, with copies that live at most this long, rounded up to whole
	// seconds. It is also how stale such a copy may be when a client that still
	// reaches the key's own server invalidates it. Zero: the keys of an ejected
	// server are misses without leases.
	Gutter time.Duration

	// DialContext makes connections, such as a tls.Dialer's; default a
	// net.Dialer's. network is "tcp" or "unix", addr as in Server.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Logger is told when a server is ejected and taken back; default none.
	Logger *slog.Logger
	// Trace is told the same.
	Trace *Trace
}

func (c Config) withDefaults() (Config, error) {
	c.Timeout = cmp.Or(c.Timeout, 500*time.Millisecond)
	c.MaxConns = cmp.Or(c.MaxConns, 32)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, time.Minute)
	c.MaxValue = cmp.Or(c.MaxValue, 1<<20-1<<10)
	if c.DialContext == nil {
		c.DialContext = new(net.Dialer).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Trace == nil {
		c.Trace = new(Trace)
	}
	switch {
	case c.Timeout < 0:
		return c, errors.New("memcached: Timeout is negative")
	case c.MaxConns <= getSlots:
		return c, errors.New("memcached: MaxConns is less than 5")
	case c.MaxValue < 0:
		return c, errors.New("memcached: MaxValue is negative")
	case c.Gutter < 0:
		return c, errors.New("memcached: Gutter is negative")
	}
	return c, nil
}
