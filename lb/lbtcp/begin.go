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
// header from those who write them, and a ClientHello. It returns what it read
// beyond the header: that is the node's.
func (p *Proxy) begin(conn net.Conn, c *Client) (early []byte, err error) {
	trusted := p.trusted(c.Source)
	if !trusted && !p.cfg.Peek {
		return nil, nil
	}
	if p.cfg.HeadTimeout > 0 {
		conn.SetReadDeadline(time.Now().Add(p.cfg.HeadTimeout))
	}
	if trusted {
		if early, err = readHeader(conn, c); err != nil {
			return nil, err
		}
	}
	if p.cfg.Peek {
		if early, err = readHello(conn, c, early); err != nil {
			return nil, err
		}
	}
	return early, conn.SetReadDeadline(time.Time{})
}

func (p *Proxy) trusted(peer netip.AddrPort) bool {
	for _, prefix := range p.cfg.ProxyFrom {
		if prefix.Contains(peer.Addr()) {
			return true
		}
	}
	return false
}

func readHeader(conn net.Conn, c *Client) ([]byte, error) {
	buf := make([]byte, 0, 512)
	for {
		var err error
		if buf, err = readSome(conn, buf, maxHeader); err != nil {
			return nil, err
		}
		h, n, err := ParseHeader(buf)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			if h.Source.IsValid() {
				c.Source, c.Destination = h.Source, h.Destination
			}
			return buf[n:], nil
		}
	}
}

func readHello(conn net.Conn, c *Client, buf []byte) ([]byte, error) {
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

// unproxied refuses a stream that begins with a PROXY header. Only as much of
// it is held back as could be the beginning of one.
type unproxied struct {
	net.Conn
	begins []byte
	passed bool
}

// Read looks at the first bytes; it belongs to one goroutine, the relay's.
func (u *unproxied) Read(b []byte) (int, error) {
	if u.passed {
		return u.Conn.Read(b)
	}
	if n := len(u.begins); n > 0 { // given to the node already, and no header: it was a ClientHello
		u.passed = true
		return u.Conn.Read(b)
	}
	have := 0
	for {
		n, err := u.Conn.Read(b[have:min(len(b), bufferSize)])
		have += n
		if beginsLikeHeader(b[:have]) {
			return 0, errForged
		}
		undecided := have < len(v2Signature) && (hasSignature(b[:have], v2Signature) || hasSignature(b[:have], v1Signature))
		if !undecided || err != nil {
			u.passed = have > 0 || err == nil
			if have > 0 {
				return have, nil
			}
			return 0, err
		}
	}
}

// CloseWrite passes a half-close on.
func (u *unproxied) CloseWrite() error {
	if half, ok := u.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return u.Conn.Close()
}
