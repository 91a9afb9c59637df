package memcached

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// server is one memcached server as this client uses it: its connections, the
// callers that wait for them, and what is known about its health.
type server struct {
	Server
	address   net.Addr
	timeout   time.Duration
	idleLimit time.Duration // negative: connections stay
	dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	logger    *slog.Logger
	trace     *Trace
	run       func(task func()) bool // starts a goroutine that Close waits for
	added     bool                   // by SetServers

	stats counters

	mu      sync.Mutex
	health  health      // guarded by mu
	closed  bool        // guarded by mu
	idle    []*slot     // guarded by mu; the last one used last
	slots   []*slot     // guarded by mu; all that have or may have a connection
	sweeper *time.Timer // guarded by mu; set while slots are idle

	free    int          // guarded by mu; slots that calls other than single Gets may still take
	waiting []chan *slot // guarded by mu; for such a slot; closed when there will be none
	getters int          // guarded by mu; slots with single Gets
	queue   []*waiter    // guarded by mu; single Gets that wait for the next batch
}

func newServer(s Server, t *Tier, added bool) *server {
	srv := &server{
		Server: s, address: newAddress(s.Addr),
		timeout: t.cfg.Timeout, idleLimit: t.cfg.IdleTimeout, dial: t.cfg.DialContext,
		logger: t.cfg.Logger, trace: t.cfg.Trace, run: t.run, added: added,
		free: t.cfg.MaxConns - getSlots,
	}
	if added {
		// Nobody knows what it holds: it is purged before its first use.
		srv.health.eject(time.Now().Add(-time.Hour), 0)
	}
	return srv
}

// changing marks the context of what must reach a server as soon as it answers
// again, before it is purged and taken back.
type changing struct{}

// usable returns nil when calls may be sent, and otherwise starts an attempt to
// take the server back when one is due. The caller holds mu.
func (s *server) usable(ctx context.Context) error {
	switch {
	case s.closed:
		return ErrClosed
	case !s.health.out:
		return nil
	case s.health.draining && ctx.Value(changing{}) != nil:
		return nil
	case s.health.due(time.Now()):
		s.health.start()
		if !s.run(s.revive) {
			return ErrClosed
		}
	}
	return ErrEjected
}

// do runs one call that is no single Get. Its errors are those of the server,
// ErrEjected, ErrClosed, or the cause of ctx.
func (s *server) do(ctx context.Context, call func(*memcache.Client) error) error {
	sl, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	err = sl.run(ctx, call)
	s.mu.Lock()
	err = s.judge(ctx, sl, err)
	s.putBack(sl)
	switch {
	case len(s.waiting) == 0:
		s.free++
		s.mu.Unlock()
	default:
		next := s.waiting[0]
		s.waiting = s.waiting[1:]
		sl := s.takeOut()
		s.mu.Unlock()
		next <- sl
	}
	return err
}

// acquire takes a slot, and waits for one while the limit is reached.
func (s *server) acquire(ctx context.Context) (*slot, error) {
	s.mu.Lock()
	if err := s.usable(ctx); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	if s.free > 0 {
		s.free--
		sl := s.takeOut()
		s.mu.Unlock()
		return sl, nil
	}
	turn := make(chan *slot, 1)
	s.waiting = append(s.waiting, turn)
	s.mu.Unlock()

	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	var err error
	select {
	case sl, ok := <-turn:
		if !ok {
			return nil, s.why()
		}
		return sl, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = errBusy
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.waiting {
		if w == turn {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return nil, err
		}
	}
	// Our turn came at the same moment.
	sl, ok := <-turn
	if !ok {
		return nil, err
	}
	return sl, nil
}

// errBusy is a time-out, but no sign that the server is ill.
var errBusy error = busyError{}

type busyError struct{}

func (busyError) Error() string   { return "all connections are busy" }
func (busyError) Timeout() bool   { return true }
func (busyError) Temporary() bool { return true }

// why returns the reason for which waiting callers were sent away.
func (s *server) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return ErrEjected
}

// takeOut returns an idle slot or a new one. The caller holds mu.
func (s *server) takeOut() *slot {
	var sl *slot
	if n := len(s.idle); n > 0 {
		sl = s.idle[n-1]
		s.idle = s.idle[:n-1]
	} else {
		sl = s.newSlot()
	}
	return sl
}

// newSlot returns a slot in use. The caller holds mu.
func (s *server) newSlot() *slot {
	sl := newSlot(s)
	s.slots = append(s.slots, sl)
	s.stats.conns.Add(1)
	return sl
}

// drop closes a slot for good. The caller holds mu.
func (s *server) drop(sl *slot) {
	if i := slices.Index(s.slots, sl); i >= 0 {
		s.slots = slices.Delete(s.slots, i, i+1)
	}
	s.stats.conns.Add(-1)
	sl.close()
}

// putBack makes a slot idle. The caller holds mu.
func (s *server) putBack(sl *slot) {
	if s.closed || s.health.out || sl.doomed {
		s.drop(sl)
		return
	}
	s.idle = append(s.idle, sl)
	if s.sweeper == nil && s.idleLimit >= 0 {
		s.sweeper = time.AfterFunc(s.idleLimit, s.sweep)
	}
}

// sweep closes the connections that were idle for too long.
func (s *server) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := time.Now().Add(-s.idleLimit)
	n := 0
	for n < len(s.idle) && !s.idle[n].began.After(old) {
		s.drop(s.idle[n])
		n++
	}
	s.idle = append(s.idle[:0], s.idle[n:]...)
	s.sweeper = nil
	if len(s.idle) > 0 && !s.closed {
		s.sweeper = time.AfterFunc(max(s.idle[0].began.Sub(old), time.Millisecond), s.sweep)
	}
}

// judge learns from the outcome of a call and returns the error to report. The
// caller holds mu.
func (s *server) judge(ctx context.Context, sl *slot, err error) error {
	if err == nil || err == memcache.ErrCacheMiss || err == memcache.ErrCASConflict || err == memcache.ErrNotStored {
		s.health.succeeded()
		return err
	}
	if s.closed {
		return ErrClosed
	}
	cut := ctx.Err() != nil
	switch {
	case s.health.out:
		s.stats.errors.Add(1)
		if cut {
			return err
		}
		return ErrEjected
	case cut && errors.Is(ctx.Err(), context.Canceled):
		return err
	case !cut && sl.dialErr == nil && !unanswered(err):
		s.health.succeeded()
		s.stats.errors.Add(1)
		return answerError(err)
	}
	s.stats.errors.Add(1)
	if cut || isTimeout(err) {
		s.stats.timeouts.Add(1)
	}
	now := time.Now()
	if s.health.failed(sl.began, now, cut, s.timeout) {
		s.eject(err, now)
	}
	if isTimeout(err) && !cut {
		// Who queued behind this call has waited for it all the time.
		s.failQueue(err)
	}
	return err
}

// answerError makes an answer that is not the one hoped for an error without
// the text of the answer, which may hold a key.
func answerError(err error) error {
	if strings.Contains(err.Error(), "too large") {
		return ErrTooLarge
	}
	if strings.Contains(err.Error(), "SERVER_ERROR out of memory") {
		return errMemory
	}
	return errAnswer
}

var errMemory = errors.New("server is out of memory")

// eject stops all use of the server: present calls fail at once and waiting
// callers are sent away. The caller holds mu.
func (s *server) eject(cause error, now time.Time) {
	was := s.health.out
	s.health.eject(now, rand.Float64())
	if was {
		return
	}
	s.stats.ejections.Add(1)
	s.abandon()
	retry := s.health.until.Sub(now)
	s.run(func() {
		s.logger.Warn("memcached server ejected", "server", s.Name, "error", cause, "retry", retry)
		if s.trace.Ejected != nil {
			s.trace.Ejected(s.Name, cause)
		}
	})
}

// abandon ends all calls and closes all idle connections. The caller holds mu.
func (s *server) abandon() {
	for _, sl := range s.idle {
		s.drop(sl)
	}
	s.idle = nil
	for _, sl := range s.slots {
		sl.mu.Lock()
		sl.doomed = true
		if sl.busy {
			sl.cutNow()
		}
		sl.mu.Unlock()
	}
	for _, turn := range s.waiting {
		close(turn)
	}
	s.waiting = nil
	err := ErrEjected
	if s.closed {
		err = ErrClosed
	}
	s.failQueue(err)
}

// missed records that a change did not reach the server: it is not used again
// before it is purged.
func (s *server) missed(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.eject(cause, time.Now())
	}
}

// isOut reports whether the server is ejected, and starts an attempt to take it
// back when one is due.
func (s *server) isOut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usable(context.Background()) != nil
}

// revive purges the server and takes it back. It runs in a goroutine of its
// own, so that no caller waits for an attempt.
func (s *server) revive() {
	s.mu.Lock()
	closed := s.closed
	sl := s.newSlot()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.drop(sl)
		s.mu.Unlock()
	}()

	err := ErrClosed
	if !closed {
		err = sl.run(context.Background(), (*memcache.Client).Ping)
	}
	s.mu.Lock()
	missed := s.health.missed
	if err == nil {
		missed = s.health.answers()
	}
	s.mu.Unlock()
	if err == nil {
		// A server that was stopped has requests of ours in its buffers; it gets
		// time to do them before it is emptied.
		time.Sleep(settle)
	}
	for again := true; again; {
		if err == nil {
			err = sl.run(context.Background(), (*memcache.Client).FlushAll)
		}
		s.mu.Lock()
		var back bool
		back, again = s.health.finish(err == nil, missed, time.Now(), rand.Float64())
		missed = s.health.missed
		s.mu.Unlock()
		if err == nil {
			s.stats.purges.Add(1)
		}
		if back {
			s.logger.Info("memcached server purged and taken back", "server", s.Name)
			if s.trace.Returned != nil {
				s.trace.Returned(s.Name)
			}
		}
	}
}

const settle = 50 * time.Millisecond

// close ends all use of the server for good.
func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.sweeper != nil {
		s.sweeper.Stop()
	}
	s.abandon()
}
