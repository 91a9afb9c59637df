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

// ErrIdle is the error of a connection on which nothing moved for too long.
var ErrIdle = errors.New("lbtcp: nothing moved for too long")

// Relay moves bytes between a and b until both directions have ended, closes
// both, and returns how much was moved. The end of one direction is passed on as
// a half-close where the connection can do that (TCP, TLS), and ends the other
// direction too where it cannot. The error is nil after an orderly end, ErrIdle
// if nothing moved for idle (0: no limit), else what failed first; a TCP
// connection is reset then, so that nobody takes a part for the whole.
//
// Where both are *net.TCPConn, on Linux, idle directions hold no buffer, and
// long transfers do not pass through the memory of the process (splice(2)).
// Closing a or b from elsewhere ends the relay. It has two goroutines for as
// long as it lasts; the connections of a [Proxy] have none.
func Relay(a, b net.Conn, idle time.Duration) (ab, ba int64, err error) {
	r := &relay{a: a, b: b}
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
	var back sync.WaitGroup
	back.Go(func() { r.run(&r.back) })
	r.run(&r.there)
	back.Wait()
	return r.end()
}

// idleChecks is how often it is looked whether anything has moved, within the
// time that it may not.
const idleChecks = 8

type relay struct {
	a, b        net.Conn
	there, back direction
	whole       atomic.Bool // one end ended both directions, in good order

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
	if now := r.there.total.Load() + r.back.total.Load(); now != r.seen {
		r.seen, r.quiet = now, 0
	} else if r.quiet++; r.quiet >= idleChecks {
		if r.err == nil {
			r.err = ErrIdle
		}
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

// run runs a direction. If it fails the other one is over too.
func (r *relay) run(d *direction) {
	err := d.run()
	d.stream.release()
	half, ok := d.dst.(interface{ CloseWrite() error })
	switch {
	case err != nil:
		r.mu.Lock()
		if r.err == nil && !(r.whole.Load() && errors.Is(err, os.ErrDeadlineExceeded)) { // that was us
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
}

// end closes both, when both directions are over.
func (r *relay) end() (ab, ba int64, err error) {
	r.mu.Lock()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.over = true
	err = r.err
	r.mu.Unlock()
	for _, c := range []net.Conn{r.a, r.b} {
		if t, ok := c.(*net.TCPConn); ok && err != nil && !errors.Is(err, ErrIdle) {
			t.SetLinger(0) // closing it resets it
		}
		c.Close()
	}
	return r.there.total.Load(), r.back.total.Load(), err
}

// direction moves bytes one way. It belongs to one goroutine, but for total.
type direction struct {
	dst, src net.Conn
	total    atomic.Int64

	// Where both are TCP and we read and write for ourselves:
	in, out syscall.RawConn
	stream  stream
	waits   next
	err     error
	from    int                   // in's descriptor, while in use
	step    func(fd uintptr)      // made once
	stepped func(fd uintptr) bool // made once
}

func (d *direction) init(src, dst net.Conn) {
	d.src, d.dst = src, dst
	from, ok := src.(*net.TCPConn)
	to, also := dst.(*net.TCPConn)
	if !ok || !also || !rawIO {
		return
	}
	in, err := from.SyscallConn()
	out, err2 := to.SyscallConn()
	if err != nil || err2 != nil {
		return
	}
	d.in, d.out = in, out
	d.step = func(fd uintptr) {
		d.waits, d.err = d.stream.move(d.from, int(fd))
		d.total.Store(d.stream.moved)
	}
	d.stepped = func(fd uintptr) bool {
		d.step(fd)
		return d.waits != whenWritable || d.err != nil
	}
}

// run returns nil at the end of the source.
func (d *direction) run() error {
	if d.in == nil {
		return d.copy()
	}
	if err := d.in.Read(d.onReadable); err != nil {
		return err
	}
	return d.err
}

// onReadable is called by RawRead whenever there may be something to read. It
// stays inside it until the end, so that the poller is made ready only once.
func (d *direction) onReadable(fd uintptr) bool {
	d.from = int(fd)
	for {
		err := d.out.Control(d.step) // a socket takes a message nearly always
		if err == nil && d.err == nil && d.waits == whenWritable {
			err = d.out.Write(d.stepped)
		}
		if d.err == nil {
			d.err = err
		}
		switch {
		case d.err != nil || d.waits == never:
			return true
		case d.waits == whenReadable:
			return false
		}
	}
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
			d.total.Add(int64(n))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
