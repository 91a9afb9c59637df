package replication

import (
	"context"
	"time"
)

// step brings the replica to a snapshot of the master that is taken now, and
// returns the number of keys that had changed. The order of what it does is
// what makes it right:
//
//  1. One snapshot of the master gives its position, the keys logged since the
//     replica's, and the rows of these keys.
//  2. Before that snapshot is let go, the triggers are seen to be whole; after
//     it, the master is seen to know this node still: so nothing that the node
//     needed was trimmed before it was read.
//  3. One transaction of the replica moves the position from what it is known
//     to be, and applies the rows.
func (s *session) step(ctx context.Context) (rows int64, err error) {
	began := time.Now()
	if err := s.source.dialect.Sequence(ctx, s.source.conn, s.cfg.Group, s.tables); err != nil {
		return 0, at("master", "putting the log into order", err)
	}
	b, err := s.look(ctx)
	for range lookTries {
		if err == nil || s.source.dialect.Fault(err) != Transient {
			break
		}
		b, err = s.look(ctx) // the snapshot was of no use: a table was truncated since
	}
	if err != nil {
		return 0, err
	}
	defer undo(ctx, b.snapshot)
	work := false
	for _, c := range b.changes {
		work = work || c != Nothing
	}
	if work || time.Since(s.checked) >= driftInterval {
		if err := s.checkDrift(ctx); err != nil {
			return 0, err
		}
	}
	if !work && s.record.phase == Following {
		if err := s.release(ctx, b.snapshot); err != nil {
			return 0, err
		}
		s.pos, s.asOf = b.to, b.asOf
		return 0, nil
	}
	if err := s.apply(ctx, b); err != nil {
		return 0, err
	}
	s.cfg.Logger.Debug("applied", "node", s.cfg.Node, "rows", b.rows, "took", time.Since(began))
	if f := s.cfg.Trace.Applied; f != nil {
		f(AppliedInfo{Position: b.to, AsOf: b.asOf, Rows: b.rows, Took: time.Since(began)})
	}
	return b.rows, nil
}

// lookTries is how often a snapshot is taken anew at once.
const lookTries = 3

// look takes a snapshot of the master, and looks in it for changes.
func (s *session) look(ctx context.Context) (*batch, error) {
	l, err := s.source.look(ctx, s.cfg.Group, s.tables, s.pos.At)
	if err != nil {
		return nil, err
	}
	return &batch{snapshot: l.tx, asOf: l.asOf, to: Position{s.system, l.at}, changes: l.changes}, nil
}

// checkDrift compares the tables and triggers with what they were when they
// were copied.
func (s *session) checkDrift(ctx context.Context) error {
	prints, err := s.source.dialect.Fingerprint(ctx, s.source.conn, s.cfg.Group, s.tables)
	if err != nil {
		return at("master", "looking at the triggers", err)
	}
	for i, p := range prints {
		name := s.tables[i].Name.String()
		switch {
		case p == "":
			return &DriftError{name, "its triggers or its log are not whole"}
		case p != s.prints[i]:
			return &DriftError{name, "its columns, key or triggers are not those that were copied"}
		}
	}
	s.checked = time.Now()
	return nil
}

// release ends the master's snapshot, and checks that the log was kept for this
// node until then. Nodes are given up in one transaction and the log is trimmed
// afterwards, so a node that is still known has missed nothing.
func (s *session) release(ctx context.Context, snapshot Tx) error {
	if err := snapshot.Commit(); err != nil {
		return at("master", "ending a snapshot", err)
	}
	return s.current(ctx)
}
