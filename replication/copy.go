package replication

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
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

// copyState is how far the copy of a table is: a row of the table "copied".
type copyState struct {
	name        string // route.signature
	fingerprint string
	direct      bool // the table was empty: chunks are loaded into it as they are
	done        bool
	copied      int64
	last        [][]byte // the key of the last row copied; nil: none yet
}

// signature says what is copied of a table, and to where.
func (p *route) signature() string {
	var b strings.Builder
	b.WriteString(p.source.Name.String() + " to " + p.target.Name.String() + " (")
	for i, c := range p.source.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name)
		if t := p.target.Columns[i].Name; t != c.Name {
			b.WriteString("=" + t)
		}
	}
	b.WriteString(")")
	if p.Where != "" {
		b.WriteString(" where " + p.Where)
	}
	return b.String()
}

func (s *side) readCopied(ctx context.Context, group, node string) (map[string]copyState, error) {
	const doing = "reading the state of the copy"
	rows, err := s.conn.QueryContext(ctx, s.dialect.Bind("SELECT id, name, fingerprint, direct, done, copied, last FROM "+
		s.kept(copiedTable)+" WHERE grp = ? AND node = ?"), group, node)
	if err != nil {
		if s.dialect.Fault(err) == Missing {
			return nil, nil
		}
		return nil, at(s.role, doing, err)
	}
	defer rows.Close()
	states := make(map[string]copyState)
	for rows.Next() {
		var st copyState
		var id string
		var direct, done int64
		var last sql.NullString
		if err := rows.Scan(&id, &st.name, &st.fingerprint, &direct, &done, &st.copied, &last); err != nil {
			return nil, at(s.role, doing, err)
		}
		st.direct, st.done = direct != 0, done != 0
		if st.last, err = parseKey(last.String); err != nil {
			return nil, at(s.role, doing, err)
		}
		states[id] = st
	}
	return states, at(s.role, doing, rows.Err())
}

// A key is kept as its values in base64, each after a dot.
func formatKey(key [][]byte) string {
	var b strings.Builder
	for _, v := range key {
		b.WriteString("." + base64.RawStdEncoding.EncodeToString(v))
	}
	return b.String()
}

func parseKey(text string) (key [][]byte, err error) {
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text[1:], ".") {
		v, err := base64.RawStdEncoding.DecodeString(part)
		if err != nil {
			return nil, fmt.Errorf("replication: %q is no key", text)
		}
		key = append(key, v)
	}
	return key, nil
}

func (s *side) writeCopied(ctx context.Context, group, node, id string, st copyState) error {
	bit := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	_, err := s.change(ctx, "UPDATE "+s.kept(copiedTable)+" SET done = ?, copied = ?, last = ? WHERE grp = ? AND node = ? AND id = ?",
		bit(st.done), st.copied, formatKey(st.last), group, node, id)
	return at(s.role, "writing the state of the copy", err)
}

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
	tx, err := s.dialect.Begin(ctx, s.conn, ReadSnapshot)
	if err != nil {
		return "", at(s.role, "beginning a snapshot", err)
	}
	defer undo(ctx, tx)
	now, err := s.dialect.Now(ctx, s.conn, group)
	if err != nil {
		return "", at(s.role, "reading the position", err)
	}
	return now, at(s.role, "ending a snapshot", tx.Commit())
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
	tx, err := d.Begin(ctx, c.target.conn, Write)
	if err != nil {
		return 0, at("replica", "beginning a transaction", err)
	}
	defer undo(ctx, tx)
	if _, err := d.Relax(ctx, c.target.conn); err != nil {
		return 0, at("replica", "relaxing constraints", err)
	}
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
