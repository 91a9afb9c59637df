package replication

import (
	"context"
	"strconv"
)

// sweepRows is how many rows a sweep deletes at a time.
const sweepRows = 5000

// sweep deletes the rows of the replica that the master does not have, after a
// copy into a table that was not empty. A row that the master gets meanwhile is
// in the log.
func (c *copier) sweep(ctx context.Context, p route) error {
	from, to, through := keysOnly(p.source), keysOnly(p.target.asSource()), keyPassage(p)
	if p.Map != nil { // it decides over rows, not keys
		from, to, through = p.source, p.target.asSource(), p.passage()
	}
	reader := &copier{cfg: c.cfg} // the deletes need a connection besides the cursor's
	defer reader.close()
	if err := reader.open(ctx); err != nil {
		return err
	}
	var extra [][][]byte
	err := mergeRows(ctx, reader.source, reader.target, from, to, through, func(master, replica [][]byte) error {
		if replica == nil || master != nil {
			return nil
		}
		extra = append(extra, keyOf(nil, to, replica))
		if len(extra) < sweepRows {
			return nil
		}
		err := c.deleteKeys(ctx, p, extra)
		extra = extra[:0]
		return err
	})
	if err != nil || len(extra) == 0 {
		return err
	}
	return c.deleteKeys(ctx, p, extra)
}

// keyPassage changes the kinds of a key alone.
func keyPassage(p route) passage {
	convert, out := conversions(p.source.KeyColumns(), p.target.KeyColumns(), p.sameVendor), make([][]byte, len(p.source.Key))
	return func(values [][]byte) ([][]byte, error) {
		return out, convert.row(out, values)
	}
}

// deleteKeys deletes rows of the replica in a transaction.
func (c *copier) deleteKeys(ctx context.Context, p route, keys [][][]byte) error {
	d := c.target.dialect
	st := d.Staging(p.target)
	if err := c.target.exec(ctx, append(st.Create, st.Clear...)...); err != nil {
		return at("replica", "making a staging table", err)
	}
	tx, _, err := c.target.beginApply(ctx)
	if err != nil {
		return err
	}
	defer undo(ctx, tx)
	rows := make([][][]byte, len(keys))
	for i, key := range keys {
		rows[i] = make([][]byte, 2+len(p.target.Columns))
		rows[i][0], rows[i][1] = strconv.AppendInt(nil, int64(i), 10), no
		for n, at := range p.target.Key {
			rows[i][2+at] = key[n]
		}
	}
	columns := append([]Column{numberColumn, existsColumn}, p.target.Columns...)
	if _, err := d.Load(ctx, c.target.conn, st.Table, columns, rowsOf(rows)); err != nil {
		return &ApplyError{Table: p.target.Name.String(), Op: "staging rows to delete from", Err: err}
	}
	if err := c.target.exec(ctx, st.DeleteGone); err != nil {
		return &ApplyError{Table: p.target.Name.String(), Op: "deleting from", Err: err}
	}
	return at("replica", "committing", tx.Commit())
}
