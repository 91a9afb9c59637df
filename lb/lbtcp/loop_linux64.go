//go:build linux && !386 && !s390x

package lbtcp

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// loop carries pairs of connections, all on the one goroutine that runs it. The
// kernel says over which of them something can be moved (epoll(7)); the epoll
// descriptor itself is in the poller of the Go runtime, so that a loop with
// nothing to do is a goroutine that waits, and no thread.
type loop struct {
	table
	ep    int
	file  *os.File // ep as the runtime knows it
	every time.Duration
	batch [128]syscall.EpollEvent // owned by run
}

const wanted = syscall.EPOLLIN | syscall.EPOLLOUT | 1<<31 // EPOLLET

// newLoop returns a loop that ends pairs on which nothing moves for idle.
func newLoop(idle time.Duration) (*loop, error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	syscall.SetNonblock(ep, true) // by which NewFile sees that it can be polled
	l := &loop{ep: ep, file: os.NewFile(uintptr(ep), "epoll")}
	if idle > 0 {
		l.every = max(idle/idleChecks, time.Millisecond)
	}
	return l, nil
}

// take makes a pair of two connections, if both are TCP: they are closed for
// everybody else. It reports whether it did so; then done will be called, once.
func (l *loop) take(client, server net.Conn, guard bool, done func(sent, received int64, err error)) bool {
	a, ok := client.(*net.TCPConn)
	b, also := server.(*net.TCPConn)
	if !ok || !also {
		return false
	}
	p := &pair{seen: -1, done: done}
	var err error
	if p.client, err = detach(a); err != nil {
		return false
	}
	if p.server, err = detach(b); err != nil {
		syscall.Close(p.client)
		return false
	}
	p.up.guard = guard
	if err := l.add(p, func(i int32) error { return l.enter(p, i) }); err != nil {
		p.close(true)
		done(0, 0, err)
	}
	client.Close()
	server.Close()
	return true
}

// detach returns a descriptor of the connection's that the runtime does not know.
func detach(c *net.TCPConn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	err2 := raw.Control(func(old uintptr) { fd, err = dup(old) })
	return fd, errors.Join(err, err2)
}

func (l *loop) enter(p *pair, i int32) error {
	for side, fd := range [...]int{p.client, p.server} {
		ev := syscall.EpollEvent{Events: wanted, Fd: i, Pad: int32(side)}
		if err := syscall.EpollCtl(l.ep, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	return nil
}

// run carries pairs until stop is called, and ends those there are then.
func (l *loop) run() error {
	defer l.file.Close()
	raw, err := l.file.SyscallConn()
	for err == nil {
		if l.every > 0 {
			l.file.SetReadDeadline(time.Now().Add(l.every))
		}
		if l.stopped() { // before or after the deadline was set
			break
		}
		if err = raw.Read(l.ready); errors.Is(err, os.ErrDeadlineExceeded) && !l.stopped() {
			l.sweep(ErrIdle, (*pair).isQuiet)
			err = nil
		}
	}
	l.stop()
	l.sweep(errGivenUp, func(*pair) bool { return true })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// sweep ends the pairs that are over.
func (l *loop) sweep(err error, over func(*pair) bool) {
	for _, i := range l.all() {
		if p := l.get(i); over(p) {
			l.end(p, i, err)
		}
	}
}

func (l *loop) stopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// stop makes run end all pairs and return.
func (l *loop) stop() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.file.SetReadDeadline(time.Unix(1, 0))
}

// ready is called by RawRead whenever the kernel may have something to report.
// It returns after each batch, so that the runtime looks after others meanwhile.
func (l *loop) ready(ep uintptr) bool {
	for {
		n := epollWait(int(ep), l.batch[:])
		for _, ev := range l.batch[:n] {
			if p := l.get(ev.Fd); p != nil {
				l.on(p, ev)
			}
		}
		if n < len(l.batch) {
			return false
		}
	}
}

// on moves what an event says that may be moved.
func (l *loop) on(p *pair, ev syscall.EpollEvent) {
	from, to, fd := &p.up, &p.down, p.client
	toWaits := p.downWaits
	if ev.Pad == 1 {
		from, to, fd, toWaits = &p.down, &p.up, p.server, p.upWaits
	}
	if ev.Events&^syscall.EPOLLOUT != 0 && !l.advance(p, ev, from) {
		return
	}
	if ev.Events&syscall.EPOLLOUT != 0 && toWaits == whenWritable && !l.advance(p, ev, to) {
		return
	}
	if ev.Events&syscall.EPOLLERR != 0 {
		// Whoever has reset a connection reads no more, even if we have not got
		// around to reading what it sent before.
		if errno, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR); err == nil && errno != 0 {
			l.end(p, ev.Fd, os.NewSyscallError("read", syscall.Errno(errno)))
		}
	}
}

// advance lets a stream move, and reports whether the pair goes on.
func (l *loop) advance(p *pair, ev syscall.EpollEvent, s *stream) bool {
	src, dst, waits, other := p.client, p.server, &p.upWaits, p.downWaits
	if s == &p.down {
		src, dst, waits, other = p.server, p.client, &p.downWaits, p.upWaits
	}
	if *waits == never {
		return true
	}
	var err error
	switch *waits, err = s.move(src, dst); {
	case err != nil:
		l.end(p, ev.Fd, err)
		return false
	case *waits == never && other == never:
		l.end(p, ev.Fd, nil)
		return false
	case *waits == never:
		syscall.Shutdown(dst, syscall.SHUT_WR)
	case *waits == nothing: // others first: this makes the kernel report it again
		again := syscall.EpollEvent{Events: wanted, Fd: ev.Fd, Pad: 0}
		if s == &p.down {
			again.Pad = 1
		}
		syscall.EpollCtl(l.ep, syscall.EPOLL_CTL_MOD, src, &again)
	}
	return true
}

// end closes a pair. What was not all sent ends with a reset, so that nobody
// takes a part for the whole.
func (l *loop) end(p *pair, i int32, err error) {
	l.remove(i)
	p.close(err != nil && (err != ErrIdle || p.up.pending() || p.down.pending()))
	p.done(p.up.moved, p.down.moved, err)
}

func (p *pair) close(reset bool) {
	p.up.release()
	p.down.release()
	for _, fd := range [...]int{p.client, p.server} {
		if reset {
			syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		}
		syscall.Close(fd)
	}
}
