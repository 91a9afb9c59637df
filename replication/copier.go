package replication

import (
	"context"
	"time"
)

// copier copies one table after the other over connections of its own.
type copier struct {
	cfg            *Config
	source, target *side
	staged         bool
}

func (c *copier) open(ctx context.Context) (err error) {
	if c.source, err = c.cfg.Source.connect(ctx, "master"); err != nil {
		return err
	}
	c.target, err = c.cfg.Target.connect(ctx, "replica")
	return err
}

func (c *copier) close() {
	c.source.discard()
	c.target.discard()
}

// Between two chunks the master waits for the replica's commit, so that chunks
// are to be long, and what a crash costs is the chunk that it meets.
const (
	firstChunkRows = 50_000
	shortChunk     = time.Second
)

// copyTable copies a table chunk by chunk. Each chunk is committed together
// with the key of its last row.
func (c *copier) copyTable(ctx context.Context, p route, st copyState) error {
	info := CopyInfo{Table: p.source.Name.String(), Rows: st.copied, Start: st.copied, Total: c.estimate(ctx, p)}
	began := time.Now()
	report := func() {
		info.Rows, info.Done, info.Took = st.copied, st.done, time.Since(began)
		if f := c.cfg.Trace.Copied; f != nil {
			f(info)
		}
	}
	c.staged = false
	limit := c.cfg.ChunkRows
	grows := limit == 0
	switch {
	case !c.source.dialect.SeeksKeys(p.source):
		limit, grows = 0, false // chunks would each sort the table: one piece, that is not resumed in the middle
	case grows:
		limit = firstChunkRows
	}
	for !st.done {
		next := st
		start := time.Now()
		rows, err := c.chunk(ctx, p, &next, limit, st.direct)
		if err != nil && c.target.dialect.Fault(err) == Unique && st.direct {
			// A unique value moved from a row of an earlier chunk to one of this.
			next = st
			rows, err = c.chunk(ctx, p, &next, limit, false)
		}
		if err != nil {
			return err
		}
		st = next
		if limit > 0 && rows == int64(limit) {
			report()
		}
		if grows && time.Since(start) < shortChunk {
			limit *= 2
		}
	}
	if !st.direct {
		if err := c.sweep(ctx, p); err != nil {
			return err
		}
	}
	report()
	c.cfg.Logger.Info("copied", "node", c.cfg.Node, "table", info.Table, "rows", st.copied, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

func (c *copier) estimate(ctx context.Context, p route) int64 {
	l, err := c.source.dialect.Describe(ctx, c.source.conn, p.Table.Source)
	if err != nil {
		return -1
	}
	return l.Rows
}

// chunk copies the rows after st.last, at most limit, and moves st forward.
func (c *copier) chunk(ctx context.Context, p route, st *copyState, limit int, direct bool) (rows int64, err error) {
	d := c.target.dialect
	staging := d.Staging(p.target)
	if !direct {
		if !c.staged {
			if err := c.target.exec(ctx, staging.Create...); err != nil {
				return 0, at("replica", "making a staging table", err)
			}
			c.staged = true
		}
		if err := c.target.exec(ctx, staging.Clear...); err != nil {
			return 0, at("replica", "emptying a staging table", err)
		}
	}
	snapshot, err := c.source.dialect.Begin(ctx, c.source.conn, ReadSnapshot)
	if err != nil {
		return 0, at("master", "beginning a snapshot", err)
	}
	defer undo(ctx, snapshot)
	tx, _, err := c.target.beginApply(ctx)
	if err != nil {
		return 0, err
	}
	defer undo(ctx, tx)
	into := p.target.Name
	if !direct {
		into = staging.Table
	}
	x := &transfer{table: p, staged: !direct, query: c.source.dialect.Select(p.source, st.last, limit), last: &st.last}
	if err := x.run(ctx, c.source, c.target, into); err != nil {
		return 0, err
	}
	if !direct {
		if err := c.merge(ctx, p, staging, x.rows); err != nil {
			return 0, err
		}
	}
	st.copied += x.rows - x.gone
	st.done = limit == 0 || x.seen < int64(limit)
	if err := c.target.writeCopied(ctx, c.cfg.Group, c.cfg.Node, p.source.ID, *st); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, at("replica", "committing", err)
	}
	return x.seen, at("master", "ending a snapshot", snapshot.Commit())
}

// merge brings staged rows into a table whose other rows are of another age: a
// row that holds a unique value of a staged one is out of date, and the log will
// bring it as it is.
func (c *copier) merge(ctx context.Context, p route, st Staging, rows int64) error {
	statements := []string{st.DeleteGone}
	if rows >= manyRows {
		statements = append(statements, st.Ready...)
	}
	if len(p.target.Unique) > 0 {
		statements = append(statements, st.DeleteRivals...)
	}
	if len(p.target.Columns) > len(p.target.Key) {
		statements = append(statements, st.Update)
	}
	const point = "ashlar_merge"
	if err := c.target.exec(ctx, "SAVEPOINT "+point); err != nil {
		return at("replica", "setting a savepoint", err)
	}
	err := c.target.exec(ctx, append(statements, st.Insert)...)
	if err != nil && c.target.dialect.Fault(err) == Unique {
		if undo := c.target.exec(ctx, "ROLLBACK TO SAVEPOINT "+point); undo != nil {
			return at("replica", "going back to a savepoint after: "+err.Error(), undo)
		}
		err = c.target.exec(ctx, st.DeleteStaged, st.Insert)
	}
	if err != nil {
		return &ApplyError{Table: p.target.Name.String(), Op: "copying into", Err: err}
	}
	return nil
}
