package lbsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// replica is one replica with what is known about it.
type replica struct {
	id   string
	db   *sql.DB
	kick chan struct{}

	usable   atomic.Bool
	asked    atomic.Bool   // once, after the primary
	position atomic.Uint64 // Position

	mu       sync.Mutex
	health   health        // guarded by mu, as all below
	lag      time.Duration // at the last answer
	lagKnown bool
	at       time.Duration // of the last answer
	err      error         // why it is not usable
}

// member is a replica with the node that the pool has for it now.
type member struct {
	*replica
	node *lb.Node
}

var errUnmeasured = errors.New("lbsql: not measured yet")

// SetReplicas makes list the replicas, in place of Config.Replicas. One that
// stays, by its ID and DB, keeps all that is known about it; a new one is used
// when it was measured. One that leaves gets no more reads, and those that run
// on it, and transactions, go on to their end: its DB may be closed at once,
// because sql.DB lets them finish. An error changes nothing.
func (c *Cluster) SetReplicas(list []Replica) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := make([]lb.Node, len(list))
	for i, r := range list {
		if err := r.check(c.primary.Load()); err != nil {
			return err
		}
		nodes[i] = r.Node
	}
	// A node that is new to the pool can be chosen until it is marked below: pick
	// looks at usable, too.
	if err := c.pool.Set(nodes); err != nil {
		return err
	}
	known := make(map[string]*lb.Node)
	for _, n := range c.pool.Nodes() {
		known[n.Node.ID] = n.Node
	}
	before := *c.members.Load()
	next := make([]*member, len(list))
	for i, r := range list {
		next[i] = &member{node: known[r.ID]}
		if j := slices.IndexFunc(before, func(m *member) bool { return m.id == r.ID && m.db == r.DB }); j >= 0 {
			next[i].replica = before[j].replica
			continue
		}
		next[i].replica = &replica{id: r.ID, db: r.DB, kick: make(chan struct{}, 1), err: errUnmeasured}
		if err := c.pool.SetHealthy(r.ID, false); err != nil {
			return err
		}
	}
	c.members.Store(&next)
	c.announce()
	select {
	case c.renewed <- struct{}{}:
	default:
	}
	return nil
}

// SetPrimary makes db the primary, after a failover, if it can be measured as
// one: otherwise it returns why not and changes nothing. It may not be the DB of
// a replica: take the promoted one out by SetReplicas first. Statements that run
// on the old primary, and transactions, go on to their end there.
//
// What replicas have is judged by the new primary's positions from then on.
// Tokens from before mean something only if positions go on, as those of
// [Postgres] and [MariaDB] do and those of [MySQL] do not. What the old primary
// had and the new one never got is lost, whatever a token says.
func (c *Cluster) SetPrimary(ctx context.Context, db *sql.DB) error {
	if db == nil {
		return errors.New("lbsql: SetPrimary without a DB")
	}
	at := c.now()
	p, err := c.cfg.Measure(ctx, db, true)
	if err != nil {
		return &Error{Node: primaryName, Op: "measure", Err: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range *c.members.Load() {
		if m.db == db {
			return fmt.Errorf("lbsql: replica %q is to be the primary: its reads would be limited by nothing", m.id)
		}
	}
	c.primary.Store(db)
	c.past.marks = append(c.past.marks[:0], mark{at, p})
	return nil
}

// replicaOf returns the replica of a node of the pool; nil if it has left.
func (c *Cluster) replicaOf(n *lb.Node) *replica {
	for _, m := range *c.members.Load() {
		if m.node == n {
			return m.replica
		}
	}
	return nil
}

// ask makes the replica's loop measure it soon.
func (r *replica) ask() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}
