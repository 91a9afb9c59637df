package replication

import (
	"context"
	"database/sql"
	"math"
)

// Dialect is how one vendor's database is spoken to: text and small steps, no
// policy. The packages below this one have a value each. An implementation is
// stateless and safe for concurrent use; package replicationtest has the suite
// that it must pass.
//
// A *sql.Conn that is handed to a Dialect has been prepared by Prepare. While a
// transaction from Begin is open on it, whatever is run on the connection
// belongs to that transaction.
type Dialect interface {
	// Name is the vendor's, in lower case: postgres, mysql, sqlite, oracle.
	Name() string
	// Quote returns a table's or column's name as SQL, whatever it contains.
	Quote(name Name) string
	// Bind returns a statement with ? for each argument in the vendor's spelling.
	// The text has no other question marks.
	Bind(query string) string
	// Bookkeeping returns the name under which this library keeps a table of its
	// own, such as "node": {"ashlar", "node"} or {"", "ashlar_node"}. It is made
	// with Create and used through Quote.
	Bookkeeping(table string) Name
	// Prepare pins the session's settings, such as time zone and date format, and
	// checks that the server is one that this dialect knows. The connection is
	// never given back to the application.
	Prepare(ctx context.Context, c *sql.Conn) error
	// Identity names the system behind the connection, so that no other one, and
	// no restored or promoted copy that can be told from it, has the same name.
	// It contains no blanks.
	Identity(ctx context.Context, c *sql.Conn) (string, error)
	// Describe finds a table by the name that a person wrote, [SCHEMA.]TABLE: as
	// written, else in any other case if only one matches. ErrNoTable if there is
	// none. Its order of columns is the table's.
	Describe(ctx context.Context, c *sql.Conn, table string) (Layout, error)
	// Begin begins a transaction.
	Begin(ctx context.Context, c *sql.Conn, m Mode) (Tx, error)
	// TryLock takes an exclusive lock of that name, which lasts as long as the
	// connection and ends with it, also when the process is killed. It returns
	// false at once if somebody else has it. The connection is used for nothing
	// else, and pinged twice a minute: where a server may not notice that a client
	// has gone without a word, TryLock lets it give up a silent one soon.
	TryLock(ctx context.Context, c *sql.Conn, name string) (bool, error)
	// Stream runs a query whose result columns are those that this dialect's
	// query texts select, and hands each row to fn; the values are in the kinds'
	// spellings and are valid until fn returns. An error of fn ends it and is
	// returned as it is.
	Stream(ctx context.Context, c *sql.Conn, query string, columns []Column, fn func(row [][]byte) error) error
	// Load inserts rows into a table by the vendor's fastest way, in a
	// transaction of Begin: what an error leaves behind is undone with it. next returns
	// io.EOF after the last; its values are valid until it is called again. What
	// a column cannot hold unchanged is a *TypeLossError; a session's other
	// errors are the vendor's.
	Load(ctx context.Context, c *sql.Conn, table Name, columns []Column, next func() ([][]byte, error)) (rows int64, err error)
	// Fault classifies an error of the driver.
	Fault(err error) Fault

	Capture
	Replica
}

// Capture is a Dialect's part on the master.
type Capture interface {
	// Install returns the statements that make the log and triggers of tables.
	// They are for tables whose fingerprint is "", and replace what is there. Each is a
	// transaction of its own; after the last one returned, every change that
	// commits is logged, also of transactions that began before.
	Install(group string, tables []SourceTable) []string
	// Uninstall returns the statements that remove all of a group. They do not
	// fail on what is not there.
	Uninstall(group string, tables []SourceTable) []string
	// Fingerprint returns a text for each table, which changes when a column
	// that is sent, the key, or one of the triggers is changed, dropped, disabled
	// or made anew; it is "" for a table whose log or triggers are not whole.
	Fingerprint(ctx context.Context, c *sql.Conn, group string, tables []SourceTable) ([]string, error)
	// Sequence puts log rows into commit order, where the vendor needs that done,
	// in a transaction of its own. Calls of several nodes exclude each other.
	Sequence(ctx context.Context, c *sql.Conn, group string, tables []SourceTable) error
	// Now returns the position of the snapshot that the transaction reads. In a
	// transaction in mode ReadSnapshot it is to be the first thing called.
	Now(ctx context.Context, c *sql.Conn, group string) (at string, err error)
	// Changed tells what was logged for each table after the position from, in
	// the snapshot of the transaction whose position is to. It must be cheap when
	// there is nothing. ErrForeignPosition if from is later than to, so that this
	// system cannot have given it.
	Changed(ctx context.Context, c *sql.Conn, group string, tables []SourceTable, from, to string) ([]Change, error)
	// Changes returns the query for the rows whose keys were logged after from,
	// as they are in the snapshot of position to, each once: a column of kind Int
	// that is 1 if the row exists and 0 if it is gone, then t.Columns, of which
	// only the key is set when it is gone. A row that does not satisfy t.Where is
	// gone. change is what Changed has said of the table, and SomeKeys is always right.
	Changes(group string, t SourceTable, from, to string, change Change) string
	// Covers reports whether everything that is visible at position b is visible
	// at position a. It may say no where that is not certain.
	Covers(a, b string) bool
	// Trim removes log rows that no position in needed can ask for, in
	// transactions of its own, and then as many of the others as are superseded
	// by a later one of the same key. It never waits for a lock of an application
	// for long. It returns how many rows remain.
	Trim(ctx context.Context, c *sql.Conn, group string, tables []SourceTable, needed []string) (rows int64, err error)
}

// Waker is a Capture that can be told of changes.
type Waker interface {
	// Wait returns nil when something may have been logged since the call before
	// on the same connection. It holds no transaction open.
	Wait(ctx context.Context, c *sql.Conn, group string) error
}

// Pipeliner is a Dialect that can do in one message what takes others several:
// a step is as long as the messages that it waits for.
type Pipeliner interface {
	// Look is Begin in mode ReadSnapshot, Now, and Changed up to there. Without a
	// position from, it does not look for changes.
	Look(ctx context.Context, c *sql.Conn, group string, tables []SourceTable, from string) (tx Tx, at string, changes []Change, err error)
	// BeginApply is Begin in mode Write, and Relax.
	BeginApply(ctx context.Context, c *sql.Conn) (tx Tx, ordered bool, err error)
	// Pipeline runs statements one after the other, until one fails.
	Pipeline(ctx context.Context, c *sql.Conn, statements []string) error
}

// Replica is a Dialect's part on the replica.
type Replica interface {
	// Select returns the query for t.Columns of all rows of a table that satisfy
	// t.Where, in the order of the key as [CompareKeys] has it: those after the
	// key in after, which may be nil, and not more than limit, if that is not 0.
	Select(t SourceTable, after [][]byte, limit int) string
	// Lookup returns the query for t.Columns of the rows with these keys, at most
	// 1000, that satisfy t.Where. It must find them by the key's index.
	Lookup(t SourceTable, keys [][][]byte) string
	// SeeksKeys reports whether Select with a limit reads only about that many
	// rows, because an index has the order of the key.
	SeeksKeys(t SourceTable) bool
	// Type returns the type for a column that holds what c holds, as DDL, and
	// what of c's values it does not keep, or "". The type is "" if there is none.
	Type(c Column) (ddl, loss string)
	// Create returns the statements that make the table, with its key, whose
	// collation tells apart all texts; and before it the schema, if it has one
	// that is not there.
	Create(t TargetTable) []string
	// Relax lets the transaction apply rows in any order, as far as the session
	// may: foreign keys and the replica's own triggers. It reports whether foreign
	// keys can still be violated by the order of statements.
	Relax(ctx context.Context, c *sql.Conn) (ordered bool, err error)
	// Staging returns the statements that an apply is made of.
	Staging(t TargetTable) Staging
	// Publish returns the statements for flipping snapshots.
	Publish(t TargetTable) Publishing
	// Flip returns the statements that make copy to[i] (0 or 1) of each table the
	// public one, and the other one idle. They are run in a transaction, or are
	// one statement, so that nobody sees some flipped and others not.
	Flip(tables []TargetTable, to []int) []string
}

// Mode is what a transaction is for.
type Mode uint8

// The modes.
const (
	Write        Mode = iota // read committed or stronger
	ReadSnapshot             // read only, all statements from one snapshot
)

// Tx ends a transaction. Rollback after Commit does nothing but return an error.
type Tx interface {
	Commit() error
	Rollback() error
}

// Fault is what kind of error the database returned.
type Fault uint8

// The faults.
const (
	Other     Fault = iota
	Transient       // connection lost, serialization, deadlock, lock time-out, server starting: try again
	Unique          // a unique or primary key is taken
	Integrity       // another constraint, or a value that the column refuses
	Missing         // a table, column or other object is not there
	Denied          // wrong password, no privilege
)

// Change is what happened to a table between two positions. If it is positive,
// the log has keys, and at most as many.
type Change int64

// The changes.
const (
	Nothing  Change = 0
	AllRows  Change = -1            // the table was truncated: read it whole
	SomeKeys Change = math.MaxInt64 // the log has keys, and nobody has counted them
)

// Name is the true name of a table in its database's catalogue.
type Name struct {
	Schema string // "" is the session's
	Table  string
}

// String returns the name for people, unquoted.
func (n Name) String() string {
	if n.Schema == "" {
		return n.Table
	}
	return n.Schema + "." + n.Table
}

// Layout is what a database says of a table.
type Layout struct {
	Name       Name
	Columns    []Column
	Key        []string   // columns of the primary key, else of a unique index without NULLs; nil: none
	Unique     [][]string // the other unique indexes, by columns
	References []Name     // tables that its foreign keys point to
	Cascades   []string   // foreign keys, by name, through which this table changes without its triggers firing
	View       bool       // a view, which has no triggers of ours
	Hint       string     // for the dialect itself: what Install has to know beyond this
	Rows       int64      // the database's own cheap estimate; negative: none
}

// SourceTable is a table of the master as it is captured and read.
type SourceTable struct {
	ID      string // names its log and triggers: 1 to 24 of a-z, 0-9 and _, unique in the database
	Name    Name
	Columns []Column // those sent, in order
	Key     []int    // positions in Columns
	Where   string   // SQL condition on its columns, or ""
	Hint    string   // of the Layout
}

// KeyColumns returns the columns of the key.
func (t SourceTable) KeyColumns() []Column { return pick(t.Columns, t.Key) }

// TargetTable is a table of the replica as it is written.
type TargetTable struct {
	ID      string // as of the SourceTable
	Name    Name
	Columns []Column // those written, in the order of the SourceTable's
	Key     []int    // positions in Columns
	Unique  [][]string
}

// KeyColumns returns the columns of the key.
func (t TargetTable) KeyColumns() []Column { return pick(t.Columns, t.Key) }

func pick(columns []Column, at []int) []Column {
	out := make([]Column, len(at))
	for i, n := range at {
		out[i] = columns[n]
	}
	return out
}

// Staging is how a batch of rows gets into a table: into a staging table of the
// session first, and from there by statements over sets. The staging table has
// the columns StageNumber and StageExists, both integers, before the table's.
type Staging struct {
	Table  Name     // the staging table
	Create []string // makes it for the session, if it is not there; outside of transactions
	Clear  []string // empties it; outside of transactions, after Create
	Ready  []string // run once it is loaded with many rows, such as ANALYZE; may be none

	DeleteGone   string   // deletes the table's rows whose staged row does not exist
	DeleteStaged string   // deletes the table's rows whose key is staged, existing or not
	DeleteOthers string   // deletes the table's rows whose key is not staged as existing
	DeleteRivals []string // delete the rows of other keys that hold a unique value of a staged existing row
	Update       string   // updates the table's rows that differ from their staged row
	Insert       string   // inserts the staged existing rows whose key the table lacks
	Reinserts    bool     // Update deletes the rows that differ, for Insert to bring back
	Keep         string   // deletes the staged rows whose number is not in [?, ?)
}

// Names of the staging table's own columns.
const (
	StageNumber = "ashlar_n"      // from 0, in the order of arrival
	StageExists = "ashlar_exists" // 1 if the row exists, 0 if it is gone
)

// Publishing is how a table of flipping snapshots is kept: two copies, 0 and 1,
// and the public name.
type Publishing struct {
	Create []string             // makes both copies and the public name, showing copy 0; can be run again
	Public string               // query for the number of the public copy, as one integer
	Copies func(n int) Name     // the table to load copy n into while it is idle
	Clear  func(n int) []string // empties the idle copy n
	Ready  func(n int) []string // run once the idle copy n is loaded, such as ANALYZE
}
