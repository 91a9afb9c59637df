package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// manyRows is from where on a staging table is worth the dialect's Ready, and a
// batch is too large to be merged in one message.
const manyRows = 1000

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
	tx, ordered, err := s.target.beginApply(ctx)
	if err != nil {
		return err
	}
	defer undo(ctx, tx)
	if err := s.target.advance(ctx, s.cfg.Group, s.cfg.Node, s.record, Following, b.to, b.asOf); err != nil {
		return err
	}
	for _, p := range parts {
		if err := s.load(ctx, tx, p, b); err != nil {
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
func (s *session) load(ctx context.Context, tx Tx, p *part, b *batch) error {
	x := &transfer{table: p.route, staged: true, changes: !p.all}
	if p.all {
		x.query = s.source.dialect.Select(p.source, nil, 0)
	} else {
		x.query = s.source.dialect.Changes(s.cfg.Group, p.source, s.pos.At, b.to.At, p.change)
	}
	err := x.run(ctx, s.source, s.target, p.Staging.Table)
	if refused, ok := errors.AsType[*ApplyError](err); ok && refused.Key == "" && s.refuses(err) {
		refused.Key = s.loadCulprit(ctx, tx, p, x)
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

// loadCulprit finds the row that the staging table refuses by itself. The
// transaction is lost in any case: it is tried in others.
func (s *session) loadCulprit(ctx context.Context, tx Tx, p *part, x *transfer) string {
	again := *x
	defer func() { _ = tx.Rollback() }()
	return s.culprit(x.rows, func(lo, hi int64) error {
		if tx.Rollback() != nil {
			return nil
		}
		var err error
		if tx, _, err = s.target.beginApply(ctx); err != nil {
			return nil
		}
		again = transfer{table: x.table, staged: true, changes: x.changes, query: x.query, from: lo, to: hi}
		return again.run(ctx, s.source, s.target, p.Staging.Table)
	}, func() string { return again.key })
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
	done, err := s.mergeAtOnce(ctx, parts)
	if done || err != nil {
		return err
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
		if undo := s.target.exec(ctx, backToMerge); undo != nil {
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

const (
	beforeMerge = "SAVEPOINT ashlar_merge"
	backToMerge = "ROLLBACK TO " + beforeMerge
)

// mergeAtOnce sets the savepoint beforeMerge and, if there is little to merge
// and the dialect can do that, sends all statements with it. When one of them
// fails, nobody knows which: then it goes back and reports false.
func (s *session) mergeAtOnce(ctx context.Context, parts []*part) (done bool, err error) {
	d, ok := s.target.dialect.(Pipeliner)
	few := !slices.ContainsFunc(parts, func(p *part) bool { return p.rows >= manyRows })
	if !ok || !few {
		return false, at("replica", "setting a savepoint", s.target.exec(ctx, beforeMerge))
	}
	statements := []string{beforeMerge}
	for _, st := range s.statements(parts) {
		statements = append(statements, st.query)
	}
	err = d.Pipeline(ctx, s.target.conn, statements)
	if err == nil || s.target.dialect.Fault(err) == Transient || ctx.Err() != nil {
		return true, at("replica", "applying", err)
	}
	return false, at("replica", "going back to a savepoint", s.target.exec(ctx, backToMerge))
}

// statement is a part of merging: it writes p's table.
type statement struct {
	p         *part
	op, query string
}

// statements deletes from children to parents, then writes from parents to
// children.
func (s *session) statements(parts []*part) (list []statement) {
	for i := len(parts) - 1; i >= 0; i-- {
		p := parts[i]
		q := ""
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
		if q != "" {
			list = append(list, statement{p, "deleting from", q})
		}
	}
	for _, p := range parts {
		if p.rows == p.gone {
			continue
		}
		if !p.replace && p.Update != "" && len(p.target.Columns) > len(p.target.Key) {
			list = append(list, statement{p, "updating", p.Update})
		}
		list = append(list, statement{p, "inserting into", p.Insert})
	}
	return list
}

// mergeOnce runs the statements until one fails, and says on which part.
func (s *session) mergeOnce(ctx context.Context, parts []*part) (*part, error) {
	var full *part // an update has found all its rows: nothing is left to insert
	for _, st := range s.statements(parts) {
		if st.p == full {
			continue
		}
		n, err := s.target.run(ctx, st.query)
		if err != nil {
			return st.p, &ApplyError{Table: st.p.target.Name.String(), Op: st.op, Err: err}
		}
		if st.query == st.p.Update && n == st.p.rows-st.p.gone && !st.p.Reinserts {
			full = st.p
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
