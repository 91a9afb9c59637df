package replication

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// FlipConfig says which tables are kept as flipping snapshots.
type FlipConfig struct {
	// Group names the tables, and the lock that lets one Flipper in at a time;
	// default "ashlar".
	Group          string
	Source, Target End // required
	// Tables need no key and no triggers: each is read whole. Required. On the
	// replica a table's public name is a view, or on MySQL a table, over one of
	// two copies; it must not exist, or have been made by a Flipper.
	Tables []Table
	// Validate, if set, is called before the flip with what was loaded into the
	// idle copies, and prevents the flip by an error. It may query the replica.
	Validate func(ctx context.Context, loaded []LoadedTable) error
	// Attempts is how often a flip is tried that readers' locks are in the way
	// of, at growing distances; default 10.
	Attempts int
	Logger   *slog.Logger // default: none
	Trace    *Trace       // may be nil
}

// LoadedTable is a table that has been loaded and is not public yet.
type LoadedTable struct {
	Target string // the public name
	Copy   Name   // the copy that was loaded
	Rows   int64
	Before int64 // rows of the public copy; -1 if there was none
}

// FlipResult is what a run of a Flipper did.
type FlipResult struct {
	Flipped []string      // public names; none if nothing had changed
	Rows    int64         // loaded
	Read    time.Duration // the master's snapshot was open for so long
	Flip    time.Duration // from the first statement of the flip to its commit
	Err     error         // as Flip returned
}

// Flipper keeps small tables as snapshots: it loads the idle one of two copies
// and then changes the public name over (chapter 8 of the book). Readers never
// wait for a load and never see half of one; all tables of a group are of one
// snapshot of the master, before and after the flip. A table that has not
// changed is read but not written. A load that fails leaves the public copies
// as they are. It is safe for concurrent use; runs take turns.
type Flipper struct{ cfg FlipConfig }

// NewFlipper checks cfg. It connects to nothing.
func NewFlipper(cfg FlipConfig) (*Flipper, error) {
	if cfg.Group == "" {
		cfg.Group = "ashlar"
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 10
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Trace == nil {
		cfg.Trace = new(Trace)
	}
	return &Flipper{cfg}, errors.Join(checkEnds(cfg.Source, cfg.Target), checkTables(cfg.Tables))
}

// Run flips now and then every so often until ctx ends, and returns
// context.Cause(ctx). A run that fails is told to Logger and Trace, and tried
// again at the next turn; only errors that mend themselves never return: those
// are ErrTypeLoss, ErrNoTable and ErrLocked.
func (f *Flipper) Run(ctx context.Context, every time.Duration) error {
	for {
		_, err := f.Flip(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrTypeLoss), errors.Is(err, ErrNoTable), errors.Is(err, ErrLocked):
			return err
		case err != nil:
			f.cfg.Logger.Warn("flipping", "group", f.cfg.Group, "error", err)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Flip brings the snapshots up to date.
func (f *Flipper) Flip(ctx context.Context) (FlipResult, error) {
	run := &flip{cfg: &f.cfg}
	defer run.close()
	run.result.Err = run.do(ctx)
	if done := f.cfg.Trace.Flipped; done != nil {
		done(run.result)
	}
	return run.result, run.result.Err
}

// flip is one run.
type flip struct {
	cfg                  *FlipConfig
	source, target, lock *side
	routes               []route
	result               FlipResult
}

// snapshot is one table that has to be loaded.
type snapshot struct {
	route
	Publishing
	public int // the copy that is public, or would be
	before int64
	digest tableDigest
	loaded tableDigest
}

func (f *flip) close() {
	discardAll(f.source, f.target, f.lock)
}

func (f *flip) do(ctx context.Context) (err error) {
	if err := f.open(ctx); err != nil {
		return err
	}
	began := time.Now()
	tx, err := f.source.dialect.Begin(ctx, f.source.conn, ReadSnapshot)
	if err != nil {
		return at("master", "beginning a snapshot", err)
	}
	defer undo(ctx, tx)
	var changed []*snapshot
	for _, r := range f.routes {
		s, err := f.compare(ctx, r)
		if err != nil {
			return err
		}
		if s != nil {
			changed = append(changed, s)
		}
	}
	for _, s := range changed {
		if err := f.load(ctx, s); err != nil {
			return err
		}
		f.result.Rows += s.loaded.rows
	}
	if err := tx.Commit(); err != nil {
		return at("master", "ending a snapshot", err)
	}
	f.result.Read = time.Since(began)
	if len(changed) == 0 {
		return nil
	}
	if err := f.validate(ctx, changed); err != nil {
		return err
	}
	return f.publish(ctx, changed)
}

func (f *flip) open(ctx context.Context) (err error) {
	if f.lock, err = f.cfg.Target.connect(ctx, "replica"); err != nil {
		return err
	}
	if err := f.lock.take(ctx, "ashlar/flip/"+f.cfg.Group); err != nil {
		return err
	}
	if f.source, err = f.cfg.Source.connect(ctx, "master"); err != nil {
		return err
	}
	if f.target, err = f.cfg.Target.connect(ctx, "replica"); err != nil {
		return err
	}
	if err := f.target.keep(ctx, flippedTable); err != nil {
		return err
	}
	f.routes, err = resolve(ctx, f.source, f.target, f.cfg.Tables, f.cfg.Group, true)
	return err
}

// noted returns the digest of the public copy of a table, and its rows.
func (f *flip) noted(ctx context.Context, id string) (digest string, rows int64, err error) {
	err = f.target.conn.QueryRowContext(ctx, f.target.dialect.Bind("SELECT digest, copied FROM "+f.target.kept(flippedTable)+" WHERE grp = ? AND id = ?"),
		f.cfg.Group, id).Scan(&digest, &rows)
	if errors.Is(err, sql.ErrNoRows) {
		return "", -1, nil
	}
	return digest, rows, at("replica", "reading the state of table "+id, err)
}

// compare reads a table of the master and returns it if it has to be loaded.
func (f *flip) compare(ctx context.Context, r route) (*snapshot, error) {
	digest, rows, err := f.noted(ctx, r.source.ID)
	if err != nil {
		return nil, err
	}
	s := &snapshot{route: r, before: rows}
	if !r.exists {
		s.before = -1
		return s, nil
	}
	if rows < 0 {
		return nil, fmt.Errorf("replication: replica: %s exists, and no Flipper made it; rename or drop it", r.target.Name)
	}
	through := r.passage()
	err = f.source.dialect.Stream(ctx, f.source.conn, f.source.dialect.Select(r.source, nil, 0), r.source.Columns, func(values [][]byte) error {
		row, err := through(values)
		if row != nil && err == nil {
			s.digest.add(r.target.Columns, row)
		}
		return err
	})
	if err != nil {
		return nil, at("master", "reading table "+r.source.Name.String(), err)
	}
	if s.digest.text() == digest && s.digest.rows == rows {
		return nil, nil
	}
	return s, nil
}

// load fills the idle copy, in a transaction of its own.
func (f *flip) load(ctx context.Context, s *snapshot) error {
	d := f.target.dialect
	s.Publishing = d.Publish(s.target)
	if !s.exists {
		// Before the copies are made, so that they are known to be ours if this
		// process ends in between. They are empty until the flip.
		if err := f.note(ctx, s, new(tableDigest)); err != nil {
			return err
		}
	}
	if err := f.target.exec(ctx, s.Create...); err != nil {
		return at("replica", "making the copies of "+s.target.Name.String(), err)
	}
	if err := f.target.conn.QueryRowContext(ctx, s.Public).Scan(&s.public); err != nil || s.public != 0 && s.public != 1 {
		return at("replica", "looking which copy of "+s.target.Name.String()+" is public", cmpErr(err, fmt.Errorf("it is %d", s.public)))
	}
	idle := 1 - s.public
	if err := f.target.exec(ctx, s.Clear(idle)...); err != nil {
		return at("replica", "emptying "+s.Copies(idle).String(), err)
	}
	tx, err := d.Begin(ctx, f.target.conn, Write)
	if err != nil {
		return at("replica", "beginning a transaction", err)
	}
	defer undo(ctx, tx)
	x := &transfer{table: s.route, query: f.source.dialect.Select(s.source, nil, 0), digest: &s.loaded}
	if err := x.run(ctx, f.source, f.target, s.Copies(idle)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return at("replica", "committing the load of "+s.Copies(idle).String(), err)
	}
	return at("replica", "measuring "+s.Copies(idle).String(), f.target.exec(ctx, s.Ready(idle)...))
}

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// validate counts what was loaded, and asks the user's function.
func (f *flip) validate(ctx context.Context, changed []*snapshot) error {
	var loaded []LoadedTable
	for _, s := range changed {
		l := LoadedTable{Target: s.target.Name.String(), Copy: s.Copies(1 - s.public), Before: s.before}
		if err := f.target.conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+f.target.dialect.Quote(l.Copy)).Scan(&l.Rows); err != nil {
			return at("replica", "counting "+l.Copy.String(), err)
		}
		if l.Rows != s.loaded.rows {
			return fmt.Errorf("replication: replica: %s has %d rows after loading %d: somebody else writes to it", l.Copy, l.Rows, s.loaded.rows)
		}
		loaded = append(loaded, l)
	}
	if f.cfg.Validate == nil {
		return nil
	}
	if err := f.cfg.Validate(ctx, loaded); err != nil {
		return fmt.Errorf("replication: not flipped: %w", err)
	}
	return nil
}

// publish changes the public names over, all at once. It waits only a moment
// for locks, because readers would queue up behind it, and tries again.
func (f *flip) publish(ctx context.Context, changed []*snapshot) error {
	wait := 10 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := f.publishOnce(ctx, changed)
		if err == nil {
			for _, s := range changed {
				f.result.Flipped = append(f.result.Flipped, s.target.Name.String())
			}
			f.cfg.Logger.Info("flipped", "group", f.cfg.Group, "tables", f.result.Flipped, "rows", f.result.Rows, "took", f.result.Flip)
			return nil
		}
		if attempt >= f.cfg.Attempts || f.target.dialect.Fault(err) != Transient {
			return err
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wait = min(2*wait, 2*time.Second)
	}
}

func (f *flip) publishOnce(ctx context.Context, changed []*snapshot) error {
	began := time.Now()
	tx, err := f.target.dialect.Begin(ctx, f.target.conn, Write)
	if err != nil {
		return at("replica", "beginning a transaction", err)
	}
	defer undo(ctx, tx)
	var tables []TargetTable
	var to []int
	for _, s := range changed {
		tables, to = append(tables, s.target), append(to, 1-s.public)
	}
	if err := f.target.exec(ctx, f.target.dialect.Flip(tables, to)...); err != nil {
		return at("replica", "flipping", err)
	}
	for _, s := range changed {
		if err := f.note(ctx, s, &s.loaded); err != nil {
			return err
		}
	}
	err = tx.Commit()
	f.result.Flip = time.Since(began)
	return at("replica", "committing the flip", err)
}

// note writes down what the public copy of a table holds.
func (f *flip) note(ctx context.Context, s *snapshot, public *tableDigest) error {
	kept := f.target.kept(flippedTable)
	if _, err := f.target.change(ctx, "DELETE FROM "+kept+" WHERE grp = ? AND id = ?", f.cfg.Group, s.source.ID); err != nil {
		return at("replica", "noting the flip", err)
	}
	_, err := f.target.change(ctx, "INSERT INTO "+kept+" (grp, id, digest, copied, at) VALUES (?, ?, ?, ?, ?)",
		f.cfg.Group, s.source.ID, public.text(), public.rows, time.Now().UnixMilli())
	return at("replica", "noting the flip", err)
}
