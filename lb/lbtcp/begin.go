package lbtcp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// begin reads what a connection begins with, if it is to be looked at: a PROXY
// header from those who write them, and a ClientHello, which it returns: that is
// the node's.
func (p *Proxy) begin(conn net.Conn, c *Client) (early []byte, err error) {
	trusted := among(p.cfg.ProxyFrom, c.Source)
	if !trusted && !p.cfg.Peek {
		return nil, nil
	}
	if p.cfg.HeadTimeout > 0 {
		conn.SetReadDeadline(time.Now().Add(p.cfg.HeadTimeout))
	}
	if trusted {
		h, err := readHeader(conn)
		if err != nil {
			return nil, err
		}
		c.Header = &h
		if h.Source.IsValid() {
			c.Source, c.Destination = h.Source, h.Destination
		}
	}
	if p.cfg.Peek {
		if early, err = readHello(conn, c); err != nil {
			return nil, err
		}
	}
	return early, conn.SetReadDeadline(time.Time{})
}

func among(trusted []netip.Prefix, peer netip.AddrPort) bool {
	for _, prefix := range trusted {
		if prefix.Contains(peer.Addr()) {
			return true
		}
	}
	return false
}

// readHeader reads a PROXY header and nothing behind it.
func readHeader(conn net.Conn) (Header, error) {
	buf := make([]byte, 0, 128)
	for {
		if lacks := headerLacks(buf); cap(buf)-len(buf) < lacks {
			buf = append(make([]byte, 0, len(buf)+lacks), buf...)
		}
		k, err := conn.Read(buf[len(buf) : len(buf)+headerLacks(buf)])
		buf = buf[:len(buf)+k]
		if k == 0 && err != nil {
			return Header{}, err
		}
		if h, n, err := ParseHeader(buf); n > 0 || err != nil {
			return h, err
		}
	}
}

func readHello(conn net.Conn, c *Client) (buf []byte, err error) {
	for {
		h, done, err := ParseHello(buf)
		if err != nil {
			return nil, err
		}
		if done {
			c.Hello = h
			return buf, nil
		}
		// Records have heads, so that a message is a little more than itself.
		if buf, err = readSome(conn, buf, 2*maxHello); err != nil {
			return nil, err
		}
	}
}

func readSome(conn net.Conn, buf []byte, limit int) ([]byte, error) {
	if len(buf) >= limit {
		return nil, fmt.Errorf("lbtcp: a connection that begins with more than %d bytes of nothing", limit)
	}
	if len(buf) == cap(buf) {
		buf = append(buf, make([]byte, max(512, len(buf)))...)[:len(buf)]
	}
	n, err := conn.Read(buf[len(buf):cap(buf)])
	if n > 0 {
		err = nil
	} else if err == nil {
		err = io.ErrNoProgress
	}
	return buf[:len(buf)+n], err
}

// errForged is the error of a connection from elsewhere that says it is somebody
// else's: behind us are servers that believe such a header when it comes from us.
var errForged = errors.New("lbtcp: a PROXY header from an address that is not trusted")

// forged judges how a stream begins that must not begin with a PROXY header.
// hold is true for what could become one.
func forged(b []byte) (hold bool, err error) {
	if beginsLikeHeader(b) {
		return false, errForged
	}
	return len(b) < len(v2Signature) && (hasSignature(b, v2Signature) || hasSignature(b, v1Signature)), nil
}

// guarded refuses a stream that begins with a PROXY header. Only as much of it
// is held back as could be the beginning of one.
type guarded struct {
	net.Conn
	first  []byte // read and not yet returned
	passed bool
}

// Read looks at the first bytes. It is for one goroutine at a time.
func (g *guarded) Read(b []byte) (int, error) {
	for !g.passed && len(b) > 0 {
		if g.first == nil {
			g.first = make([]byte, 0, len(v2Signature))
		}
		n, err := g.Conn.Read(g.first[len(g.first):cap(g.first)])
		g.first = g.first[:len(g.first)+n]
		hold, bad := forged(g.first)
		switch {
		case bad != nil:
			return 0, bad
		case err == io.EOF && len(g.first) > 0:
			g.passed = true
		case err != nil:
			return 0, err
		default:
			g.passed = !hold
		}
	}
	if len(g.first) > 0 && len(b) > 0 {
		n := copy(b, g.first)
		g.first = g.first[n:]
		return n, nil
	}
	return g.Conn.Read(b)
}

// CloseWrite passes a half-close on.
func (g *guarded) CloseWrite() error {
	if half, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return g.Conn.Close()
}
