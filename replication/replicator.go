package replication

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Replicator keeps one replica equal to its master. Its methods may be called
// from several goroutines; those that change the replica take turns, and so do
// processes: the node's lock, on the replica, lets one in.
type Replicator struct {
	cfg Config

	mu      sync.Mutex // held by whoever changes the replica
	session *session   // guarded by mu; nil: not connected

	held  atomic.Int64 // when a session of ours with the node's lock last broke; in ns
	stats stats
}

// New checks cfg. It connects to nothing.
func New(cfg Config) (*Replicator, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Replicator{cfg: cfg}, nil
}

// Run replicates until ctx ends, and returns context.Cause(ctx); or until an
// error that trying again cannot mend: ErrLocked, ErrDrift, ErrForeignPosition,
// ErrTypeLoss, an *ApplyError, wrong credentials. What trying again can mend, a
// server that is down among it, it tries again for ever, at longer and longer
// intervals up to 30 s, and tells Trace.Retry and the Logger.
//
// A replica that was never copied is copied first, and one that the master has
// given up is copied anew, unless Config.NoResync says otherwise; the tables
// stay readable meanwhile. Install must have been called before.
func (r *Replicator) Run(ctx context.Context) error {
	defer r.Close()
	wait := time.Duration(0)
	for {
		began := time.Now()
		err := r.run(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// After a failure of the network the server may not know yet that the
		// session with our own lock has gone.
		_, held := errors.AsType[*heldError](err)
		if ghost := held && time.Since(time.Unix(0, r.held.Load())) < ghostPatience; !ghost && !r.cfg.transient(err) {
			return err
		}
		if time.Since(began) > time.Minute {
			wait = 0
		}
		wait = min(30*time.Second, max(100*time.Millisecond, 2*wait))
		pause := wait/2 + rand.N(wait/2)
		r.cfg.Logger.Warn("trying again", "node", r.cfg.Node, "in", pause, "error", err)
		if f := r.cfg.Trace.Retry; f != nil {
			f(err, pause)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// run replicates until something fails.
func (r *Replicator) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	wake := make(chan struct{}, 1)
	helpers.Go(func() { r.listen(ctx, wake) })
	helpers.Go(func() { r.trimForever(ctx) })
	pause := r.cfg.Interval
	for {
		rows, err := r.Step(ctx)
		switch {
		case err == nil:
		case errors.Is(err, ErrNeedResync) && !r.cfg.NoResync:
			r.cfg.Logger.Info("copying", "node", r.cfg.Node, "because", err)
			if err := r.Copy(ctx); err != nil {
				return err
			}
			continue
		default:
			return err
		}
		// After changes look again soon: more may follow, and the wait for them
		// is what a reader of the replica sees.
		if pause = min(r.cfg.Interval, 2*pause); rows > 0 {
			pause = min(r.cfg.Interval, minPause)
		}
		select {
		case <-wake:
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ghostPatience is how long Run waits for a lock that it had itself.
const ghostPatience = 3 * time.Minute

const minPause = 2 * time.Millisecond

// Step brings the replica to a snapshot of the master that is taken now, and
// returns how many keys had changed. Connections, and the node's lock, are kept
// for the next call, until Close or an error. ErrNeedResync if the replica was
// not copied, or the master has given it up: call Copy.
func (r *Replicator) Step(ctx context.Context) (rows int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.follow(ctx)
	if err != nil {
		return 0, err
	}
	if rows, err = s.step(ctx); err != nil {
		return 0, r.broken(err)
	}
	r.stats.applied(s, rows)
	if time.Since(s.acked) >= ackInterval {
		if err := s.ack(ctx); err != nil {
			return rows, r.broken(err)
		}
	}
	return rows, nil
}

// Copy copies all tables, or goes on with a copy that was interrupted: if that
// was by a crash, at the last chunk that was committed. A table of the replica
// that has rows is not emptied: rows are changed, added and deleted until it
// equals the master's. When Copy returns, the replica equals one snapshot of the
// master.
func (r *Replicator) Copy(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closeSession()
	s, err := r.cfg.open(ctx)
	if err != nil {
		return err
	}
	r.session = s
	if err := s.copyAll(ctx); err != nil {
		return r.broken(err)
	}
	if s.prints, err = s.fingerprintsAtCopy(ctx); err != nil {
		return r.broken(err)
	}
	rows, err := s.step(ctx)
	if err != nil {
		return r.broken(err)
	}
	r.stats.applied(s, rows)
	return nil
}

// Close ends the connections and gives the node's lock back. The Replicator
// can be used again.
func (r *Replicator) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.session; s != nil && s.record.phase == Following && s.prints != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.ack(ctx) // so that the master can trim; if not now, next time
	}
	r.closeSession()
	return nil
}

// follow returns the session, connecting if there is none.
func (r *Replicator) follow(ctx context.Context) (*session, error) {
	if r.session != nil && r.session.prints != nil {
		if r.session.alive(ctx) {
			return r.session, nil
		}
		r.held.Store(time.Now().UnixNano())
	}
	r.closeSession()
	s, err := r.cfg.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx); err != nil {
		s.close()
		return nil, err
	}
	r.session = s
	return s, nil
}

// broken ends the session after an error: what the connections are in the
// middle of is not known.
func (r *Replicator) broken(err error) error {
	r.held.Store(time.Now().UnixNano())
	r.stats.failed()
	r.closeSession()
	return err
}

func (r *Replicator) closeSession() {
	if r.session != nil {
		r.session.close()
		r.session = nil
	}
}

// listen turns the master's notices into wake-ups, if it gives any. Without
// them, polls are as far apart as Config.Interval says.
func (r *Replicator) listen(ctx context.Context, wake chan<- struct{}) {
	w, ok := r.cfg.Source.Dialect.(Waker)
	if !ok {
		return
	}
	for ctx.Err() == nil {
		s, err := r.cfg.Source.connect(ctx, "master")
		for err == nil {
			if err = w.Wait(ctx, s.conn, r.cfg.Group); err == nil {
				select {
				case wake <- struct{}{}:
				default:
				}
			}
		}
		s.discard()
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// DropNode removes what the master keeps for a node, so that its log can be
// trimmed. If it comes back, it is copied anew.
func (r *Replicator) DropNode(ctx context.Context, name string) error {
	s, err := r.cfg.Source.connect(ctx, "master")
	if err != nil {
		return err
	}
	defer s.discard()
	n, err := s.change(ctx, "DELETE FROM "+s.kept(nodeTable)+" WHERE grp = ? AND node = ?", r.cfg.Group, name)
	if err == nil && n == 0 || err != nil && s.dialect.Fault(err) == Missing {
		return fmt.Errorf("replication: master: group %s has no node %s", r.cfg.Group, name)
	}
	return at("master", "dropping node "+name, err)
}
