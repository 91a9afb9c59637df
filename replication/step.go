package replication

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// manyRows is from where on a staging table is worth the dialect's Ready.
const manyRows = 1000

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
	snapshot, err := s.source.dialect.Begin(ctx, s.source.conn, ReadSnapshot)
	if err != nil {
		return nil, at("master", "beginning a snapshot", err)
	}
	b := &batch{snapshot: snapshot, asOf: time.Now()}
	now, err := s.source.dialect.Now(ctx, s.source.conn, s.cfg.Group)
	if err != nil {
		_ = snapshot.Rollback()
		return nil, at("master", "reading the position", err)
	}
	b.to = Position{s.system, now}
	b.changes, err = s.source.dialect.Changed(ctx, s.source.conn, s.cfg.Group, s.tables, s.pos.At, now)
	if err != nil {
		_ = snapshot.Rollback()
		return nil, at("master", "looking for changes", err)
	}
	return b, nil
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

// batch is what one step applies.
type batch struct {
	to       Position
	asOf     time.Time
	changes  []Change
	snapshot Tx
	rows     int64
}

// part is one table of a batch, staged.
type part struct {
	route
	Staging
	change     Change
	all        bool // every row of the table is staged
	rows, gone int64
	replace    bool // delete and insert, because unique values moved between rows
}

func (s *session) apply(ctx context.Context, b *batch) error {
	d := s.target.dialect
	var parts []*part
	for i, c := range b.changes {
		if c == Nothing {
			continue
		}
		p := &part{route: s.pairs[i], Staging: d.Staging(s.pairs[i].target), change: c, all: c == AllRows}
		if err := s.stage(ctx, p.Staging, p.source.ID); err != nil {
			return err
		}
		parts = append(parts, p)
	}
	tx, err := d.Begin(ctx, s.target.conn, Write)
	if err != nil {
		return at("replica", "beginning a transaction", err)
	}
	defer undo(ctx, tx)
	ordered, err := d.Relax(ctx, s.target.conn)
	if err != nil {
		return at("replica", "relaxing constraints", err)
	}
	if err := s.target.advance(ctx, s.cfg.Group, s.cfg.Node, s.record, Following, b.to, b.asOf); err != nil {
		return err
	}
	for _, p := range parts {
		if err := s.load(ctx, p, b); err != nil {
			return err
		}
		b.rows += p.rows
	}
	if err := s.release(ctx, b.snapshot); err != nil {
		return err
	}
	if err := s.merge(ctx, parts, ordered); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return at("replica", "committing", err)
	}
	s.record.seq++
	s.record.phase, s.record.position, s.record.asOf = Following, b.to, b.asOf
	s.pos, s.asOf = b.to, b.asOf
	return nil
}

// stage makes the staging table of a table, empty.
func (s *session) stage(ctx context.Context, st Staging, id string) error {
	if !s.staged[id] {
		if err := s.target.exec(ctx, st.Create...); err != nil {
			return at("replica", "making a staging table", err)
		}
		s.staged[id] = true
	}
	return at("replica", "emptying a staging table", s.target.exec(ctx, st.Clear...))
}

// load stages the part's rows from the master's snapshot.
func (s *session) load(ctx context.Context, p *part, b *batch) error {
	x := &transfer{table: p.route, staged: true, changes: !p.all}
	if p.all {
		x.query = s.source.dialect.Select(p.source, nil, 0)
	} else {
		x.query = s.source.dialect.Changes(s.cfg.Group, p.source, s.pos.At, b.to.At, p.change)
	}
	const point = "ashlar_load"
	if err := s.target.exec(ctx, "SAVEPOINT "+point); err != nil {
		return at("replica", "setting a savepoint", err)
	}
	err := x.run(ctx, s.source, s.target, p.Staging.Table)
	if refused, ok := errors.AsType[*ApplyError](err); ok && refused.Key == "" && s.refuses(err) {
		again := *x
		refused.Key = s.culprit(x.rows, func(lo, hi int64) error {
			if err := s.target.exec(ctx, "ROLLBACK TO SAVEPOINT "+point); err != nil {
				return nil
			}
			again = transfer{table: x.table, staged: true, changes: x.changes, query: x.query, from: lo, to: hi}
			return again.run(ctx, s.source, s.target, p.Staging.Table)
		}, func() string { return again.key })
	}
	if err != nil {
		return err
	}
	p.rows, p.gone = x.rows, x.gone
	if p.rows >= manyRows {
		if err := s.target.exec(ctx, p.Ready...); err != nil {
			return at("replica", "measuring a staging table", err)
		}
	}
	return nil
}

// refuses reports whether the replica refused a row for what it is.
func (s *session) refuses(err error) bool {
	f := s.target.dialect.Fault(err)
	return f == Integrity || f == Unique || errors.Is(err, ErrTypeLoss)
}

// culprit finds the first of n rows that fails by itself, by halves. try works
// on the rows [lo, hi) and leaves nothing behind; key names the row of the last
// call, which had only one. "" if no single row fails.
func (s *session) culprit(n int64, try func(lo, hi int64) error, key func() string) string {
	lo, hi := int64(0), n
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		switch {
		case try(lo, mid) != nil:
			hi = mid
		case try(mid, hi) != nil:
			lo = mid
		default:
			return ""
		}
	}
	if n == 0 || try(lo, hi) == nil {
		return ""
	}
	return key()
}

// merge brings the staged rows into their tables. Unique values may have moved
// between rows of the batch, which updates one after the other cannot follow;
// then the table's rows are deleted and inserted, which is right because the
// batch is exact: whoever held a value before is in it.
func (s *session) merge(ctx context.Context, parts []*part, ordered bool) error {
	const point = "ashlar_merge"
	if err := s.target.exec(ctx, "SAVEPOINT "+point); err != nil {
		return at("replica", "setting a savepoint", err)
	}
	for {
		p, err := s.mergeOnce(ctx, parts)
		if err == nil {
			return nil
		}
		fault := s.target.dialect.Fault(err)
		if fault == Transient || ctx.Err() != nil {
			return err
		}
		if undo := s.target.exec(ctx, "ROLLBACK TO SAVEPOINT "+point); undo != nil {
			return at("replica", "going back to a savepoint after: "+err.Error(), undo)
		}
		if fault == Unique && !p.replace {
			p.replace = true
			continue
		}
		if refused, ok := errors.AsType[*ApplyError](err); ok && s.refuses(err) && !ordered {
			refused.Key = s.mergeCulprit(ctx, parts, p)
		}
		return err
	}
}

// mergeOnce deletes from children to parents, then writes from parents to
// children.
func (s *session) mergeOnce(ctx context.Context, parts []*part) (*part, error) {
	for i := len(parts) - 1; i >= 0; i-- {
		p := parts[i]
		var q string
		switch {
		case p.replace && !p.all:
			q = p.DeleteStaged
		case p.all && p.replace:
			q = "DELETE FROM " + s.target.dialect.Quote(p.target.Name)
		case p.all:
			q = p.DeleteOthers
		case p.gone > 0:
			q = p.DeleteGone
		}
		if err := s.target.exec(ctx, q); err != nil {
			return p, &ApplyError{Table: p.target.Name.String(), Op: "deleting from", Err: err}
		}
	}
	for _, p := range parts {
		if p.rows == p.gone {
			continue
		}
		if !p.replace && p.Update != "" && len(p.target.Columns) > len(p.target.Key) {
			n, err := s.target.run(ctx, p.Update)
			if err != nil {
				return p, &ApplyError{Table: p.target.Name.String(), Op: "updating", Err: err}
			}
			if n == p.rows-p.gone && !p.Reinserts {
				continue // all were there: nothing is left to insert
			}
		}
		if err := s.target.exec(ctx, p.Insert); err != nil {
			return p, &ApplyError{Table: p.target.Name.String(), Op: "inserting into", Err: err}
		}
	}
	return nil, nil
}

// mergeCulprit finds the staged row of p that the table refuses by itself.
func (s *session) mergeCulprit(ctx context.Context, parts []*part, p *part) (key string) {
	const point = "ashlar_culprit"
	if s.target.exec(ctx, "SAVEPOINT "+point) != nil {
		return ""
	}
	return s.culprit(p.rows, func(lo, hi int64) error {
		if s.target.exec(ctx, "ROLLBACK TO SAVEPOINT "+point) != nil {
			return nil
		}
		if _, err := s.target.change(ctx, p.Keep, lo, hi); err != nil {
			return nil
		}
		key = ""
		if hi-lo == 1 {
			key = s.stagedKey(ctx, p)
		}
		_, err := s.mergeOnce(ctx, []*part{p})
		return err
	}, func() string { return key })
}

// stagedKey returns the key of the only staged row.
func (s *session) stagedKey(ctx context.Context, p *part) (key string) {
	only := SourceTable{Name: p.Staging.Table, Columns: p.target.KeyColumns()}
	for i := range only.Columns {
		only.Key = append(only.Key, i)
	}
	err := s.target.dialect.Stream(ctx, s.target.conn, s.target.dialect.Select(only, nil, 0), only.Columns, func(row [][]byte) error {
		key = keyText(only, row)
		return nil
	})
	if err != nil {
		return fmt.Sprintf("unknown (%v)", err)
	}
	return key
}
