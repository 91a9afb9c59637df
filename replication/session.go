package replication

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// session is a replicator's connections, and what holds as long as they do.
// It is used by one goroutine at a time.
type session struct {
	cfg    *Config
	source *side
	target *side
	lock   *side // holds the lock of the node, and does nothing else
	pairs  []route
	tables []SourceTable // of pairs

	system  string // of the master
	record  record
	token   string   // what the master's row of this node says
	pos     Position // where the replica is; at or after record.position
	asOf    time.Time
	prints  []string // the tables' fingerprints when they were copied
	staged  map[string]bool
	checked time.Time // when the triggers were last looked at
	acked   time.Time // when the master last heard of us
	used    time.Time // when the connections were last known to work
}

// open connects to both sides, takes the node's lock, and finds the tables.
// With follow it also checks that the replica may go on where it is.
func (c *Config) open(ctx context.Context) (*session, error) {
	s := &session{cfg: c, staged: make(map[string]bool), used: time.Now()}
	if err := s.connect(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) connect(ctx context.Context) (err error) {
	c := s.cfg
	if s.lock, err = c.Target.connect(ctx, "replica"); err != nil {
		return err
	}
	if err := s.lock.take(ctx, "ashlar/node/"+c.Group+"/"+c.Node); err != nil {
		return err
	}
	if s.source, err = c.Source.connect(ctx, "master"); err != nil {
		return err
	}
	if s.target, err = c.Target.connect(ctx, "replica"); err != nil {
		return err
	}
	if s.pairs, err = resolve(ctx, s.source, s.target, c.Tables, c.Group, false); err != nil {
		return err
	}
	s.pairs = inOrder(s.pairs)
	for _, p := range s.pairs {
		s.tables = append(s.tables, p.source)
	}
	if s.system, err = s.source.identity(ctx); err != nil {
		return err
	}
	if s.record, err = s.target.readRecord(ctx, c.Group, c.Node); err != nil {
		return err
	}
	s.pos, s.asOf = s.record.position, s.record.asOf
	return nil
}

// heldError is the ErrLocked of a lock that some session has.
type heldError struct{ lock string }

func (e *heldError) Error() string { return ErrLocked.Error() + " (lock " + e.lock + ")" }
func (e *heldError) Unwrap() error { return ErrLocked }

// lockPatience is how long a lock is tried: a server may notice only after a
// moment that whoever held it has gone.
const lockPatience = 2 * time.Second

// take takes a lock for as long as the connection lasts.
func (s *side) take(ctx context.Context, name string) error {
	for began := time.Now(); ; {
		ok, err := s.dialect.TryLock(ctx, s.conn, name)
		switch {
		case err != nil:
			return at(s.role, "taking the lock "+name, err)
		case ok:
			s.hold()
			return nil
		case time.Since(began) > lockPatience:
			return &heldError{name}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// idleAfter is how long a connection is left alone. A server is to give up a
// client that has gone without a word, its locks and its transactions: where it
// has no other sign of that than silence, a dialect bounds the silence, at no
// less than twice this.
var idleAfter = time.Minute

// hold keeps the connection, which does nothing but hold a lock, from falling
// silent, and finds out when it is lost.
func (s *side) hold() {
	ctx, cancel := context.WithCancel(context.Background())
	s.letGo = cancel
	conn := s.conn
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(idleAfter / 2):
			}
			if conn.PingContext(ctx) != nil && ctx.Err() == nil {
				s.lost.Store(true)
				return
			}
		}
	}()
}

// alive reports whether the connections can be used, as far as is known; those
// that were idle for long are asked.
func (s *session) alive(ctx context.Context) bool {
	idle := time.Since(s.used)
	s.used = time.Now()
	return !s.lock.lost.Load() &&
		(idle < idleAfter || s.source.conn.PingContext(ctx) == nil && s.target.conn.PingContext(ctx) == nil)
}

func (s *side) identity(ctx context.Context) (string, error) {
	id, err := s.dialect.Identity(ctx, s.conn)
	if err != nil {
		return "", at(s.role, "asking who it is", err)
	}
	return s.dialect.Name() + ":" + id, nil
}

// close ends the connections, and with them the lock.
func (s *session) close() {
	discardAll(s.source, s.target, s.lock)
}

// discardAll ends connections side by side. One that hangs is left to its
// driver, which gives it up by and by.
func discardAll(sides ...*side) {
	var all sync.WaitGroup
	for _, s := range sides {
		if s != nil {
			all.Go(s.discard)
		}
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(hangs):
	}
}

// undo rolls a transaction back that was not committed; after a commit it does
// nothing. When ctx has ended nobody waits for that: a connection may hang, and
// all are discarded after an error, which rolls back as well.
func undo(ctx context.Context, tx Tx) {
	if ctx.Err() == nil {
		_ = tx.Rollback()
	}
}

// hangs is from when on a connection that is being closed counts as hanging.
const hangs = 500 * time.Millisecond

// check tells whether the replica may go on from its position: nil,
// ErrNeedResync or ErrForeignPosition.
func (s *session) check(ctx context.Context) error {
	r := s.record
	if r.phase == NotCopied {
		return fmt.Errorf("%w: node %s was never copied", ErrNeedResync, s.cfg.Node)
	}
	if r.position.System != s.system {
		return fmt.Errorf("%w: %s, and this is %s", ErrForeignPosition, r.position.System, s.system)
	}
	if err := s.current(ctx); err != nil {
		return err
	}
	prints, err := s.fingerprintsAtCopy(ctx)
	if err != nil {
		return err
	}
	s.prints = prints
	return nil
}

// current checks that the master knows the node, and that neither side has gone
// back in time.
func (s *session) current(ctx context.Context) error {
	token, err := s.source.readToken(ctx, s.cfg.Group, s.cfg.Node)
	if err != nil {
		return err
	}
	if token != s.record.token && token != s.record.next {
		return fmt.Errorf("%w: the master's note of node %s is not the replica's, so one of them was restored from an earlier state",
			ErrForeignPosition, s.cfg.Node)
	}
	s.token = token
	return nil
}

// fingerprintsAtCopy returns what the tables looked like when they were copied;
// ErrNeedResync if one was not.
func (s *session) fingerprintsAtCopy(ctx context.Context) ([]string, error) {
	states, err := s.target.readCopied(ctx, s.cfg.Group, s.cfg.Node)
	if err != nil {
		return nil, err
	}
	prints := make([]string, len(s.pairs))
	for i, p := range s.pairs {
		st, ok := states[p.source.ID]
		if !ok || st.name != p.signature() {
			return nil, fmt.Errorf("%w: table %s was not copied with these columns and conditions", ErrNeedResync, p.source.Name)
		}
		if !st.done {
			return nil, fmt.Errorf("%w: the copy of table %s is not complete", ErrNeedResync, p.source.Name)
		}
		prints[i] = st.fingerprint
	}
	return prints, nil
}

// ack tells the master how far this replica is, so that it need not keep more,
// and stores the position if it has moved without changes. The new token is
// written on the replica first: a crash in between leaves the master with one of
// the two that the replica then knows.
func (s *session) ack(ctx context.Context) error {
	next := newToken()
	n, err := s.target.change(ctx, "UPDATE "+s.target.kept(replicaTable)+" SET seq = seq + 1, token = ?, next = ?, position = ?, as_of = ? WHERE grp = ? AND node = ? AND seq = ?",
		s.token, next, s.pos.String(), s.asOf.UnixMilli(), s.cfg.Group, s.cfg.Node, s.record.seq)
	if err != nil {
		return at("replica", "writing the position", err)
	}
	if n != 1 {
		return fmt.Errorf("%w (%s): it has moved the position", ErrLocked, s.cfg.Node)
	}
	s.record.seq++
	s.record.token, s.record.next, s.record.position = s.token, next, s.pos
	n, err = s.source.change(ctx, "UPDATE "+s.source.kept(nodeTable)+" SET seen = ?, token = ?, position = ? WHERE grp = ? AND node = ? AND token = ?",
		time.Now().UnixMilli(), next, s.pos.At, s.cfg.Group, s.cfg.Node, s.token)
	if err != nil {
		return at("master", "telling the position", err)
	}
	if n != 1 {
		if err := s.current(ctx); err != nil {
			return err
		}
		return fmt.Errorf("%w (%s): it has told the master its position", ErrLocked, s.cfg.Node)
	}
	s.token = next
	s.acked = time.Now()
	return nil
}
