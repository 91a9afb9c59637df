package replication

import (
	"context"
	"errors"
	"strconv"
)

// Repair compares as Verify does, and brings the rows that differ from the
// master again, yielding what it repaired. It needs the node's lock: ErrLocked
// if a replicator runs. The replica first catches up.
//
// It repairs what somebody else did to the replica. If rows differ again and
// again, look for who writes there.
func (r *Replicator) Repair(ctx context.Context) ([]Diff, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.follow(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.step(ctx); err != nil {
		return nil, r.broken(err)
	}
	byTable := make(map[int][]Diff)
	var all []Diff
	for d, err := range r.Verify(ctx) {
		if err != nil {
			return all, err
		}
		byTable[d.table] = append(byTable[d.table], d)
		all = append(all, d)
		if len(byTable[d.table]) == suspectsAtOnce {
			if err := s.repair(ctx, d.Table, byTable[d.table]); err != nil {
				return all, r.broken(err)
			}
			delete(byTable, d.table)
		}
	}
	for _, diffs := range byTable {
		if err := s.repair(ctx, diffs[0].Table, diffs); err != nil {
			return all, r.broken(err)
		}
	}
	return all, nil
}

// repair brings rows of one table, and then the whole replica to one snapshot
// again: between the two it is of mixed age, which its phase says.
func (s *session) repair(ctx context.Context, table string, diffs []Diff) error {
	var p *route
	for i := range s.pairs {
		if s.pairs[i].source.Name.String() == table {
			p = &s.pairs[i]
		}
	}
	if p == nil {
		return errors.New("replication: repair: table " + table + " is gone")
	}
	keys := make([][][]byte, len(diffs))
	for i, d := range diffs {
		keys[i] = d.key
	}
	d := s.target.dialect
	repaired := &part{route: *p, Staging: d.Staging(p.target)}
	if err := s.stage(ctx, repaired.Staging, p.source.ID); err != nil {
		return err
	}
	found, err := s.source.lookUp(ctx, p.source, keys, p.passage())
	if err != nil {
		return err
	}
	there := keyPassage(*p)
	rows := make([][][]byte, len(keys))
	for i, key := range keys {
		row := make([][]byte, 2+len(p.target.Columns))
		row[0], row[1] = strconv.AppendInt(nil, int64(i), 10), yes
		target, err := there(key)
		if err != nil {
			return err
		}
		if have, ok := found[formatKey(target)]; ok {
			copy(row[2:], have)
		} else {
			row[1] = no
			repaired.gone++
			for n, at := range p.target.Key {
				row[2+at] = append([]byte{}, target[n]...)
			}
		}
		rows[i] = row
	}
	repaired.rows = int64(len(rows))
	tx, ordered, err := s.target.beginApply(ctx)
	if err != nil {
		return err
	}
	defer undo(ctx, tx)
	if err := s.target.advance(ctx, s.cfg.Group, s.cfg.Node, s.record, Copying, s.pos, s.asOf); err != nil {
		return err
	}
	columns := append([]Column{numberColumn, existsColumn}, p.target.Columns...)
	if _, err := d.Load(ctx, s.target.conn, repaired.Staging.Table, columns, rowsOf(rows)); err != nil {
		return &ApplyError{Table: p.target.Name.String(), Op: "staging rows for", Err: err}
	}
	if err := s.target.exec(ctx, repaired.DeleteRivals...); err != nil {
		return &ApplyError{Table: p.target.Name.String(), Op: "deleting from", Err: err}
	}
	if err := s.merge(ctx, []*part{repaired}, ordered); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return at("replica", "committing", err)
	}
	s.record.seq++
	s.record.phase, s.record.position = Copying, s.pos
	_, err = s.step(ctx)
	return err
}
