package lbtcp

import (
	"encoding/binary"
	"errors"
)

// ErrNotTLS is returned for a connection that does not begin with a ClientHello.
var ErrNotTLS = errors.New("lbtcp: no TLS ClientHello")

// Hello is what a ClientHello says in the clear (RFC 8446, section 4.1.2).
type Hello struct {
	ServerName string   // of SNI (RFC 6066), in small letters; "" without
	Protocols  []string // of ALPN (RFC 7301)
}

// maxHello bounds a ClientHello; they grow with post-quantum keys, to about two
// thousand bytes now.
const maxHello = 16 << 10

// ParseHello reads the ClientHello at the beginning of a TLS connection. done is
// false as long as there is more of it to come; the error is [ErrNotTLS] if b is
// the beginning of something else, or of nonsense.
func ParseHello(b []byte) (h Hello, done bool, err error) {
	msg, done, err := handshakeMessage(b)
	if err != nil || !done {
		return Hello{}, false, err
	}
	h, ok := parseHello(msg)
	if !ok {
		return Hello{}, false, ErrNotTLS
	}
	return h, true, nil
}

// handshakeMessage takes the first handshake message out of its records, over
// which it may be spread.
func handshakeMessage(b []byte) (msg []byte, done bool, err error) {
	for {
		if len(b) > 0 && b[0] != 22 || len(b) > 1 && b[1] != 3 {
			return nil, false, ErrNotTLS
		}
		if len(b) < 5 {
			return nil, false, nil
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n == 0 || n > 1<<14 {
			return nil, false, ErrNotTLS
		}
		whole := len(b) >= 5+n
		part := b[5:min(len(b), 5+n)]
		if msg == nil && whole {
			msg = part[:len(part):len(part)]
		} else {
			msg = append(msg, part...)
		}
		if len(msg) > 0 && msg[0] != 1 {
			return nil, false, ErrNotTLS
		}
		if len(msg) >= 4 {
			size := int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3])
			if size > maxHello {
				return nil, false, ErrNotTLS
			}
			if len(msg) >= 4+size {
				return msg[4 : 4+size], true, nil
			}
		}
		if !whole {
			return nil, false, nil
		}
		b = b[5+n:]
	}
}

// cursor takes pieces from the front; ok turns false at the first that is not there.
type cursor struct {
	b  []byte
	ok bool
}

func (c *cursor) take(n int) []byte {
	if !c.ok || n > len(c.b) {
		c.ok = false
		return nil
	}
	piece := c.b[:n]
	c.b = c.b[n:]
	return piece
}

func (c *cursor) number(bytes int) (n int) {
	for _, x := range c.take(bytes) {
		n = n<<8 | int(x)
	}
	return n
}

// vector takes what a length of so many bytes precedes.
func (c *cursor) vector(bytes int) cursor { return cursor{c.take(c.number(bytes)), c.ok} }

func parseHello(msg []byte) (h Hello, ok bool) {
	c := cursor{msg, true}
	c.take(2 + 32)             // version, random
	c.vector(1)                // session
	c.vector(2)                // cipher suites
	c.vector(1)                // compression
	if c.ok && len(c.b) == 0 { // SSL 3.0 and TLS 1.0 know no extensions
		return h, true
	}
	extensions := c.vector(2)
	for c.ok && extensions.ok && len(extensions.b) > 0 {
		kind := extensions.number(2)
		body := extensions.vector(2)
		if !extensions.ok {
			return h, false
		}
		switch kind {
		case 0:
			names := body.vector(2)
			for names.ok && len(names.b) > 0 {
				host := names.number(1) == 0
				name := names.vector(2)
				if host && names.ok && h.ServerName == "" {
					if h.ServerName, ok = hostName(name.b); !ok {
						return h, false
					}
				}
			}
			if !names.ok {
				return h, false
			}
		case 16:
			list := body.vector(2)
			for list.ok && len(list.b) > 0 {
				if name := list.vector(1); list.ok {
					h.Protocols = append(h.Protocols, string(name.b))
				}
			}
			if !list.ok {
				return h, false
			}
		}
	}
	return h, c.ok && extensions.ok
}

// hostName refuses what is no DNS name, so that nobody has to escape it.
func hostName(b []byte) (string, bool) {
	if len(b) == 0 || len(b) > 255 {
		return "", false
	}
	lower := make([]byte, len(b))
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return "", false
		}
		lower[i] = c
	}
	return string(lower), true
}
