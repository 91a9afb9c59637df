package replication

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// The initial copy. What makes it join the log without a gap:
//
//	the triggers are there, so every change from position P on is logged;
//	the node is registered on the master, so the log is kept from P on;
//	the chunks are read later than P, each from a snapshot of its own;
//	the log from P to a snapshot later than all chunks is applied.
//
// The log names keys, and applying it reads the rows as they are then. So it
// does not matter that the chunks are of different age: a row that changed
// after its chunk was read is named in the log. Until then the replica is not
// consistent, which its phase says.

// copyAll copies all tables anew, or goes on with a copy that was interrupted.
func (s *session) copyAll(ctx context.Context) error {
	states, err := s.resume(ctx)
	if err != nil {
		return err
	}
	if states == nil {
		if states, err = s.begin(ctx); err != nil {
			return err
		}
	}
	stop := s.keepAlive(ctx)
	defer stop()
	work := make(chan route, len(s.pairs))
	for _, p := range s.pairs {
		if !states[p.source.ID].done {
			work <- p
		}
	}
	close(work)
	g, ctx := errgroup.WithContext(ctx)
	for range min(s.cfg.CopyWorkers, len(work)) {
		g.Go(func() error {
			c := &copier{cfg: s.cfg}
			defer c.close()
			if err := c.open(ctx); err != nil {
				return err
			}
			for p := range work {
				if err := c.copyTable(ctx, p, states[p.source.ID]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// resume returns the state of an interrupted copy that may go on: of this
// master, of these tables as they are now, and with the log kept since.
func (s *session) resume(ctx context.Context) (map[string]copyState, error) {
	if s.record.phase != Copying || s.record.position.System != s.system {
		return nil, nil
	}
	switch err := s.current(ctx); {
	case errors.Is(err, ErrNeedResync), errors.Is(err, ErrForeignPosition):
		return nil, nil
	case err != nil:
		return nil, err
	}
	prints, err := s.source.dialect.Fingerprint(ctx, s.source.conn, s.cfg.Group, s.tables)
	if err != nil {
		return nil, at("master", "looking at the triggers", err)
	}
	states, err := s.target.readCopied(ctx, s.cfg.Group, s.cfg.Node)
	if err != nil {
		return nil, err
	}
	for i, p := range s.pairs {
		if st, ok := states[p.source.ID]; !ok || st.name != p.signature() || st.fingerprint != prints[i] || !p.exists {
			return nil, nil
		}
	}
	return states, nil
}

// begin makes what is missing on the replica, and notes the position from which
// the log will be applied.
func (s *session) begin(ctx context.Context) (map[string]copyState, error) {
	for _, t := range []TargetTable{replicaTable, copiedTable} {
		if err := s.target.keep(ctx, t); err != nil {
			return nil, err
		}
	}
	states := make(map[string]copyState)
	for i := range s.pairs {
		p := &s.pairs[i]
		st := copyState{name: p.signature()}
		if p.exists {
			empty, err := s.target.isEmpty(ctx, p.target)
			if err != nil {
				return nil, err
			}
			st.direct = empty
		} else {
			if err := s.target.exec(ctx, s.target.dialect.Create(p.target)...); err != nil {
				return nil, at("replica", "making table "+p.target.Name.String(), err)
			}
			// Look again: Describe knows its schema.
			made, err := resolveTable(ctx, s.source, s.target, p.Table, s.cfg.Group, false)
			if err != nil {
				return nil, err
			}
			*p = made
			st.name, st.direct = p.signature(), true
		}
		states[p.source.ID] = st
	}
	token := newToken()
	now, err := s.start(ctx, token)
	if err != nil {
		return nil, err
	}
	prints, err := s.source.dialect.Fingerprint(ctx, s.source.conn, s.cfg.Group, s.tables)
	if err != nil {
		return nil, at("master", "looking at the triggers", err)
	}
	for i, p := range s.pairs {
		if prints[i] == "" {
			return nil, &DriftError{p.source.Name.String(), "its triggers or its log are not whole, or were never installed"}
		}
		st := states[p.source.ID]
		st.fingerprint = prints[i]
		states[p.source.ID] = st
	}
	return states, s.note(ctx, states, token, Position{s.system, now})
}

// isEmpty reports whether the replica's table has no rows.
func (s *side) isEmpty(ctx context.Context, t TargetTable) (bool, error) {
	empty := true
	keys := SourceTable{Name: t.Name, Columns: t.KeyColumns()}
	for i := range keys.Columns {
		keys.Key = append(keys.Key, i)
	}
	err := s.dialect.Stream(ctx, s.conn, s.dialect.Select(keys, nil, 1), keys.Columns, func([][]byte) error {
		empty = false
		return nil
	})
	return empty, at(s.role, "looking into table "+t.Name.String(), err)
}

// start registers the node and returns the position from which on the log is
// kept for it: one that is read after the registration is visible to whoever
// trims.
func (s *session) start(ctx context.Context, token string) (string, error) {
	if err := s.source.keep(ctx, nodeTable); err != nil {
		return "", err
	}
	before, err := s.source.now(ctx, s.cfg.Group)
	if err != nil {
		return "", err
	}
	if err := s.source.register(ctx, s.cfg.Group, s.cfg.Node, token, before); err != nil {
		return "", err
	}
	return s.source.now(ctx, s.cfg.Group)
}

// now reads the position of a snapshot of its own.
func (s *side) now(ctx context.Context, group string) (string, error) {
	l, err := s.look(ctx, group, nil, "")
	if err != nil {
		return "", err
	}
	defer undo(ctx, l.tx)
	return l.at, at(s.role, "ending a snapshot", l.tx.Commit())
}

// note writes the beginning of a copy on the replica, in one transaction.
func (s *session) note(ctx context.Context, states map[string]copyState, token string, from Position) error {
	const doing = "writing the state of the copy"
	tx, err := s.target.dialect.Begin(ctx, s.target.conn, Write)
	if err != nil {
		return at("replica", doing, err)
	}
	defer undo(ctx, tx)
	group, node := s.cfg.Group, s.cfg.Node
	for _, t := range []TargetTable{copiedTable, replicaTable} {
		if _, err := s.target.change(ctx, "DELETE FROM "+s.target.kept(t)+" WHERE grp = ? AND node = ?", group, node); err != nil {
			return at("replica", doing, err)
		}
	}
	for _, p := range s.pairs {
		st := states[p.source.ID]
		direct := 0
		if st.direct {
			direct = 1
		}
		if _, err := s.target.change(ctx, "INSERT INTO "+s.target.kept(copiedTable)+" (grp, node, id, name, fingerprint, direct, done, copied, last) VALUES (?, ?, ?, ?, ?, ?, 0, 0, '')",
			group, node, p.source.ID, st.name, st.fingerprint, direct); err != nil {
			return at("replica", doing, err)
		}
	}
	if _, err := s.target.change(ctx, "INSERT INTO "+s.target.kept(replicaTable)+" (grp, node, seq, phase, token, next, position, as_of) VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
		group, node, s.record.seq+1, string(Copying), token, token, from.String()); err != nil {
		return at("replica", doing, err)
	}
	if err := tx.Commit(); err != nil {
		return at("replica", doing, err)
	}
	s.record = record{seq: s.record.seq + 1, phase: Copying, token: token, next: token, position: from}
	s.token, s.pos, s.asOf = token, from, time.Time{}
	return nil
}

// keepAlive tells the master now and then that this node lives, and uses the
// session's other connection, while copiers work for long.
func (s *session) keepAlive(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(ackInterval):
			}
			// Only a sign of life: if it fails, the copy finds out by itself.
			_, _ = s.source.change(ctx, "UPDATE "+s.source.kept(nodeTable)+" SET seen = ? WHERE grp = ? AND node = ?", time.Now().UnixMilli(), s.cfg.Group, s.cfg.Node)
			_ = s.target.conn.PingContext(ctx)
		}
	})
	return func() { cancel(); done.Wait() }
}
