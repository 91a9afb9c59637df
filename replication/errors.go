package replication

import (
	"errors"
	"fmt"
	"strings"
)

// What callers branch on.
var (
	// ErrNoTable: there is no table of that name.
	ErrNoTable = errors.New("replication: no such table")
	// ErrNoKey: a table has neither a primary key nor a unique index without
	// NULLs, so its rows cannot be told apart. Flipping snapshots need none.
	ErrNoKey = errors.New("replication: table has no key")
	// ErrCascade: rows of a table change through foreign keys without its
	// triggers firing, which would be lost.
	ErrCascade = errors.New("replication: changes by cascading foreign keys would be lost")
	// ErrLocked: another process replicates for the same node.
	ErrLocked = errors.New("replication: another replicator runs for this node")
	// ErrForeignPosition: the master is not the system that the replica followed,
	// or it has gone back in time: restored from a backup, or failed over to a
	// copy that lacked its last commits.
	ErrForeignPosition = errors.New("replication: the replica followed another master")
	// ErrNeedResync: the master no longer has what the replica lacks, since the
	// node was away for too long, or the replica was never copied.
	ErrNeedResync = errors.New("replication: the replica must be copied anew")
	// ErrDrift: a captured table, or its triggers, were changed since they were
	// installed. It is in the chain of *DriftError.
	ErrDrift = errors.New("replication: table or triggers changed since install")
	// ErrTypeLoss: a value or column cannot be carried without loss. It is in the
	// chain of *TypeLossError.
	ErrTypeLoss = errors.New("replication: would lose data")
)

// TypeLossError says which column or value would not arrive as it left.
type TypeLossError struct {
	Table, Column string
	Key           string // of the row, for people; "" if it is not known
	Value         string // a prefix of the offending value; "" if it is the column as such
	Reason        string
}

// Error names the column, and the value if there is one.
func (e *TypeLossError) Error() string {
	var b strings.Builder
	b.WriteString("replication: would lose data: ")
	if e.Table != "" {
		b.WriteString(e.Table + ".")
	}
	b.WriteString(e.Column)
	if e.Key != "" {
		b.WriteString(" of row " + e.Key)
	}
	if e.Value != "" {
		fmt.Fprintf(&b, " with value %.80q", e.Value)
	}
	return b.String() + ": " + e.Reason
}

// Unwrap returns ErrTypeLoss.
func (e *TypeLossError) Unwrap() error { return ErrTypeLoss }

// DriftError says what changed.
type DriftError struct {
	Table  string
	Reason string
}

// Error names the table and what changed.
func (e *DriftError) Error() string {
	return fmt.Sprintf("replication: table %s: %s; install again and copy anew", e.Table, e.Reason)
}

// Unwrap returns ErrDrift.
func (e *DriftError) Unwrap() error { return ErrDrift }

// ApplyError says which rows the replica refused, and why.
type ApplyError struct {
	Table string
	Key   string // of the first row that fails by itself; "" if none does
	Op    string // load, delete, update, insert
	Err   error
}

// Error names the table, the key and the cause.
func (e *ApplyError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("replication: %s table %s: %v", e.Op, e.Table, e.Err)
	}
	return fmt.Sprintf("replication: %s table %s, row %s: %v", e.Op, e.Table, e.Key, e.Err)
}

// Unwrap returns the database's error.
func (e *ApplyError) Unwrap() error { return e.Err }
