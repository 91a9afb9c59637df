package lbsql

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// Replica is one read replica.
type Replica struct {
	// Node names it; ID is required. Addr is for people.
	lb.Node
	// DB reaches it. Its SetMaxOpenConns, SetMaxIdleConns and
	// SetConnMaxLifetime are the node's limits, and those of the Cluster's own
	// *sql.DB mean little, since its connections cost nothing. database/sql
	// keeps only two idle connections unless told otherwise, so set
	// SetMaxIdleConns to what is usually in use. The Cluster never closes it.
	// Required.
	DB *sql.DB
}

// Config says what a [Cluster] consists of and what it may do.
type Config struct {
	// Primary reaches the server that takes the writes. The Cluster never
	// closes it. Required.
	Primary *sql.DB
	// Replicas are the servers that take the reads; SetReplicas changes them.
	// Without any, all reads are the primary's, within PrimaryReads.
	Replicas []Replica
	// Measure asks a server where it stands: [Postgres], [MariaDB], [MySQL] or
	// [Heartbeat]. Required.
	Measure Measure

	// Policy chooses among the replicas that may be used; default that of lb.
	Policy lb.Policy
	// MaxLag is how far behind a replica may be. Default 10 s; negative: how
	// far does not matter. It must be at least two Intervals, because lag
	// cannot be seen more finely than the primary is asked.
	MaxLag time.Duration
	// Interval is how often each server is asked. Default 500 ms.
	Interval time.Duration
	// Timeout is how long it may take to answer. Default Interval.
	Timeout time.Duration
	// Rise is how many good measurements in a row bring a replica back that
	// was away; default 2. Fall is how many failed ones take it out; default
	// 2. Too much lag takes it out at once.
	Rise, Fall int
	// Wait is how long a read after a [Token] waits for a replica that has it,
	// and any read for the first measurements, before the primary is asked.
	// Default 200 ms; negative does not wait.
	Wait time.Duration

	// PrimaryReads is how many reads the primary runs at once in place of
	// replicas. Default 16; negative none. A read beyond fails with
	// [ErrNoReplica] at once.
	//
	// The limit is one of concurrency because that is what a primary runs out
	// of: connections, processors, disks. It needs no guess of what a query
	// costs: sixteen reads of a millisecond are 16,000 a second, and when the
	// primary becomes slow they become fewer by themselves, which no rate does.
	PrimaryReads int
	// PrimaryShare limits them also as a share of all reads offered, from 0 to
	// 1, for those who have measured what their primary can take besides its
	// writes. Default 1: no such limit. When all replicas are lost, the reads
	// of a period that the primary takes are at most this share of them, and
	// PrimaryReads more.
	PrimaryShare float64

	// HedgeAfter sends a query to a second replica, too, when the first has not
	// answered for so long, and takes the answer that comes first; the other is
	// cancelled, which costs most drivers its connection. About the 95th
	// percentile of the queries' times is a good value. Only queries that
	// ReadOnly recognizes are sent twice, outside of transactions, and never to
	// the primary for that. Default 0: never.
	HedgeAfter time.Duration
	// HedgeShare bounds the second ones to a share of all reads. Default 0.05.
	HedgeShare float64

	// ReadOnly reports whether a query may go to a replica. Default
	// [ReadOnly]. It is called for each query outside of transactions, possibly
	// at the same time by many.
	ReadOnly func(query string) bool

	// Logger hears when a replica is lost and comes back; default none.
	Logger *slog.Logger
	// Trace is called on events; optional.
	Trace *Trace
}

// complete fills in the defaults and checks the rest.
func (c *Config) complete() error {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.MaxLag, 10*time.Second)
	def(&c.Interval, 500*time.Millisecond)
	def(&c.Timeout, c.Interval)
	def(&c.Wait, 200*time.Millisecond)
	for _, n := range []*int{&c.Rise, &c.Fall} {
		if *n == 0 {
			*n = 2
		}
	}
	if c.PrimaryReads == 0 {
		c.PrimaryReads = 16
	}
	if c.PrimaryShare == 0 {
		c.PrimaryShare = 1
	}
	if c.HedgeShare == 0 {
		c.HedgeShare = 0.05
	}
	if c.ReadOnly == nil {
		c.ReadOnly = ReadOnly
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Trace == nil {
		c.Trace = new(Trace)
	}
	switch {
	case c.Primary == nil:
		return errors.New("lbsql: Config.Primary is missing")
	case c.Measure == nil:
		return errors.New("lbsql: Config.Measure is missing")
	case c.Interval < 0 || c.Timeout < 0:
		return errors.New("lbsql: Config.Interval and Timeout must not be negative")
	case c.Rise < 0 || c.Fall < 0:
		return errors.New("lbsql: Config.Rise and Fall must not be negative")
	case c.MaxLag > 0 && c.MaxLag < 2*c.Interval:
		return fmt.Errorf("lbsql: Config.MaxLag is %v, which cannot be seen with an Interval of %v: want at least twice that", c.MaxLag, c.Interval)
	case c.HedgeAfter < 0:
		return errors.New("lbsql: Config.HedgeAfter must not be negative")
	case !(c.HedgeShare >= 0 && c.HedgeShare <= 1):
		return fmt.Errorf("lbsql: Config.HedgeShare is %v, want from 0 to 1", c.HedgeShare)
	case !(c.PrimaryShare > 0 && c.PrimaryShare <= 1):
		return fmt.Errorf("lbsql: Config.PrimaryShare is %v, want from 0 to 1; for none PrimaryReads is negative", c.PrimaryShare)
	}
	return nil
}

// check checks a replica beside a primary; the pool checks its Node.
func (r Replica) check(primary *sql.DB) error {
	switch r.DB {
	case nil:
		return fmt.Errorf("lbsql: replica %q has no DB", r.ID)
	case primary:
		return fmt.Errorf("lbsql: replica %q is the primary: its reads would be limited by nothing", r.ID)
	}
	return nil
}
