package replication

import (
	"context"
	"errors"
)

// Statement is one statement that Install or Copy would run.
type Statement struct {
	Side string // "master" or "replica"
	SQL  string
}

// Plan is what Install and Copy would do.
type Plan struct {
	Statements []Statement
	Columns    []ColumnMap // how each column travels
}

// Plan returns what Install would run on the master and what Copy would make
// on the replica, and how each column travels. It changes nothing, and it fails
// where Install or Copy would: for tables without keys, columns that would lose
// data.
func (r *Replicator) Plan(ctx context.Context) (Plan, error) {
	source, target, pairs, err := r.lookAround(ctx)
	if err != nil {
		return Plan{}, err
	}
	defer source.discard()
	defer target.discard()
	var p Plan
	add := func(side string, statements []string) {
		for _, q := range statements {
			p.Statements = append(p.Statements, Statement{side, q})
		}
	}
	add("master", source.dialect.Install(r.cfg.Group, sources(pairs)))
	add("master", keptPlan(source.dialect, nodeTable))
	for _, t := range []TargetTable{replicaTable, copiedTable} {
		add("replica", keptPlan(target.dialect, t))
	}
	for _, r := range pairs {
		if !r.exists {
			add("replica", target.dialect.Create(r.target))
		}
		p.Columns = append(p.Columns, r.losses...)
	}
	return p, nil
}

// lookAround connects to both sides and finds the tables.
func (r *Replicator) lookAround(ctx context.Context) (source, target *side, pairs []route, err error) {
	if source, err = r.cfg.Source.connect(ctx, "master"); err == nil {
		if target, err = r.cfg.Target.connect(ctx, "replica"); err == nil {
			pairs, err = resolve(ctx, source, target, r.cfg.Tables, r.cfg.Group, false)
		}
	}
	if err != nil {
		source.discard()
		target.discard()
		return nil, nil, nil, err
	}
	return source, target, pairs, nil
}

func sources(pairs []route) []SourceTable {
	out := make([]SourceTable, len(pairs))
	for i, p := range pairs {
		out[i] = p.source
	}
	return out
}

// Install makes the triggers and logs of the tables on the master. It may be
// run again: tables whose triggers are whole are left alone, so that replicas
// go on; others are made anew, after which their replicas must be copied anew.
// It waits for transactions that write to the tables, and writers wait for it,
// for moments.
func (r *Replicator) Install(ctx context.Context) error {
	source, target, pairs, err := r.lookAround(ctx)
	if err != nil {
		return err
	}
	defer source.discard()
	defer target.discard()
	tables := sources(pairs)
	prints, err := source.dialect.Fingerprint(ctx, source.conn, r.cfg.Group, tables)
	if err != nil && source.dialect.Fault(err) != Missing && !errors.Is(err, ErrNeedResync) {
		return at("master", "looking at the triggers", err)
	}
	var missing []SourceTable
	for i, t := range tables {
		if err != nil || prints[i] == "" {
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		for _, q := range source.dialect.Install(r.cfg.Group, missing) {
			if err := source.exec(ctx, q); err != nil {
				return at("master", "installing: "+firstLine(q), err)
			}
		}
		for _, t := range missing {
			r.cfg.Logger.Info("installed", "group", r.cfg.Group, "table", t.Name.String())
		}
	}
	return source.keep(ctx, nodeTable)
}

// Uninstall removes the triggers and logs of the tables from the master, and
// forgets the group's nodes. Their replicas stay as they are.
func (r *Replicator) Uninstall(ctx context.Context) error {
	source, target, pairs, err := r.lookAround(ctx)
	if err != nil {
		return err
	}
	defer source.discard()
	defer target.discard()
	for _, q := range source.dialect.Uninstall(r.cfg.Group, sources(pairs)) {
		if err := source.exec(ctx, q); err != nil {
			return at("master", "uninstalling: "+firstLine(q), err)
		}
	}
	_, err = source.change(ctx, "DELETE FROM "+source.kept(nodeTable)+" WHERE grp = ?", r.cfg.Group)
	if err != nil && source.dialect.Fault(err) == Missing {
		return nil
	}
	return at("master", "forgetting the nodes", err)
}

func firstLine(q string) string {
	for i, c := range q {
		if c == '\n' {
			return q[:i] + " ..."
		}
	}
	return q
}
