package replication

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// route is a table as both sides have it: its way from the master to the replica.
type route struct {
	Table
	source     SourceTable
	target     TargetTable
	exists     bool // the replica has the table
	sameVendor bool
	before     []Name      // tables of the replica that its foreign keys point to
	losses     []ColumnMap // how each column travels
}

// ColumnMap says how a column travels from the master to the replica.
type ColumnMap struct {
	Table  string
	Source Column
	Target Column
	// Note is what to know about it: which values the replica will refuse, or
	// what it does not keep. "" if every value arrives as it left.
	Note string
}

// resolve finds the tables on both sides, and checks that every column can
// travel. Nothing is changed. Without a key, a table is refused unless keyless.
func resolve(ctx context.Context, source, target *side, tables []Table, group string, keyless bool) ([]route, error) {
	var pairs []route
	var errs []error
	for _, t := range tables {
		p, err := resolveTable(ctx, source, target, t, group, keyless)
		if err != nil {
			errs = append(errs, err)
		}
		pairs = append(pairs, p)
	}
	return pairs, errors.Join(errs...)
}

func resolveTable(ctx context.Context, source, target *side, t Table, group string, keyless bool) (route, error) {
	p := route{Table: t, sameVendor: source.dialect.Name() == target.dialect.Name()}
	from, err := source.dialect.Describe(ctx, source.conn, t.Source)
	if err != nil {
		return p, fmt.Errorf("replication: master: %w", err)
	}
	switch {
	case keyless:
	case from.View:
		return p, fmt.Errorf("replication: master: %s is a view: only flipping snapshots can read it", from.Name)
	case len(from.Key) == 0:
		return p, fmt.Errorf("replication: master: %s: %w: add a primary key, or use flipping snapshots", from.Name, ErrNoKey)
	case len(from.Cascades) > 0:
		return p, fmt.Errorf("replication: master: %s: %w: %s", from.Name, ErrCascade, strings.Join(from.Cascades, ", "))
	}
	if err := p.choose(from, group); err != nil {
		return p, err
	}
	to, err := target.dialect.Describe(ctx, target.conn, t.target())
	switch {
	case errors.Is(err, ErrNoTable):
		return p, p.design(source.dialect, target.dialect)
	case err != nil:
		return p, fmt.Errorf("replication: replica: %w", err)
	}
	p.exists = true
	return p, p.match(source.dialect, target.dialect, to)
}

// choose picks the columns to send.
func (p *route) choose(from Layout, group string) error {
	wanted := func(string) bool { return true }
	if p.Columns != nil {
		for _, name := range p.Columns {
			if find(from.Columns, name) < 0 {
				return fmt.Errorf("replication: master: table %s has no column %s", from.Name, name)
			}
		}
		wanted = func(name string) bool {
			return slices.ContainsFunc(p.Columns, func(c string) bool { return strings.EqualFold(c, name) }) || slices.Contains(from.Key, name)
		}
	}
	for old := range p.Rename {
		if find(from.Columns, old) < 0 {
			return fmt.Errorf("replication: master: table %s has no column %s to rename", from.Name, old)
		}
	}
	p.source = SourceTable{ID: tableID(group, from.Name), Name: from.Name, Where: p.Where, Hint: from.Hint}
	for _, c := range from.Columns {
		if wanted(c.Name) && !c.Generated {
			p.source.Columns = append(p.source.Columns, c)
		}
	}
	for _, name := range from.Key {
		n := slices.IndexFunc(p.source.Columns, func(c Column) bool { return c.Name == name })
		if n < 0 {
			return fmt.Errorf("replication: master: table %s: key column %s is generated: %w", from.Name, name, ErrNoKey)
		}
		p.source.Key = append(p.source.Key, n)
	}
	return nil
}

// targetName is the replica's name of a column.
func (p *route) targetName(c Column) string {
	for old, renamed := range p.Rename {
		if strings.EqualFold(old, c.Name) {
			return renamed
		}
	}
	return c.Name
}

// design lays out a table that the replica does not have yet.
func (p *route) design(from, to Dialect) error {
	p.target = TargetTable{ID: p.source.ID, Name: splitName(p.Table.target()), Key: p.source.Key}
	for i, c := range p.source.Columns {
		t := c
		t.Name, t.Generated = p.targetName(c), false
		native, loss := c.Native, ""
		if from.Name() != to.Name() {
			// A key's column must tell apart what the master tells apart.
			t.Folds = t.Folds && !slices.Contains(p.source.Key, i)
			if native, loss = to.Type(t); native == "" {
				return &TypeLossError{Table: p.source.Name.String(), Column: c.Name,
					Reason: fmt.Sprintf("%s has no type for %s; create the table yourself or leave the column out", to.Name(), c.Native)}
			}
		}
		t.Native = native
		p.target.Columns = append(p.target.Columns, t)
		p.losses = append(p.losses, ColumnMap{p.source.Name.String(), c, t, loss})
	}
	return nil
}

// match pairs the columns with those of a table that the replica has.
func (p *route) match(from, to Dialect, have Layout) error {
	p.target = TargetTable{ID: p.source.ID, Name: have.Name, Key: p.source.Key, Unique: have.Unique}
	p.before = have.References
	var errs []error
	for i, c := range p.source.Columns {
		n := find(have.Columns, p.targetName(c))
		if n < 0 {
			errs = append(errs, fmt.Errorf("replication: replica: table %s has no column %s", have.Name, p.targetName(c)))
			continue
		}
		t := have.Columns[n]
		v, why := lossOf(c, t, p.sameVendor)
		if slices.Contains(p.source.Key, i) {
			v, why = keyLossOf(c, t, p.sameVendor)
		}
		if v == refused {
			errs = append(errs, &TypeLossError{Table: p.source.Name.String(), Column: c.Name, Reason: why})
		}
		p.target.Columns = append(p.target.Columns, t)
		p.losses = append(p.losses, ColumnMap{p.source.Name.String(), c, t, why})
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	key := make([]string, len(p.target.Key))
	for i, c := range p.target.KeyColumns() {
		key[i] = c.Name
	}
	if !slices.ContainsFunc(append([][]string{have.Key}, have.Unique...), func(u []string) bool { return sameSet(u, key) }) && len(key) > 0 && !have.View {
		return fmt.Errorf("replication: replica: table %s has no unique index on the master's key (%s)", have.Name, strings.Join(key, ", "))
	}
	return nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// find returns where the column is that a person calls name.
func find(columns []Column, name string) int {
	if n := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name }); n >= 0 {
		return n
	}
	return slices.IndexFunc(columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
}

func splitName(name string) Name {
	if schema, table, ok := strings.Cut(name, "."); ok {
		return Name{schema, table}
	}
	return Name{Table: name}
}

// tableID names what is kept for a table: readable, and different for every
// table and group.
func tableID(group string, n Name) string {
	sum := sha256.Sum256([]byte(group + "\x00" + n.Schema + "\x00" + n.Table))
	var readable []byte
	for _, c := range []byte(strings.ToLower(n.Table)) {
		if len(readable) < 13 && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			readable = append(readable, c)
		}
	}
	return string(readable) + "_" + hex.EncodeToString(sum[:5])
}

// inOrder sorts pairs so that a table comes after those that its foreign keys
// point to, as far as there are no circles.
func inOrder(pairs []route) []route {
	var out []route
	state := make(map[Name]int, len(pairs)) // 1: on the way, 2: done
	var visit func(p route)
	visit = func(p route) {
		if state[p.target.Name] != 0 {
			return
		}
		state[p.target.Name] = 1
		for _, parent := range p.before {
			if n := slices.IndexFunc(pairs, func(q route) bool { return q.target.Name == parent }); n >= 0 {
				visit(pairs[n])
			}
		}
		out = append(out, p)
	}
	for _, p := range pairs {
		visit(p)
	}
	return out
}

// side is one end's connection, prepared.
type side struct {
	role    string // master or replica
	dialect Dialect
	conn    *sql.Conn

	lost  atomic.Bool // a lock that the connection was to hold
	letGo func()      // ends hold; nil if it holds none
}

// connect takes a connection from the pool and prepares it.
func (e End) connect(ctx context.Context, role string) (*side, error) {
	conn, err := e.DB.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("replication: connecting to the %s: %w", role, err)
	}
	s := &side{role: role, dialect: e.Dialect, conn: conn}
	if err := e.Dialect.Prepare(ctx, conn); err != nil {
		s.discard()
		return nil, fmt.Errorf("replication: preparing a session of the %s: %w", role, err)
	}
	return s, nil
}

// close hands the connection back, whose session is as Prepare made it.
func (s *side) discard() {
	if s == nil || s.conn == nil {
		return
	}
	if s.letGo != nil {
		s.letGo()
	}
	// A connection with pinned settings, locks and staging tables is of no use to
	// the application: it ends here.
	_ = s.conn.Raw(func(any) error { return errBadConn })
	_ = s.conn.Close()
	s.conn = nil
}

// exec runs statements of the dialect's one after the other.
func (s *side) exec(ctx context.Context, statements ...string) error {
	for _, q := range statements {
		if q == "" {
			continue
		}
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// change runs a statement with ? for its arguments and returns how many rows
// it changed.
func (s *side) change(ctx context.Context, query string, args ...any) (int64, error) {
	return s.run(ctx, s.dialect.Bind(query), args...)
}

// run runs a statement of the dialect's and returns how many rows it changed.
func (s *side) run(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := s.conn.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
