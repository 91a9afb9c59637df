package replication

import (
	"context"
	"time"
)

// look is a snapshot of the master.
type look struct {
	tx      Tx
	asOf    time.Time
	at      string
	changes []Change // since the position asked for
}

// look begins a transaction that reads one snapshot, and looks in it for what
// has changed after the position from; "" for nothing.
func (s *side) look(ctx context.Context, group string, tables []SourceTable, from string) (l look, err error) {
	l.asOf = time.Now()
	if d, ok := s.dialect.(Pipeliner); ok {
		l.tx, l.at, l.changes, err = d.Look(ctx, s.conn, group, tables, from)
		return l, at(s.role, "looking for changes in a snapshot", err)
	}
	if l.tx, err = s.dialect.Begin(ctx, s.conn, ReadSnapshot); err != nil {
		return l, at(s.role, "beginning a snapshot", err)
	}
	if l.at, err = s.dialect.Now(ctx, s.conn, group); err != nil {
		err = at(s.role, "reading the position", err)
	} else if from != "" {
		l.changes, err = s.dialect.Changed(ctx, s.conn, group, tables, from, l.at)
		err = at(s.role, "looking for changes", err)
	}
	if err != nil {
		undo(ctx, l.tx)
	}
	return l, err
}

// beginApply begins a transaction in which rows may be applied in any order, as
// far as the session may. It reports whether foreign keys can still be violated
// by the order of statements.
func (s *side) beginApply(ctx context.Context) (tx Tx, ordered bool, err error) {
	if d, ok := s.dialect.(Pipeliner); ok {
		tx, ordered, err = d.BeginApply(ctx, s.conn)
		return tx, ordered, at(s.role, "beginning a transaction", err)
	}
	if tx, err = s.dialect.Begin(ctx, s.conn, Write); err != nil {
		return nil, false, at(s.role, "beginning a transaction", err)
	}
	if ordered, err = s.dialect.Relax(ctx, s.conn); err != nil {
		undo(ctx, tx)
		return nil, false, at(s.role, "relaxing constraints", err)
	}
	return tx, ordered, nil
}
