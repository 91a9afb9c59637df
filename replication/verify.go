package replication

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Diff is a row that differs between the master and a replica that should be
// equal.
type Diff struct {
	Table  string
	Key    string // for people
	What   string // "missing", "extra" or "different"
	Column string // of a different row: the replica's column, the first that differs

	table int      // of session.pairs
	key   [][]byte // in the master's kinds
}

// String returns the difference as a sentence.
func (d Diff) String() string {
	switch d.What {
	case "missing":
		return fmt.Sprintf("%s: row %s is missing on the replica", d.Table, d.Key)
	case "extra":
		return fmt.Sprintf("%s: row %s is on the replica only", d.Table, d.Key)
	}
	return fmt.Sprintf("%s: row %s differs in column %s", d.Table, d.Key, d.Column)
}

const (
	suspectsAtOnce = 500             // keys looked up together
	settleTime     = 2 * time.Second // between looks at rows whose changes are on their way
	settleTries    = 30
)

// Verify compares all tables, row by row, over normal forms that do not depend
// on the vendor, and yields each difference. It needs no lock and disturbs
// nobody: it reads both sides page by page while they change, and whatever
// differs is looked up again in such a way that changes on their way to the
// replica do not count. It may run beside Run, in another process too; rows
// whose changes never arrive because nobody replicates are reported as an
// error after a minute.
//
// It reads both sides whole, at the speed of a copy, in memory that does not
// depend on the number of rows.
func (r *Replicator) Verify(ctx context.Context) iter.Seq2[Diff, error] {
	return func(yield func(Diff, error) bool) {
		v := &verifier{cfg: &r.cfg, yield: yield}
		defer v.close()
		err := v.open(ctx)
		for i := range v.pairs {
			if err == nil && !v.over {
				err = v.table(ctx, i)
			}
		}
		if err != nil && !v.over {
			yield(Diff{}, err)
		}
	}
}

type verifier struct {
	cfg            *Config
	yield          func(Diff, error) bool
	over           bool // yield wants no more
	source, target *side
	look           struct{ source, target *side } // for looking up, beside the cursors
	pairs          []route
	tables         []SourceTable
	system         string
}

var errOver = errors.New("over")

func (v *verifier) open(ctx context.Context) (err error) {
	for _, end := range []struct {
		End
		role string
		to   **side
	}{{v.cfg.Source, "master", &v.source}, {v.cfg.Source, "master", &v.look.source},
		{v.cfg.Target, "replica", &v.target}, {v.cfg.Target, "replica", &v.look.target}} {
		if *end.to, err = end.connect(ctx, end.role); err != nil {
			return err
		}
	}
	if v.pairs, err = resolve(ctx, v.source, v.target, v.cfg.Tables, v.cfg.Group, false); err != nil {
		return err
	}
	for _, p := range v.pairs {
		if !p.exists {
			return fmt.Errorf("replication: replica: %s: %w", p.target.Name, ErrNoTable)
		}
		v.tables = append(v.tables, p.source)
	}
	v.system, err = v.source.identity(ctx)
	return err
}

func (v *verifier) close() {
	discardAll(v.source, v.target, v.look.source, v.look.target)
}

// table compares one table.
func (v *verifier) table(ctx context.Context, n int) error {
	p := v.pairs[n]
	// With Map, a row of the replica may have no master's row of its kinds; the
	// key is the same in any case.
	var suspects []Diff
	settle := func() error {
		err := v.settle(ctx, n, suspects)
		suspects = suspects[:0]
		return err
	}
	err := mergeRows(ctx, v.source, v.target, p.source, p.target.asSource(), p.passage(), func(master, replica [][]byte) error {
		d, same := compareRows(p, master, replica)
		if same {
			return nil
		}
		row := master
		if row == nil {
			row = replica
		}
		d.table = n
		d.key = keyBack(p, keyOf(nil, p.target.asSource(), row))
		suspects = append(suspects, d)
		if len(suspects) < suspectsAtOnce {
			return nil
		}
		return settle()
	})
	if err == nil {
		err = settle()
	}
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// compareRows compares a row of both sides, in the replica's kinds.
func compareRows(p route, master, replica [][]byte) (d Diff, same bool) {
	d.Table = p.source.Name.String()
	row := master
	switch {
	case master == nil && replica == nil:
		return d, true
	case master == nil:
		d.What, row = "extra", replica
	case replica == nil:
		d.What = "missing"
	default:
		column, equal := EqualRows(p.target.Columns, master, replica)
		if equal {
			return d, true
		}
		d.What, d.Column = "different", p.target.Columns[column].Name
	}
	d.Key = keyText(p.target.asSource(), row)
	return d, false
}

// settle looks up rows that seemed to differ, and yields those that do: at a
// position of the replica, read in one snapshot with its row, and with no
// change of the key on the master since.
func (v *verifier) settle(ctx context.Context, n int, suspects []Diff) error {
	for try := 0; len(suspects) > 0; try++ {
		if try > 0 {
			if try > settleTries {
				return fmt.Errorf("replication: verify: %d changed rows of table %s, such as %s, do not arrive on the replica: is it replicating?",
					len(suspects), suspects[0].Table, suspects[0].Key)
			}
			select {
			case <-time.After(settleTime):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		var err error
		if suspects, err = v.settleOnce(ctx, n, suspects); err != nil {
			return err
		}
	}
	return nil
}

// settleOnce returns those suspects whose changes are on their way.
func (v *verifier) settleOnce(ctx context.Context, n int, suspects []Diff) (left []Diff, err error) {
	p := v.pairs[n]
	keys, copied := make([][][]byte, len(suspects)), make([][][]byte, len(suspects))
	there := keyPassage(p)
	for i, d := range suspects {
		key, err := there(d.key)
		if err != nil {
			return nil, err
		}
		keys[i], copied[i] = d.key, keyOf(nil, keysOnly(p.target.asSource()), key)
	}
	replica, rec, err := v.replicaRows(ctx, p, copied)
	if err != nil {
		return nil, err
	}
	if rec.phase == NotCopied || rec.position.System != v.system {
		return nil, fmt.Errorf("%w: node %s does not follow this master", ErrNeedResync, v.cfg.Node)
	}
	master, moving, err := v.masterRows(ctx, p, keys, copied, rec.position.At)
	if err != nil {
		return nil, err
	}
	for i, d := range suspects {
		id := formatKey(copied[i])
		if moving[id] || rec.phase == Copying {
			left = append(left, d)
			continue
		}
		now, same := compareRows(p, master[id], replica[id])
		if same {
			continue
		}
		now.table, now.key = d.table, d.key
		if !v.yield(now, nil) {
			v.over = true
			return nil, errOver
		}
	}
	return left, nil
}

// replicaRows reads rows of the replica by key, and its position, in one
// snapshot.
func (v *verifier) replicaRows(ctx context.Context, p route, keys [][][]byte) (rows map[string][][]byte, rec record, err error) {
	s := v.look.target
	tx, err := s.dialect.Begin(ctx, s.conn, ReadSnapshot)
	if err != nil {
		return nil, rec, at("replica", "beginning a snapshot", err)
	}
	defer undo(ctx, tx)
	if rec, err = s.readRecord(ctx, v.cfg.Group, v.cfg.Node); err != nil {
		return nil, rec, err
	}
	t := p.target.asSource()
	rows, err = s.lookUp(ctx, t, keys, nil)
	return rows, rec, err
}

// masterRows reads rows of the master by key, as they would be on the replica,
// and which of the keys changed after a position, in one snapshot.
func (v *verifier) masterRows(ctx context.Context, p route, keys, copied [][][]byte, from string) (rows map[string][][]byte, moving map[string]bool, err error) {
	s := v.look.source
	l, err := s.look(ctx, v.cfg.Group, []SourceTable{p.source}, from)
	if err != nil {
		return nil, nil, err
	}
	defer undo(ctx, l.tx)
	moving = make(map[string]bool)
	switch c := l.changes[0]; {
	case c == AllRows:
		for _, k := range copied {
			moving[formatKey(k)] = true
		}
	case c > 0:
		interesting := make(map[string]bool, len(copied))
		for _, k := range copied {
			interesting[formatKey(k)] = true
		}
		logged := keysOnly(p.source)
		logged.ID = p.source.ID
		there := keyPassage(p)
		err := s.dialect.Stream(ctx, s.conn, s.dialect.Changes(v.cfg.Group, logged, from, l.at, c), append([]Column{existsColumn}, logged.Columns...), func(row [][]byte) error {
			key, err := there(row[1:])
			if err != nil {
				return err
			}
			if id := formatKey(key); interesting[id] {
				moving[id] = true
			}
			return nil
		})
		if err != nil {
			return nil, nil, at("master", "reading changes", err)
		}
	}
	rows, err = s.lookUp(ctx, p.source, keys, p.passage())
	return rows, moving, err
}

// lookUp reads rows by key, into a map by formatKey of what they passed through.
func (s *side) lookUp(ctx context.Context, t SourceTable, keys [][][]byte, through passage) (map[string][][]byte, error) {
	found := make(map[string][][]byte)
	err := s.dialect.Stream(ctx, s.conn, s.dialect.Lookup(t, keys), t.Columns, func(values [][]byte) error {
		if through != nil {
			var err error
			if values, err = through(values); values == nil {
				return err
			}
		}
		row := make([][]byte, len(values))
		for i, v := range values {
			if v != nil {
				row[i] = append([]byte{}, v...)
			}
		}
		found[formatKey(keyOf(nil, t, row))] = row
		return nil
	})
	return found, at(s.role, "looking up rows of table "+t.Name.String(), err)
}
