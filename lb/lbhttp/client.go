package lbhttp

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// client is the connection of a client. All fields belong to the goroutine of
// serve; the ticker uses conn, back and idle while it fires the alarm, when
// that goroutine does not change them.
type client struct {
	s     *Server
	index int // in s.clients; guarded by s.mu

	base  net.Conn     // as it was accepted
	conn  net.Conn     // the same, or TLS on it
	tcp   *net.TCPConn // the same, if it is plain TCP
	raw   syscall.RawConn
	sock  syscall.RawConn // of the TCP connection below TLS, or raw
	peer  peer
	tier  uint8
	alarm alarm
	idle  bool     // between requests
	gone  bool     // the alarm was fired because the client has gone
	there presence // until then
	back  *backend // what the current request waits for

	w      *work // what a request in progress needs; nil between requests
	begun  bool  // some of a head has come
	headBy int64 // until when the rest of it has to come
	blank  bool  // an empty line has come before the head
	next   step
	lease  lb.Lease // of an upgraded connection
	linger bool     // the client may still be sending what nobody reads
	fd     uintptr  // of raw, while inside its Read
	inside bool
}

// step is what a connection does next.
type step uint8

const (
	stepMore   step = iota // read more
	stepStream             // a request whose body has not come yet: outside of RawRead
	stepTunnel             // the protocol was switched
	stepClose
	stepLate // the alarm fired while something was read
)

func newClient(s *Server, conn net.Conn) *client {
	c := &client{s: s, base: conn, conn: conn}
	c.peer.proto = "http"
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		c.peer.addr = a.Addr().Unmap()
	}
	c.peer.trusted = s.rules.trusts(c.peer.addr)
	if sc, ok := conn.(syscall.Conn); ok && rawIO {
		c.sock, _ = sc.SyscallConn()
	}
	if s.cfg.TLS == nil {
		c.tcp, _ = conn.(*net.TCPConn)
		if c.tcp != nil {
			c.raw = c.sock
		}
	}
	return c
}

// serve is the goroutine of the connection.
func (c *client) serve() {
	defer c.s.forget(c)
	defer func() { c.conn.Close() }()
	if c.s.cfg.TLS != nil && !c.secure() {
		return
	}
	ready := c.onReady // once: a method value is an allocation
	c.await()
	for {
		var err error
		if c.raw != nil {
			err = c.raw.Read(ready)
			c.inside = false
		} else {
			err = c.read()
		}
		if err != nil || c.next == stepLate { // closed, or out of time
			c.timedOut(c.next == stepLate || !c.alarm.stop())
			break
		}
		if c.next == stepStream {
			c.alarm.stop()
			c.next = c.exchange()
			if c.next == stepMore {
				c.next = c.advance()
			}
		}
		if c.next == stepMore || c.next == stepStream {
			if c.next == stepMore {
				c.await()
			}
			continue
		}
		if c.next == stepTunnel {
			c.tunnel()
		}
		break
	}
	c.alarm.stop()
	c.drop()
	if c.linger {
		c.lingeringClose()
	}
}

// await sets the alarm for more of a request, or for its beginning.
func (c *client) await() {
	if c.w != nil && c.w.start < c.w.end {
		if !c.begun {
			c.begun, c.headBy = true, c.s.until(c.s.cfg.HeadTimeout)
		}
		c.alarm.set(c.headBy, watchOnce)
		return
	}
	c.drop()
	c.begun, c.idle = false, true
	c.alarm.set(c.s.until(c.s.cfg.IdleTimeout), watchOnce)
}

// onReady is called by RawRead whenever there may be something to read, and
// stays inside it for requests that need nothing else from the client: then the
// poller has to be made ready only once, and no read fails in vain.
func (c *client) onReady(fd uintptr) bool {
	if c.next == stepStream { // the rest of a request that advance saw
		return true
	}
	c.fd, c.inside = fd, true
	for {
		w := c.hold()
		space := w.in[w.end:]
		n, errno := rawRead(fd, space)
		if errno == syscall.EAGAIN {
			if w.start == w.end {
				c.drop()
			}
			return false
		}
		if errno != 0 || n == 0 {
			c.next = stepClose
			return true
		}
		if !c.alarm.stop() {
			c.next = stepLate
			return true
		}
		c.idle = false
		w.end += n
		if c.next = c.advance(); c.next != stepMore {
			return true
		}
		c.await()
		// After a short read the socket is empty, and what comes now wakes us.
		if n < len(space) {
			return false
		}
	}
}

// read is onReady for connections that are read by their Read.
func (c *client) read() error {
	if c.next == stepStream {
		return nil
	}
	w := c.hold()
	n, err := c.conn.Read(w.in[w.end:])
	if n == 0 && err != nil {
		return err
	}
	if !c.alarm.stop() {
		c.next = stepLate
		return nil
	}
	c.idle = false
	w.end += n
	c.next = c.advance()
	return nil
}

// advance serves the requests that are in the buffer as a whole.
func (c *client) advance() step {
	w := c.w
	for w.start < w.end {
		if !c.blank && w.start+1 < w.end && w.in[w.start] == '\r' && w.in[w.start+1] == '\n' {
			w.start += 2 // RFC 9112, section 2.2: an empty line before a request
			c.blank = true
			continue
		}
		n, err := w.req.parse(w.in[w.start:w.end], c.s.rules, c.peer.trusted)
		if err != nil {
			return c.refuse(err)
		}
		if n == 0 {
			if w.start > 0 {
				w.end = copy(w.in, w.in[w.start:w.end])
				w.start = 0
			}
			if w.end == len(w.in) {
				return c.refuse(errTooLong)
			}
			return stepMore
		}
		w.start += n
		c.begun, c.blank = false, false
		whole, err := c.takeBody()
		if err != nil {
			return c.refuse(err)
		}
		if !whole {
			return stepStream
		}
		if next := c.exchange(); next != stepMore {
			return next
		}
	}
	return stepMore
}

// hasGone is called by the ticker while it holds the alarm.
func (c *client) hasGone() (gone bool) {
	if c.sock != nil {
		c.sock.Control(func(fd uintptr) { gone = hungUp(fd) })
	}
	return gone
}

// expire is called by the ticker while it holds the alarm: it ends whatever
// the connection waits for.
func (c *client) expire(gone bool) {
	c.gone = gone
	if gone || c.s.ctx.Err() != nil {
		c.there.end()
	}
	c.base.SetDeadline(past)
	if c.back != nil {
		c.back.conn.SetDeadline(past)
	}
}

// cut ends a connection that another goroutine serves. Closing it would wait
// for that goroutine, which may be waiting for a node while it reads here.
func (c *client) cut() {
	c.base.SetDeadline(past)
	if tcp, ok := c.base.(*net.TCPConn); ok {
		tcp.CloseRead()
		tcp.CloseWrite()
	}
}

// timedOut answers a client that was too slow with a request's head (RFC 9110,
// section 15.5.9); one that was idle hears nothing.
func (c *client) timedOut(late bool) {
	if late && !c.idle && !c.gone && c.begun {
		c.conn.SetDeadline(time.Now().Add(time.Second))
		c.refuse(&refusal{408, "a head that took too long"})
	}
}

// write sends to the client, at first without a detour: a socket takes a small
// response nearly always.
func (c *client) write(p []byte) error {
	if c.inside {
		n, _ := rawWrite(c.fd, p)
		if p = p[n:]; len(p) == 0 {
			return nil
		}
	}
	c.alarm.stop()
	c.alarm.set(c.s.until(c.s.cfg.BodyTimeout), watchNothing)
	_, err := c.conn.Write(p)
	if !c.alarm.stop() && err == nil {
		err = errSlow
	}
	return err
}
