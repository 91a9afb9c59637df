package replication

import (
	"context"
	"errors"
	"io"
)

// pageRows is how many rows are read at a time to compare tables.
const pageRows = 20_000

// cursor reads a table in the order of its key, page by page where an index
// has that order, else in one query.
type cursor struct {
	p    *pipe
	stop context.CancelFunc
	done chan struct{}
	row  [][]byte

	what      string   // for an error
	key       []Column // as the rows have it
	at        []int    // where, in the rows
	now, last [][]byte
	rows      int64
}

// passage is what a master's row goes through on its way to the replica: it
// returns the row there, valid until the next call, or nil if there is none.
type passage func(values [][]byte) ([][]byte, error)

// passage is the user's function and the change of kinds.
func (p route) passage() passage {
	convert, out := conversions(p.source.Columns, p.target.Columns, p.sameVendor), make([][]byte, len(p.source.Columns))
	var mapped *Row
	if p.Map != nil {
		mapped = p.newRow()
	}
	return func(values [][]byte) ([][]byte, error) {
		if mapped != nil {
			keep, changed, err := p.mapRow(mapped, values)
			if err != nil {
				return nil, &ApplyError{Table: p.source.Name.String(), Key: keyText(p.source, values), Op: "mapping rows of", Err: err}
			}
			if !keep {
				return nil, nil
			}
			values = changed
		}
		if err := convert.row(out, values); err != nil {
			return nil, p.lost(err, values)
		}
		return out, nil
	}
}

// cursorOf begins to read t on a connection that it has for itself until it is
// closed. through may be nil; its rows have the key of the table to.
func cursorOf(ctx context.Context, s *side, t SourceTable, through passage, to SourceTable) *cursor {
	ctx, cancel := context.WithCancel(ctx)
	c := &cursor{p: newPipe(len(t.Columns)), stop: cancel, done: make(chan struct{}), what: "the " + s.role + "'s rows of table " + t.Name.String(),
		key: to.KeyColumns(), at: to.Key, now: make([][]byte, len(to.Key)), last: make([][]byte, len(to.Key))}
	limit := 0
	if s.dialect.SeeksKeys(t) {
		limit = pageRows
	}
	go func() {
		defer close(c.done)
		var last [][]byte
		for {
			n := 0
			err := s.dialect.Stream(ctx, s.conn, s.dialect.Select(t, last, limit), t.Columns, func(values [][]byte) error {
				n++
				if n == limit {
					last = keyOf(last, t, values)
				}
				if through != nil {
					var err error
					if values, err = through(values); values == nil {
						return err
					}
				}
				return c.p.put(ctx, values)
			})
			if err != nil || limit == 0 || n < limit {
				c.p.end(ctx, at(s.role, "reading table "+t.Name.String(), err))
				return
			}
		}
	}()
	return c
}

// next moves to the next row; c.row is nil after the last. Rows that are not in
// the order of their keys would look like differences, so they are an error.
func (c *cursor) next() (err error) {
	c.row, err = c.p.get()
	if errors.Is(err, io.EOF) {
		c.row, err = nil, nil
	}
	if err != nil || c.row == nil {
		return err
	}
	for n, i := range c.at {
		c.now[n] = c.row[i]
	}
	if c.rows++; c.rows > 1 && CompareKeys(c.key, c.last, c.now) >= 0 {
		return errors.New("replication: " + c.what + " are not in the order of their keys")
	}
	for n, v := range c.now {
		c.last[n] = append(c.last[n][:0], v...)
	}
	return nil
}

func (c *cursor) close() {
	c.stop()
	c.p.leave()
	<-c.done
}

// asSource is the replica's table, to be read.
func (t TargetTable) asSource() SourceTable {
	return SourceTable{ID: t.ID, Name: t.Name, Columns: t.Columns, Key: t.Key}
}

// keysOnly is t with the key's columns alone.
func keysOnly(t SourceTable) SourceTable {
	out := SourceTable{ID: t.ID, Name: t.Name, Columns: t.KeyColumns(), Where: t.Where}
	for i := range out.Columns {
		out.Key = append(out.Key, i)
	}
	return out
}

// mergeRows walks through a table of the master and the replica's side by side
// and calls fn for each key: with the replica's row nil where only the master
// has it, and the other way round. Both rows are in the replica's kinds, and
// valid until fn returns. The sides' connections are busy until it returns.
func mergeRows(ctx context.Context, source, target *side, from, to SourceTable, through passage, fn func(master, replica [][]byte) error) error {
	a := cursorOf(ctx, source, from, through, to)
	defer a.close()
	b := cursorOf(ctx, target, to, nil, to)
	defer b.close()
	if err := errors.Join(a.next(), b.next()); err != nil {
		return err
	}
	for a.row != nil || b.row != nil {
		order := 0
		switch {
		case a.row == nil:
			order = 1
		case b.row == nil:
			order = -1
		default:
			order = CompareKeys(a.key, a.now, b.now)
		}
		var master, replica [][]byte
		if order <= 0 {
			master = a.row
		}
		if order >= 0 {
			replica = b.row
		}
		if err := fn(master, replica); err != nil {
			return err
		}
		if order <= 0 {
			if err := a.next(); err != nil {
				return err
			}
		}
		if order >= 0 {
			if err := b.next(); err != nil {
				return err
			}
		}
	}
	return nil
}
