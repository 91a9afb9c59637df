package replication

import (
	"context"
	"sync/atomic"
	"time"
)

// Stats are sums since New.
type Stats struct {
	Steps   int64         // completed
	Batches int64         // of them, with changes
	Rows    int64         // keys applied
	Errors  int64         // steps and copies that failed
	Evicted int64         // nodes given up by this replicator
	LogRows int64         // that the logs held after the last Trim of this replicator
	AsOf    time.Time     // the replica equals the master as it was then, by this machine's clock
	Lag     time.Duration // since AsOf; 0 before the first step
}

type stats struct {
	steps, batches, rows, errors, evicted, logRows, asOf atomic.Int64
}

func (s *stats) applied(on *session, rows int64) {
	s.steps.Add(1)
	s.rows.Add(rows)
	if rows > 0 {
		s.batches.Add(1)
	}
	s.asOf.Store(on.asOf.UnixNano())
}

func (s *stats) failed() { s.errors.Add(1) }

// Stats returns the sums. It asks no database.
func (r *Replicator) Stats() Stats {
	s := Stats{Steps: r.stats.steps.Load(), Batches: r.stats.batches.Load(), Rows: r.stats.rows.Load(), Errors: r.stats.errors.Load(),
		Evicted: r.stats.evicted.Load(), LogRows: r.stats.logRows.Load()}
	if asOf := r.stats.asOf.Load(); asOf != 0 {
		s.AsOf = time.Unix(0, asOf)
		s.Lag = time.Since(s.AsOf)
	}
	return s
}

// Status is how a replica and its group are, as the databases say.
type Status struct {
	Node, Group string
	Phase       Phase
	Position    Position
	AsOf        time.Time // the replica equals the master as it was then, or later; stored every few seconds at least
	Lag         time.Duration
	Backlog     int64 // keys logged and not applied; -1 if that cannot be told
	Tables      []TableStatus
	Nodes       []NodeStatus // all nodes that the master keeps the log for
	Problem     string       // why the replica cannot follow; "" if it can
}

// TableStatus is about one table.
type TableStatus struct {
	Source, Target string
	Copied         int64 // rows of the initial copy
	CopyDone       bool
	Backlog        int64
}

// NodeStatus is what the master knows of a node.
type NodeStatus struct {
	Name     string
	Seen     time.Time // when it last told its position
	Position string
	// Furthest marks the node for whose sake the log is as long as it is.
	Furthest bool
}

// Status asks both databases how the replica is. It needs no lock and may be
// called beside Run, in another process too. Counting the backlog reads it.
func (r *Replicator) Status(ctx context.Context) (Status, error) {
	st := Status{Node: r.cfg.Node, Group: r.cfg.Group, Backlog: -1}
	source, target, pairs, err := r.lookAround(ctx)
	if err != nil {
		return st, err
	}
	s := &session{cfg: &r.cfg, source: source, target: target, pairs: pairs, tables: sources(pairs)}
	defer s.close()
	if s.system, err = source.identity(ctx); err != nil {
		return st, err
	}
	if s.record, err = target.readRecord(ctx, r.cfg.Group, r.cfg.Node); err != nil {
		return st, err
	}
	st.Phase, st.Position = s.record.phase, s.record.position
	if s.record.asOf.UnixMilli() > 0 {
		st.AsOf = s.record.asOf
		st.Lag = time.Since(st.AsOf)
	}
	copied, err := target.readCopied(ctx, r.cfg.Group, r.cfg.Node)
	if err != nil {
		return st, err
	}
	for _, p := range pairs {
		c := copied[p.source.ID]
		st.Tables = append(st.Tables, TableStatus{p.source.Name.String(), p.target.Name.String(), c.copied, c.done, -1})
	}
	nodes, err := source.readNodes(ctx, r.cfg.Group)
	if err != nil {
		return st, err
	}
	for _, n := range nodes {
		st.Nodes = append(st.Nodes, NodeStatus{Name: n.name, Seen: n.seen, Position: n.position, Furthest: n.name == furthestBehind(source.dialect, nodes).name})
	}
	if err := s.check(ctx); err != nil {
		st.Problem = err.Error()
		return st, nil
	}
	return st, s.countBacklog(ctx, &st)
}

func (s *session) countBacklog(ctx context.Context, st *Status) error {
	from := s.record.position.At
	l, err := s.source.look(ctx, s.cfg.Group, s.tables, from)
	if err == nil {
		defer undo(ctx, l.tx)
	}
	if drift := s.checkDrift(ctx); drift != nil {
		st.Problem = drift.Error()
		return nil
	}
	if err != nil {
		return err
	}
	st.Backlog = 0
	for i, c := range l.changes {
		n := int64(0)
		keys := keysOnly(s.tables[i])
		keys.ID = s.tables[i].ID
		query, columns := s.source.dialect.Changes(s.cfg.Group, keys, from, l.at, c), append([]Column{existsColumn}, keys.Columns...)
		switch c {
		case Nothing:
			query = ""
		case AllRows:
			query, columns = s.source.dialect.Select(keys, nil, 0), keys.Columns
		}
		if query != "" {
			err := s.source.dialect.Stream(ctx, s.source.conn, query, columns, func([][]byte) error { n++; return nil })
			if err != nil {
				return at("master", "counting changes", err)
			}
		}
		st.Tables[i].Backlog = n
		st.Backlog += n
	}
	return nil
}
