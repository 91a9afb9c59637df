package lbsql

import (
	"context"
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
	cfg      Config
	pool     *lb.Pool
	replicas []*replica // constant, in the order of Config
	share    *share
	count    counters
	begin    time.Time // zero of our clock

	running atomic.Bool
	waiting atomic.Int64  // reads that wait for a replica to catch up
	met     chan struct{} // closed when every replica was asked once

	mu      sync.Mutex
	past    history       // guarded by mu
	changed chan struct{} // guarded by mu: closed when a replica's state or position changes
	unmet   int           // guarded by mu: replicas not asked yet
}

var _ driver.Connector = (*Cluster)(nil)

// replica is one replica with what is known about it.
type replica struct {
	Replica
	node *lb.Node // the pool's
	kick chan struct{}

	usable   atomic.Bool
	position atomic.Uint64 // Position

	mu       sync.Mutex
	health   health        // guarded by mu, as all below
	lag      time.Duration // at the last answer
	lagKnown bool
	at       time.Duration // of the last answer
	err      error         // why it is not usable
	asked    bool
}

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
		met:     make(chan struct{}),
		changed: make(chan struct{}),
		unmet:   len(cfg.Replicas),
	}
	c.past.keep = max(2*cfg.MaxLag, time.Minute)
	nodes := make([]lb.Node, len(cfg.Replicas))
	for i, r := range cfg.Replicas {
		nodes[i] = r.Node
	}
	var err error
	// Panic must not be: a replica that is down or late is not to be believed
	// only because the others are too.
	c.pool, err = lb.New(lb.Config{Nodes: nodes, Policy: cfg.Policy, Panic: -1, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	known := make(map[string]*lb.Node)
	for _, n := range c.pool.Nodes() {
		known[n.Node.ID] = n.Node
	}
	for _, r := range cfg.Replicas {
		c.replicas = append(c.replicas, &replica{Replica: r, node: known[r.ID], kick: make(chan struct{}, 1), err: errUnmeasured})
		if err := c.pool.SetHealthy(r.ID, false); err != nil {
			return nil, err
		}
	}
	if len(cfg.Replicas) == 0 {
		close(c.met)
	}
	return c, nil
}

var errUnmeasured = errors.New("lbsql: not measured yet")

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
	p, err := c.cfg.Measure(ctx, c.cfg.Primary, true)
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

// announce wakes those who wait for a change.
func (c *Cluster) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// ask makes the replica's loop measure it soon.
func (r *replica) ask() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}
