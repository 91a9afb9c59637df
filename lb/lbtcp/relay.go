package lbtcp

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrIdle is the error of a Relay on which nothing moved for too long.
var ErrIdle = errors.New("lbtcp: nothing moved for too long")

// bufferSize is what is read at once. A read that fills it is taken as the
// beginning of much more, which is then spliced.
const bufferSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Relay moves bytes between a and b until both directions have ended, closes
// both, and returns how much was moved. The end of one direction is passed on as
// a half-close where the connection can do that (TCP, TLS), and ends the other
// direction too where it cannot. The error is nil after an orderly end, ErrIdle
// if nothing moved for idle (0: no limit), else what failed first.
//
// Where both are *net.TCPConn, on Linux, idle directions hold no buffer, and
// long transfers do not pass through the memory of the process (splice(2)).
// Closing a or b from elsewhere ends the relay.
func Relay(a, b net.Conn, idle time.Duration) (ab, ba int64, err error) {
	done := make(chan struct{})
	startRelay(a, b, idle, func(sent, received int64, failed error) {
		ab, ba, err = sent, received, failed
		close(done)
	})
	<-done
	return ab, ba, err
}

// startRelay returns at once and calls done when the relay has ended. Its two
// goroutines begin with small stacks: that of a goroutine that has connected to
// a node is four times theirs, for as long as the connection lasts.
func startRelay(a, b net.Conn, idle time.Duration, done func(ab, ba int64, err error)) {
	r := &relay{a: a, b: b, done: done}
	r.running.Store(2)
	r.there.init(a, b)
	r.back.init(b, a)
	if idle > 0 {
		// The timer is set a few times per limit, and what moves only counts:
		// reading the clock for each message would cost more.
		r.every = max(idle/idleChecks, time.Millisecond)
		r.mu.Lock()
		r.timer = time.AfterFunc(r.every, r.check)
		r.mu.Unlock()
	}
	go r.end(&r.there)
	go r.end(&r.back)
}

const idleChecks = 8

type relay struct {
	a, b        net.Conn
	there, back direction
	idle        atomic.Bool
	running     atomic.Int32
	whole       atomic.Bool // one end ended both directions, in good order
	done        func(ab, ba int64, err error)

	every time.Duration
	mu    sync.Mutex
	timer *time.Timer // guarded by mu
	over  bool        // guarded by mu
	seen  int64       // guarded by mu: what had moved at the last check
	quiet int         // guarded by mu: checks since then
	err   error       // guarded by mu: what failed first
}

// check is called by the timer.
func (r *relay) check() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	if now := r.there.moved.Load() + r.back.moved.Load(); now != r.seen {
		r.seen, r.quiet = now, 0
	} else if r.quiet++; r.quiet >= idleChecks {
		r.idle.Store(true)
		r.cut()
		return
	}
	r.timer.Reset(r.every)
}

// cut ends both directions at once.
func (r *relay) cut() {
	r.a.SetDeadline(time.Unix(1, 0))
	r.b.SetDeadline(time.Unix(1, 0))
}

// end runs a direction, and the last one ends the relay. If it fails the other
// one is over too.
func (r *relay) end(d *direction) {
	err := d.run()
	half, ok := d.dst.(interface{ CloseWrite() error })
	switch {
	case err != nil:
		r.mu.Lock()
		if r.err == nil {
			r.err = err
		}
		r.mu.Unlock()
		r.cut()
	case ok:
		half.CloseWrite() // if that fails, the other direction finds out
	default:
		r.whole.Store(true)
		r.cut()
	}
	if r.running.Add(-1) > 0 {
		return
	}
	r.mu.Lock()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.over = true
	err = r.err
	r.mu.Unlock()
	switch {
	case r.idle.Load():
		err = ErrIdle
	case r.whole.Load() && errors.Is(err, os.ErrDeadlineExceeded):
		err = nil // that was us
	}
	r.a.Close()
	r.b.Close()
	r.done(r.there.moved.Load(), r.back.moved.Load(), err)
}

// direction moves bytes one way. It belongs to one goroutine, but for moved.
type direction struct {
	dst, src net.Conn
	moved    atomic.Int64

	tcpDst, tcpSrc *net.TCPConn // both nil unless both are TCP
	in, out        syscall.RawConn
	hints          bool // reads tell what is left
	bulk           bool // splice
	few            int  // small messages since then
	err            error

	// For the functions below, each of which is made once.
	pending    []byte // to be written by onWritable
	from       pipe
	left       int // in the pipe
	errno      syscall.Errno
	write      func(fd uintptr)
	onPumped   func(fd uintptr)
	onPumpable func(fd uintptr) bool
}

func (d *direction) init(dst, src net.Conn) {
	d.dst, d.src = src, dst // from a to b: see Relay
	var ok, also bool
	d.tcpDst, ok = d.dst.(*net.TCPConn)
	d.tcpSrc, also = d.src.(*net.TCPConn)
	if !ok || !also || !rawIO {
		d.tcpDst, d.tcpSrc = nil, nil
		return
	}
	var err error
	if d.in, err = d.tcpSrc.SyscallConn(); err == nil {
		d.out, err = d.tcpDst.SyscallConn()
	}
	if err != nil {
		d.tcpDst, d.tcpSrc = nil, nil
		return
	}
	d.in.Control(func(fd uintptr) { d.hints = wantINQ(fd) })
	d.write, d.onPumpable, d.onPumped = d.onWritable, d.pumpable, d.onPump
}

// run returns nil at the end of the source.
func (d *direction) run() error {
	if d.tcpSrc == nil {
		return d.copy()
	}
	if err := d.in.Read(d.onReady); err != nil {
		return err
	}
	if d.err == io.EOF {
		return nil
	}
	return d.err
}

// onReady is called by RawRead whenever there may be something to read. It
// stays inside it until the end, so that the poller is made ready only once.
func (d *direction) onReady(fd uintptr) bool {
	for {
		var wait bool
		if d.bulk {
			wait = d.moveBulk(fd)
		} else {
			wait = d.moveSmall(fd)
		}
		if d.err != nil {
			return true
		}
		if wait {
			return false
		}
	}
}

// moveSmall moves a message through a buffer and reports whether there is
// nothing more. A full buffer is followed by splicing.
func (d *direction) moveSmall(fd uintptr) (wait bool) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	n, more, errno := rawRead(fd, buf[:])
	switch {
	case errno == syscall.EAGAIN:
		return true
	case errno != 0:
		d.err = os.NewSyscallError("read", errno)
		return false
	case n == 0:
		d.err = io.EOF
		return false
	}
	d.err = d.forward(buf[:n])
	d.bulk = n == bufferSize
	// Without a hint only a read that fails shows that there is no more: data
	// and the end of the stream may have come as one event.
	return d.hints && !more
}

// moveBulk moves bytes that are not read, by way of a pipe, and reports whether
// there is nothing more.
func (d *direction) moveBulk(fd uintptr) (wait bool) {
	p, err := getPipe()
	if err != nil { // out of descriptors: buffers do as well
		d.bulk = false
		return false
	}
	n, errno := rawSplice(fd, uintptr(p.w), pipeSize)
	switch {
	case errno == syscall.EAGAIN:
		putPipe(p)
		return true
	case errno != 0:
		p.close()
		d.err = os.NewSyscallError("splice", errno)
		return false
	case n == 0:
		putPipe(p)
		d.err = io.EOF
		return false
	}
	if d.err = d.pump(p, n); d.err != nil {
		p.close() // with what is in it
		return false
	}
	putPipe(p)
	d.moved.Add(int64(n))
	if n >= bulkFrom {
		d.few = 0
	} else if d.few++; d.few == fewSmall {
		d.bulk, d.few = false, 0
	}
	return false
}

// A direction splices until fewSmall messages in a row were shorter than bulkFrom.
const (
	bulkFrom = 4 << 10
	fewSmall = 8
)

// pump moves n bytes from the pipe to the destination.
func (d *direction) pump(p pipe, n int) error {
	d.from, d.left, d.errno = p, n, 0
	if err := d.out.Control(d.onPumped); err != nil {
		return err
	}
	if d.left > 0 && d.errno == syscall.EAGAIN {
		if err := d.out.Write(d.onPumpable); err != nil {
			return err
		}
	}
	if d.errno != 0 {
		return os.NewSyscallError("splice", d.errno)
	}
	return nil
}

func (d *direction) onPump(fd uintptr) { d.onPumpable(fd) }

// pumpable is called by RawWrite; it returns false to wait.
func (d *direction) pumpable(fd uintptr) bool {
	d.errno = 0
	for d.left > 0 {
		n, errno := rawSplice(uintptr(d.from.r), fd, d.left)
		if errno == 0 && n == 0 {
			errno = syscall.EPIPE
		}
		if errno != 0 {
			d.errno = errno
			return errno != syscall.EAGAIN
		}
		d.left -= n
	}
	return true
}

// forward writes p, at first without a detour: a socket takes a small message
// nearly always.
func (d *direction) forward(p []byte) error {
	n := len(p)
	d.pending = p
	if err := d.out.Control(d.write); err != nil {
		return err
	}
	rest := d.pending
	d.pending = nil
	if len(rest) > 0 {
		if _, err := d.tcpDst.Write(rest); err != nil {
			return err
		}
	}
	d.moved.Add(int64(n))
	return nil
}

func (d *direction) onWritable(fd uintptr) {
	n, _ := rawWrite(fd, d.pending) // an error comes again from Write
	d.pending = d.pending[n:]
}

// copy is the way of connections that are not both TCP.
func (d *direction) copy() error {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for {
		n, err := d.src.Read(buf[:])
		if n > 0 {
			if _, werr := d.dst.Write(buf[:n]); werr != nil {
				return werr
			}
			d.moved.Add(int64(n))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
