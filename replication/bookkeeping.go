package replication

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What this library remembers, in tables of its own.
//
// On the master "node" has a row for each replica: what the logs are kept for.
// On the replica "replica" has the position, changed in the transactions that
// change the data, and "copied" what the initial copy has done.
//
// Both sides keep a token, which changes whenever the replica tells the master
// its position. If they differ, one of them has gone back in time.

var (
	nodeTable    = keptTable("node", 2, "grp", "node", "#seen", "~token", "position")
	replicaTable = keptTable("replica", 2, "grp", "node", "#seq", "~phase", "~token", "~next", "position", "#as_of")
	copiedTable  = keptTable("copied", 3, "grp", "node", "id", "name", "fingerprint", "#direct", "#done", "#copied", "last")
	flippedTable = keptTable("flipped", 2, "grp", "id", "digest", "#copied", "#at")
)

// keptTable is a table of this library's: a # marks an integer, a ~ a short text,
// which can be compared on all vendors, and all else is text of any length; the
// first columns are the key, and short.
func keptTable(name string, key int, columns ...string) TargetTable {
	t := TargetTable{Name: Name{Table: name}}
	for i, c := range columns {
		col := Column{Name: c, Kind: Text}
		if text, ok := strings.CutPrefix(c, "#"); ok {
			col = Column{Name: text, Kind: Int}
		} else if text, ok := strings.CutPrefix(c, "~"); ok || i < key {
			col.Name, col.Size = text, maxName
		}
		col.Nullable = i >= key
		t.Columns = append(t.Columns, col)
		if i < key {
			t.Key = append(t.Key, i)
		}
	}
	return t
}

// keep makes a table of this library's on a side, if it is not there.
func (s *side) keep(ctx context.Context, t TargetTable) error {
	there := func() error {
		rows, err := s.conn.QueryContext(ctx, "SELECT 1 FROM "+s.kept(t)+" WHERE 1 = 0")
		if err != nil {
			return err
		}
		return errors.Join(rows.Err(), rows.Close())
	}
	err := there()
	if err == nil || s.dialect.Fault(err) != Missing {
		return at(s.role, "looking for the table "+s.kept(t), err)
	}
	made := t
	made.Name = s.dialect.Bookkeeping(t.Name.Table)
	made.Columns = make([]Column, len(t.Columns))
	for i, c := range t.Columns {
		c.Native, _ = s.dialect.Type(c)
		made.Columns[i] = c
	}
	err = s.exec(ctx, s.dialect.Create(made)...)
	if err != nil && there() == nil {
		return nil // somebody else made it at the same time
	}
	return at(s.role, "making the table "+s.kept(t), err)
}

// kept is the SQL name of a table of this library's.
func (s *side) kept(t TargetTable) string {
	return s.dialect.Quote(s.dialect.Bookkeeping(t.Name.Table))
}

// keptPlan returns the statements that make a table of this library's, for
// people to read.
func keptPlan(d Dialect, t TargetTable) []string {
	made := t
	made.Name = d.Bookkeeping(t.Name.Table)
	made.Columns = make([]Column, len(t.Columns))
	for i, c := range t.Columns {
		c.Native, _ = d.Type(c)
		made.Columns[i] = c
	}
	return d.Create(made)
}

// Phase is where a replica is.
type Phase string

// The phases.
const (
	NotCopied Phase = ""
	Copying   Phase = "copying"   // the initial copy is not complete: not consistent yet
	Following Phase = "following" // equal to the master as it was at AsOf
)

// record is the replica's row of the table "replica".
type record struct {
	seq         int64
	phase       Phase
	token, next string
	position    Position
	asOf        time.Time
}

func (s *side) readRecord(ctx context.Context, group, node string) (record, error) {
	var r record
	var phase, token, next, position sql.NullString
	var asOf sql.NullInt64
	err := s.conn.QueryRowContext(ctx, s.dialect.Bind("SELECT seq, phase, token, next, position, as_of FROM "+
		s.kept(replicaTable)+" WHERE grp = ? AND node = ?"), group, node).Scan(&r.seq, &phase, &token, &next, &position, &asOf)
	if errors.Is(err, sql.ErrNoRows) || err != nil && s.dialect.Fault(err) == Missing {
		return record{}, nil
	}
	if err != nil {
		return r, at(s.role, "reading the position", err)
	}
	r.phase, r.token, r.next, r.asOf = Phase(phase.String), token.String, next.String, time.UnixMilli(asOf.Int64)
	r.position, err = ParsePosition(position.String)
	return r, err
}

// advance changes the record if it is still what r says, as the first
// statement of a transaction: whoever else would do so waits, and finds it
// changed. That two replicators for one node can never both apply a batch
// rests on this alone.
func (s *side) advance(ctx context.Context, group, node string, r record, phase Phase, p Position, asOf time.Time) error {
	n, err := s.change(ctx, "UPDATE "+s.kept(replicaTable)+" SET seq = seq + 1, phase = ?, position = ?, as_of = ? WHERE grp = ? AND node = ? AND seq = ?",
		string(phase), p.String(), asOf.UnixMilli(), group, node, r.seq)
	if err != nil {
		return at(s.role, "writing the position", err)
	}
	if n != 1 {
		return fmt.Errorf("%w (%s): it has moved the position", ErrLocked, node)
	}
	return nil
}

// node is a row of the table "node".
type node struct {
	name     string
	seen     time.Time
	token    string
	position string // of Now, without the system
}

func (s *side) readNodes(ctx context.Context, group string) ([]node, error) {
	rows, err := s.conn.QueryContext(ctx, s.dialect.Bind("SELECT node, seen, token, position FROM "+s.kept(nodeTable)+" WHERE grp = ? ORDER BY node"), group)
	if err != nil {
		if s.dialect.Fault(err) == Missing {
			return nil, nil
		}
		return nil, at(s.role, "reading the nodes", err)
	}
	defer rows.Close()
	var nodes []node
	for rows.Next() {
		var n node
		var seen int64
		if err := rows.Scan(&n.name, &seen, &n.token, &n.position); err != nil {
			return nil, at(s.role, "reading the nodes", err)
		}
		n.seen = time.UnixMilli(seen)
		nodes = append(nodes, n)
	}
	return nodes, at(s.role, "reading the nodes", rows.Err())
}

// readToken returns the token that the master has for a node; ErrNeedResync if
// the master does not know it, or no longer.
func (s *side) readToken(ctx context.Context, group, node string) (token string, err error) {
	err = s.conn.QueryRowContext(ctx, s.dialect.Bind("SELECT token FROM "+s.kept(nodeTable)+" WHERE grp = ? AND node = ?"), group, node).Scan(&token)
	switch {
	case errors.Is(err, sql.ErrNoRows), err != nil && s.dialect.Fault(err) == Missing:
		return "", fmt.Errorf("%w: the master keeps no log for node %s", ErrNeedResync, node)
	case err != nil:
		return "", at(s.role, "reading the node's token", err)
	}
	return token, nil
}

// register makes or replaces the node's row on the master.
func (s *side) register(ctx context.Context, group, name, token, position string) error {
	if _, err := s.change(ctx, "DELETE FROM "+s.kept(nodeTable)+" WHERE grp = ? AND node = ?", group, name); err != nil {
		return at(s.role, "registering the node", err)
	}
	_, err := s.change(ctx, "INSERT INTO "+s.kept(nodeTable)+" (grp, node, seen, token, position) VALUES (?, ?, ?, ?, ?)",
		group, name, time.Now().UnixMilli(), token, position)
	return at(s.role, "registering the node", err)
}

func newToken() string { return rand.Text() }
