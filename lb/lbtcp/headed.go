package lbtcp

import "net"

// HeaderOf returns the PROXY header that a connection of a [Listener] began
// with, also through a *tls.Conn. With http.Server it is for ConnContext.
func HeaderOf(conn net.Conn) (Header, bool) {
	for {
		switch c := conn.(type) {
		case interface{ proxyHeader() Header }:
			return c.proxyHeader(), true
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return Header{}, false
		}
	}
}

// headed returns conn with the addresses of its header.
func headed(conn net.Conn, h Header) net.Conn {
	about := introduced{header: h, remote: conn.RemoteAddr(), local: conn.LocalAddr()}
	if h.Source.IsValid() {
		about.remote = net.TCPAddrFromAddrPort(h.Source)
		about.local = net.TCPAddrFromAddrPort(h.Destination)
	}
	if t, ok := conn.(*net.TCPConn); ok {
		return &headedTCP{TCPConn: t, introduced: about}
	}
	return &headedConn{Conn: conn, introduced: about}
}

type introduced struct {
	header        Header
	remote, local net.Addr
}

func (i *introduced) proxyHeader() Header { return i.header }

// headedTCP keeps what only TCP can do: half-closes, sendfile, raw access.
type headedTCP struct {
	*net.TCPConn
	introduced
}

func (c *headedTCP) RemoteAddr() net.Addr { return c.remote }
func (c *headedTCP) LocalAddr() net.Addr  { return c.local }

type headedConn struct {
	net.Conn
	introduced
}

func (c *headedConn) RemoteAddr() net.Addr { return c.remote }
func (c *headedConn) LocalAddr() net.Addr  { return c.local }
