package memcached

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// slot is one gomemcache client with at most one connection. One caller at a
// time uses it, so that the connection of a call is known and the call can be
// cut short, which gomemcache has no context for.
type slot struct {
	server *server
	client *memcache.Client // of this slot's server only

	// of the goroutine that uses the slot
	ctx      context.Context // of the present call, for dialling
	timed    bool            // began and limit are those of the present call
	began    time.Time       // the present or last call
	limit    time.Time       // when it is given up
	dialErr  error           // of the present call
	answered bool            // the present call has read something

	mu     sync.Mutex
	call   uint64             // written with mu by the user; number of the present or last call
	busy   bool               // guarded by mu; the present call runs
	cut    bool               // guarded by mu; somebody ended the present call
	doomed bool               // written with mu and server.mu; its server was given up: no call may begin
	conn   *conn              // guarded by mu; nil when there is none
	undial context.CancelFunc // guarded by mu; ends dialling
}

// conn is the connection under a gomemcache client. Deadlines are the slot's:
// gomemcache sets one per answer, so that a server that trickles holds a caller
// for ever, and each costs a walk through the poller.
type conn struct {
	net.Conn
	slot     *slot
	deadline time.Time // guarded by slot.mu
	ahead    []byte    // of the goroutine that uses the slot: read, not yet asked for
	buffer   []byte    // of ahead; nil until an answer was long
	long     bool      // of the same: there may be more than was asked for
}

// readAhead is how much is read at once of an answer that does not fit the
// four kilobytes for which gomemcache asks.
const readAhead = 32 << 10

// SetDeadline is called by gomemcache with its time-out from now, before each
// request and each part of an answer. The first of a call counts.
func (c *conn) SetDeadline(limit time.Time) error {
	sl := c.slot
	if sl.timed {
		return nil
	}
	idle := sl.began
	sl.begin(limit)
	if sl.began.Sub(idle) > time.Second && closedByPeer(c.Conn) {
		return c.Conn.Close() // the call fails at once and is done again
	}
	sl.mu.Lock()
	defer sl.mu.Unlock()
	// A deadline that is nearly as far as it should be is left.
	if short := limit.Sub(c.deadline); !sl.cut && (short < 0 || short > sl.server.timeout/8) {
		c.deadline = limit
		return c.Conn.SetDeadline(limit)
	}
	return nil
}

func (c *conn) Read(b []byte) (n int, err error) {
	switch {
	case len(c.ahead) > 0:
	case c.long && len(b) < readAhead:
		if c.buffer == nil {
			c.buffer = make([]byte, readAhead)
		}
		n, err = c.Conn.Read(c.buffer)
		c.ahead = c.buffer[:n]
		c.long = n == readAhead
	default:
		n, err = c.Conn.Read(b)
		c.long = n == len(b)
		c.slot.answered = c.slot.answered || n > 0
		return n, err
	}
	n = copy(b, c.ahead)
	c.ahead = c.ahead[n:]
	c.slot.answered = c.slot.answered || n > 0
	if n > 0 {
		err = nil // it comes again
	}
	return n, err
}

func (c *conn) Close() error {
	c.slot.mu.Lock()
	if c.slot.conn == c {
		c.slot.conn = nil
	}
	if lingerer, ok := c.Conn.(interface{ SetLinger(sec int) error }); ok && c.slot.busy {
		// A call failed. What is still on its way must not arrive later, after
		// the server was purged: the kernel would go on sending it for minutes.
		lingerer.SetLinger(0)
	}
	c.slot.mu.Unlock()
	return c.Conn.Close()
}

// address is where gomemcache dials: as it was configured, to be resolved then.
type address struct{ network, addr string }

func (a *address) Network() string { return a.network }
func (a *address) String() string  { return a.addr }

// only is a memcache.ServerSelector of one server.
type only struct{ addr net.Addr }

func (o only) PickServer(string) (net.Addr, error)        { return o.addr, nil }
func (o only) Each(visit func(addr net.Addr) error) error { return visit(o.addr) }

func newSlot(s *server) *slot {
	sl := &slot{server: s, client: memcache.NewFromSelector(only{s.address})}
	sl.client.Timeout = s.timeout
	sl.client.MaxIdleConns = 1
	sl.client.DialContext = sl.dial
	return sl
}

// run does one call within the server's time-out and ctx. When the connection
// turns out to have been closed while it was idle, the call is done again on a
// new one: commands here may be done twice, since all changes are by cas, by
// add with a token of their own, or have the same end.
func (sl *slot) run(ctx context.Context, call func(*memcache.Client) error) error {
	reused, ok := sl.enter(ctx)
	if !ok {
		return ErrEjected
	}
	var stop func() bool
	if ctx.Done() != nil {
		call := sl.call
		stop = context.AfterFunc(ctx, func() { sl.cutShort(call) })
	}
	err := call(sl.client)
	if err != nil && reused && sl.stale(err) {
		sl.server.stats.retries.Add(1)
		err = call(sl.client)
	}
	if stop != nil {
		stop()
	}
	cut := sl.leave()
	if err == nil {
		return nil
	}
	if cut && isTimeout(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if cut {
			return ErrEjected
		}
	}
	return err
}

// enter starts a call, unless the slot is doomed, and reports whether it uses
// a connection from before.
func (sl *slot) enter(ctx context.Context) (reused, ok bool) {
	sl.ctx, sl.timed = ctx, false
	sl.dialErr, sl.answered = nil, false
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.doomed {
		return false, false
	}
	sl.call++
	sl.busy, sl.cut = true, false
	return sl.conn != nil, true
}

// begin notes when the present call began and when it ends.
func (sl *slot) begin(limit time.Time) {
	sl.timed, sl.limit, sl.began = true, limit, limit.Add(-sl.server.timeout)
}

// leave ends a call and reports whether somebody cut it short.
func (sl *slot) leave() (cut bool) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.busy = false
	if sl.cut && sl.conn != nil {
		sl.conn.deadline = time.Time{} // it is in the past: the next call sets it
	}
	return sl.cut
}

// cutShort ends a call if it is the present one.
func (sl *slot) cutShort(call uint64) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.busy && sl.call == call {
		sl.cutNow()
	}
}

// cutNow makes what the present call waits for fail at once. The caller holds mu.
func (sl *slot) cutNow() {
	sl.cut = true
	if sl.undial != nil {
		sl.undial()
	}
	if sl.conn != nil {
		sl.conn.deadline = aeon
		sl.conn.Conn.SetDeadline(aeon)
	}
}

var aeon = time.Unix(1, 0) // long past

// stale reports whether err is that of a connection which the server had
// closed before it saw the call.
func (sl *slot) stale(err error) bool {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return sl.conn == nil && !sl.cut && sl.dialErr == nil && !isTimeout(err) && unanswered(err) && !sl.answered
}

func (sl *slot) dial(_ context.Context, network, addr string) (net.Conn, error) {
	if !sl.timed {
		sl.begin(time.Now().Add(sl.server.timeout))
	}
	ctx, cancel := context.WithDeadline(sl.ctx, sl.limit)
	defer cancel()
	sl.mu.Lock()
	if sl.cut {
		cancel()
	}
	sl.undial = cancel
	sl.mu.Unlock()

	nc, err := sl.server.dial(ctx, network, addr)

	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.undial = nil
	if err != nil {
		sl.dialErr = err
		return nil, err
	}
	c := &conn{Conn: nc, slot: sl, deadline: sl.limit}
	if sl.cut {
		c.deadline = aeon
	}
	nc.SetDeadline(c.deadline)
	sl.conn = c
	return c, nil
}

// close gives up the connection; the slot stays usable.
func (sl *slot) close() { sl.client.Close() }

// isTimeout reports whether err is that of a deadline, the slot's or the
// dialler's.
func isTimeout(err error) bool {
	if _, ok := errors.AsType[*memcache.ConnectTimeoutError](err); ok {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// unanswered reports whether err means that the server did not answer, rather
// than that it answered badly.
func unanswered(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || isTimeout(err) {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}
