package lbhttp

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
)

// secure does the TLS handshake and asks who the client is.
func (c *client) secure() bool {
	c.alarm.set(c.s.until(c.s.cfg.HeadTimeout), watchNothing)
	tc, err := handshake(c.s.ctx, c.conn, c.s.cfg.TLS)
	if !c.alarm.stop() || err != nil {
		return false
	}
	c.conn = tc
	c.peer.proto = "https"
	if c.s.cfg.Identify != nil {
		state := tc.ConnectionState()
		c.identify(&state)
	}
	return true
}

func (c *client) identify(state *tls.ConnectionState) {
	id := c.s.cfg.Identify(state)
	c.tier = id.Tier
	for _, f := range id.fields() {
		c.peer.identity = appendField(c.peer.identity, f[0], f[1])
		c.peer.names = append(c.peer.names, strings.ToLower(f[0]))
	}
}

func handshake(ctx context.Context, conn net.Conn, cfg *tls.Config) (*tls.Conn, error) {
	tc := tls.Server(conn, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return tc, nil
}
