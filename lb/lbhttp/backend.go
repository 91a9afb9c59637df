package lbhttp

import (
	"io"
	"net"
	"syscall"
)

// backend is one connection to a node. It is used by one request at a time.
type backend struct {
	conn  net.Conn
	tcp   *net.TCPConn // the same, if it is one
	raw   syscall.RawConn
	up    *upstream
	bufs  *buffers
	used  bool  // it has carried a request before
	since int64 // idle since then, in nanoseconds of the server's clock

	buf        []byte // what was read; nil between requests
	start, end int    // the part of buf that is not used up

	// For ready, which is one func for the life of the connection.
	ready   func(fd uintptr) bool
	out     []byte // to be written before anything is read
	written int
	errno   syscall.Errno
	eof     bool
}

func newBackend(conn net.Conn, up *upstream, bufs *buffers) *backend {
	b := &backend{conn: conn, up: up, bufs: bufs}
	b.tcp, _ = conn.(*net.TCPConn)
	if b.tcp != nil && rawIO {
		if raw, err := b.tcp.SyscallConn(); err == nil {
			b.raw = raw
			b.ready = b.onReady
		}
	}
	return b
}

// send writes a request and waits for the first bytes of the answer. sent
// reports whether the backend may have seen any of the request.
//
// The first read after a write nearly always finds nothing: inside one RawRead
// the wait can begin at once, since the poller was made ready before the write
// and no event is lost.
func (b *backend) send(out []byte) (sent bool, err error) {
	if b.raw == nil {
		n, err := b.conn.Write(out)
		if err != nil {
			return n > 0, err
		}
		return true, b.more()
	}
	b.out, b.written, b.errno, b.eof = out, 0, 0, false
	err = b.raw.Read(b.ready)
	sent = b.written > 0
	switch {
	case err != nil:
		return sent, err
	case b.eof:
		return sent, io.EOF
	case b.errno != 0:
		return sent, b.errno
	case b.out != nil: // it did not fit
		rest := b.out[b.written:]
		b.out = nil
		n, err := b.conn.Write(rest)
		if err != nil {
			return sent || n > 0, err
		}
		return true, b.more()
	}
	return true, nil
}

// onReady is called by RawRead: first to write, then whenever there is
// something to read. It returns false to wait.
func (b *backend) onReady(fd uintptr) bool {
	if b.out != nil {
		n, errno := rawWrite(fd, b.out)
		b.written = n
		if errno == syscall.EAGAIN {
			return true
		}
		b.errno = errno
		if errno != 0 || n < len(b.out) {
			return true
		}
		b.out = nil
		return false
	}
	if b.buf == nil {
		b.buf = b.bufs.get()
		b.start, b.end = b.bufs.headroom, b.bufs.headroom
	}
	n, errno := rawRead(fd, b.buf[b.end:])
	if errno == syscall.EAGAIN {
		return false
	}
	b.errno = errno
	b.eof = errno == 0 && n == 0
	b.end += n
	return true
}

// more reads what comes next behind what there is.
func (b *backend) more() error {
	if b.buf == nil {
		b.buf = b.bufs.get()
		b.start, b.end = b.bufs.headroom, b.bufs.headroom
	}
	n, err := b.conn.Read(b.buf[b.end:])
	b.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// refill reads what comes next, after all there was is used up.
func (b *backend) refill() error {
	b.start, b.end = b.bufs.headroom, b.bufs.headroom
	return b.more()
}

// sendHead writes a request's head.
func (b *backend) sendHead(out []byte) (sent bool, err error) {
	n, err := b.conn.Write(out)
	return n > 0, err
}

// compact makes room behind what there is, if there is some before it.
func (b *backend) compact() bool {
	if b.start == b.bufs.headroom {
		return false
	}
	b.end = b.bufs.headroom + copy(b.buf[b.bufs.headroom:], b.buf[b.start:b.end])
	b.start = b.bufs.headroom
	return true
}

// stale reports whether the node has closed an idle connection, or said
// something that nobody asked for.
func (b *backend) stale() (stale bool) {
	if b.raw != nil {
		b.raw.Control(func(fd uintptr) { stale = readable(fd) })
	}
	return stale
}

func (b *backend) bytes() []byte { return b.buf[b.start:b.end] }

// release gives the buffer back.
func (b *backend) release() {
	if b.buf != nil {
		b.bufs.put(b.buf)
		b.buf = nil
	}
	b.start, b.end = 0, 0
}

func (b *backend) close() {
	b.release()
	b.conn.Close()
}
