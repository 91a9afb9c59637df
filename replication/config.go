package replication

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// End is one side of a replication: a database, and how it is spoken to. The
// pool must allow several connections at once, at least four and two more for
// each of CopyWorkers.
type End struct {
	DB      *sql.DB
	Dialect Dialect
}

// Table says what of a master's table the replica gets.
type Table struct {
	// Source is the table's name on the master, [SCHEMA.]TABLE as it is written,
	// or in any case if only one table matches.
	Source string
	// Target is its name on the replica; "" means Source without its schema. A
	// table that is not there is created.
	Target string
	// Columns are the master's columns to send; nil means all. The key's columns
	// are sent in any case.
	Columns []string
	// Rename gives the replica's names of columns that have another one there.
	Rename map[string]string
	// Where is a condition in the master's SQL on the columns of the row alone.
	// Rows that do not satisfy it are not on the replica.
	Where string
	// Map, if set, is called for each row on its way, in the master's names and
	// kinds of the columns, and may change any column but the key's. If keep is
	// false the row is not on the replica. Map must be a function of the row
	// alone, and safe for concurrent use.
	Map func(r *Row) (keep bool, err error)
}

// Config says what is replicated from where to where.
type Config struct {
	// Node is this replica's name among all those of the master: required.
	Node string
	// Group names what is captured on the master together; default "ashlar".
	// Replicas of one group share its triggers and logs.
	Group string
	// Source is the master and Target the replica: required.
	Source, Target End
	// Tables are replicated together: after each apply the replica's are what the
	// master's were in one snapshot. Required.
	Tables []Table
	// Interval is how long a change may wait for the next poll while there is
	// little to do; default 100 ms. With a master that wakes replicas, and right
	// after changes, polls follow more closely.
	Interval time.Duration
	// Retention bounds what a replica that is away costs the master.
	Retention Retention
	// NoResync makes Run return ErrNeedResync instead of copying anew a replica
	// that the master has given up.
	NoResync bool
	// ChunkRows is the number of rows that the initial copy commits at a time.
	// Default 50,000 at first, and more as long as that takes less than a second:
	// what a crash costs is the chunk that it meets.
	ChunkRows int
	// CopyWorkers is the number of tables copied at the same time; default 2.
	CopyWorkers int
	// Logger gets changes of state, never rows; default: none.
	Logger *slog.Logger
	// Trace has functions to call; may be nil.
	Trace *Trace
}

// Retention bounds the log of a group. A replica beyond it is given up: its
// Run copies it anew when it comes back.
type Retention struct {
	// MaxAge is how long a replica may be silent; default 7 days, negative: for
	// ever. The clocks of the replicators are compared.
	MaxAge time.Duration
	// MaxRows is how many rows the logs may hold after trimming; then the replica
	// that is furthest behind is given up. The default 0 means no limit but that
	// of the distinct keys.
	MaxRows int64
}

const (
	defaultInterval = 100 * time.Millisecond
	defaultMaxAge   = 7 * 24 * time.Hour
	ackInterval     = 5 * time.Second // a position is told to the master this often
	trimInterval    = 10 * time.Second
	driftInterval   = time.Second // triggers are looked at this often without changes
	maxName         = 100         // bytes of a node's or group's name
)

func (c Config) withDefaults() (Config, error) {
	if c.Group == "" {
		c.Group = "ashlar"
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Retention.MaxAge == 0 {
		c.Retention.MaxAge = defaultMaxAge
	}
	if c.CopyWorkers == 0 {
		c.CopyWorkers = 2
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Trace == nil {
		c.Trace = new(Trace)
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("replication: "+format, args...)) }
	for what, name := range map[string]string{"Config.Node": c.Node, "Config.Group": c.Group} {
		if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r < '!' || r > '~' }) {
			bad("%s is %q: want 1 to %d visible ASCII characters", what, name, maxName)
		}
	}
	if c.Interval < 0 {
		bad("Config.Interval is negative")
	}
	if c.ChunkRows < 0 || c.CopyWorkers < 0 || c.Retention.MaxRows < 0 {
		bad("Config.ChunkRows, CopyWorkers or Retention.MaxRows is negative")
	}
	errs = append(errs, checkEnds(c.Source, c.Target), checkTables(c.Tables))
	return c, errors.Join(errs...)
}

func checkEnds(source, target End) error {
	if source.DB == nil || source.Dialect == nil || target.DB == nil || target.Dialect == nil {
		return errors.New("replication: Source and Target need a DB and a Dialect each")
	}
	return nil
}

func checkTables(tables []Table) error {
	if len(tables) == 0 {
		return errors.New("replication: no Tables")
	}
	seen := make(map[string]bool)
	for i, t := range tables {
		switch target := strings.ToLower(t.target()); {
		case t.Source == "":
			return fmt.Errorf("replication: Tables[%d] has no Source", i)
		case seen[target]:
			return fmt.Errorf("replication: two tables have the target %s", t.target())
		default:
			seen[target] = true
		}
	}
	return nil
}

// target is the name of the replica's table as a person would write it.
func (t Table) target() string {
	if t.Target != "" {
		return t.Target
	}
	return t.Source[strings.LastIndexByte(t.Source, '.')+1:]
}
