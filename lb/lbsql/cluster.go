package lbsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// Cluster is a primary and its replicas as one driver.Connector: give it to
// sql.OpenDB. All methods are safe for concurrent use.
type Cluster struct {
	cfg    Config
	pool   *lb.Pool
	share  *share
	hedges *lb.Budget // nil: none
	count  counters
	begin  time.Time // zero of our clock

	running atomic.Bool
	begun   atomic.Bool               // the primary was asked once
	waiting atomic.Int64              // reads that wait for a replica to catch up
	primary atomic.Pointer[sql.DB]    // changed with mu held
	members atomic.Pointer[[]*member] // in the order they were given; replaced, with mu held
	renewed chan struct{}             // holds a token when members changed, for Run

	mu      sync.Mutex
	past    history       // guarded by mu
	changed chan struct{} // guarded by mu: closed when a replica's state or position changes
}

var _ driver.Connector = (*Cluster)(nil)

// New checks cfg and returns a Cluster. It starts nothing and asks nobody:
// until Run has measured, no replica is used.
func New(cfg Config) (*Cluster, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	c := &Cluster{
		cfg:     cfg,
		share:   newShare(cfg.PrimaryReads, cfg.PrimaryShare),
		begin:   time.Now(),
		renewed: make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	if cfg.HedgeAfter > 0 {
		c.hedges = &lb.Budget{Share: cfg.HedgeShare, Floor: -1}
	}
	c.past.keep = max(2*cfg.MaxLag, time.Minute)
	c.primary.Store(cfg.Primary)
	c.members.Store(new([]*member))
	var err error
	// Panic must not be: a replica that is down or late is not to be believed
	// only because the others are too.
	c.pool, err = lb.New(lb.Config{Policy: cfg.Policy, Panic: -1, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	return c, c.SetReplicas(cfg.Replicas)
}

// Pool returns the pool of the replicas, for its statistics and for
// SetDraining. Its health and its members are the Cluster's.
func (c *Cluster) Pool() *lb.Pool { return c.pool }

// Connect implements driver.Connector. It does no I/O.
func (c *Cluster) Connect(context.Context) (driver.Conn, error) { return &conn{c: c}, nil }

// Driver implements driver.Connector. The driver cannot open anything by name.
func (c *Cluster) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("lbsql: open a Cluster by sql.OpenDB")
}

// Token asks the primary for its position: it stands for all that was committed
// before, by anybody. Take it after the commit of a write and give it to
// [After].
func (c *Cluster) Token(ctx context.Context) (Token, error) {
	p, err := c.cfg.Measure(ctx, c.primary.Load(), true)
	if err != nil {
		return 0, &Error{Node: primaryName, Op: "measure", Err: err}
	}
	return Token(p), nil
}

const primaryName = "primary"

// now is the time since New. It never goes back.
func (c *Cluster) now() time.Duration { return time.Since(c.begin) }

// changes returns a channel that is closed at the next change.
func (c *Cluster) changes() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// announce wakes those who wait for a change; mu is held.
func (c *Cluster) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}
