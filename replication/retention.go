package replication

import (
	"context"
	"slices"
	"time"
)

// trimForever trims the group's logs now and then, if no other replicator of
// the group does.
func (r *Replicator) trimForever(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(trimInterval):
		}
		if _, err := r.Trim(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.Warn("trimming the logs", "group", r.cfg.Group, "error", err)
		}
	}
}

// Trim gives up nodes that Config.Retention says are away for too long, and
// removes from the logs what no other node needs. Run does so every ten seconds;
// of several replicators of a group one does. It returns the rows that remain,
// or -1 if another one is trimming.
func (r *Replicator) Trim(ctx context.Context) (rows int64, err error) {
	source, target, pairs, err := r.lookAround(ctx)
	if err != nil {
		return 0, err
	}
	defer source.discard()
	target.discard()
	lock, err := r.cfg.Source.connect(ctx, "master")
	if err != nil {
		return 0, err
	}
	defer lock.discard()
	if ok, err := lock.dialect.TryLock(ctx, lock.conn, "ashlar/trim/"+r.cfg.Group); err != nil || !ok {
		return -1, at("master", "taking the lock for trimming", err)
	}
	lock.hold()
	tables := sources(pairs)
	if err := source.dialect.Sequence(ctx, source.conn, r.cfg.Group, tables); err != nil {
		return 0, at("master", "putting the log into order", err)
	}
	for {
		// A node that registers from here on starts at a later position.
		now, err := source.now(ctx, r.cfg.Group)
		if err != nil {
			return 0, err
		}
		nodes, err := source.readNodes(ctx, r.cfg.Group)
		if err != nil {
			return 0, err
		}
		out, keep := r.cfg.Retention.late(nodes, time.Now())
		for _, n := range out {
			if err := r.evict(ctx, source, n.name, "silent for too long"); err != nil {
				return 0, err
			}
		}
		needed := []string{now}
		for _, n := range keep {
			needed = append(needed, n.position)
		}
		if rows, err = source.dialect.Trim(ctx, source.conn, r.cfg.Group, tables, needed); err != nil {
			return 0, at("master", "trimming the logs", err)
		}
		if r.cfg.Retention.MaxRows == 0 || rows <= r.cfg.Retention.MaxRows || len(keep) == 0 {
			r.stats.logRows.Store(rows)
			return rows, nil
		}
		worst := furthestBehind(source.dialect, keep)
		if err := r.evict(ctx, source, worst.name, "needs too many rows of the log"); err != nil {
			return 0, err
		}
	}
}

// late splits nodes into those that have been silent for too long and the rest.
func (p Retention) late(nodes []node, now time.Time) (out, keep []node) {
	for _, n := range nodes {
		if p.MaxAge > 0 && now.Sub(n.seen) > p.MaxAge {
			out = append(out, n)
		} else {
			keep = append(keep, n)
		}
	}
	return out, keep
}

// furthestBehind returns the node whose position all others cover, or else the
// one that was silent for longest.
func furthestBehind(d Capture, nodes []node) node {
	return slices.MinFunc(nodes, func(a, b node) int {
		switch ab, ba := d.Covers(a.position, b.position), d.Covers(b.position, a.position); {
		case ab && !ba:
			return 1
		case ba && !ab:
			return -1
		}
		return a.seen.Compare(b.seen)
	})
}

// evict gives up a node. That is committed before anything is trimmed.
func (r *Replicator) evict(ctx context.Context, source *side, name, why string) error {
	_, err := source.change(ctx, "DELETE FROM "+source.kept(nodeTable)+" WHERE grp = ? AND node = ?", r.cfg.Group, name)
	if err != nil {
		return at("master", "giving up node "+name, err)
	}
	r.cfg.Logger.Warn("gave up a node", "group", r.cfg.Group, "node", name, "because", why)
	r.stats.evicted.Add(1)
	if f := r.cfg.Trace.Evicted; f != nil {
		f(name)
	}
	return nil
}
