package lbsql

import (
	"sync/atomic"
	"time"
)

// Trace is called on events. Any field may be nil. The functions are called in
// the goroutine that caused the event and should return soon; they may use the
// Cluster.
type Trace struct {
	// Lost: a replica is no longer used. err is why: a failed measurement, or
	// a *LagError.
	Lost func(id string, err error)
	// Returned: a replica is used again, or for the first time.
	Returned func(id string, lag time.Duration)
	// Measured: a replica answered. known is false when lag is only the least
	// that it can be.
	Measured func(id string, p Position, lag time.Duration, known bool)
	// Retried: a read that met a failing replica is sent to another server.
	Retried func(id string, err error)
	// OnPrimary: a read goes to the primary because no replica may serve it.
	OnPrimary func()
	// Refused: a read fails because the primary has its share too.
	Refused func()
}

// Stats are counters since New, and the state of now.
type Stats struct {
	Reads         int64 // reads offered: queries that may go to a replica, read-only transactions, pings
	OnReplica     int64 // of these, sent to a replica, retries counted too
	OnPrimary     int64 // of these, sent to the primary for want of a replica
	Refused       int64 // of these, failed with ErrNoReplica
	Retries       int64 // reads sent again to another server
	Waits         int64 // reads that waited for a replica to catch up
	Hedges        int64 // reads sent to a second replica because the first was slow
	HedgeWins     int64 // of these, answered by the second
	PrimaryForced int64 // statements that are the primary's own: writes, OnPrimary, what is not surely a read
	PrimaryBusy   int64 // reads on the primary now, for want of a replica
	Usable        int64 // replicas that may be read now
	Replicas      int64 // of so many
}

type counters struct {
	reads, onReplica, onPrimary, refused, retries, waits, hedges, hedgeWins, forced atomic.Int64
}

// Stats returns the counters.
func (c *Cluster) Stats() Stats {
	s := Stats{
		Reads:         c.count.reads.Load(),
		OnReplica:     c.count.onReplica.Load(),
		OnPrimary:     c.count.onPrimary.Load(),
		Refused:       c.count.refused.Load(),
		Retries:       c.count.retries.Load(),
		Waits:         c.count.waits.Load(),
		PrimaryForced: c.count.forced.Load(),
		PrimaryBusy:   int64(c.share.running()),
		Hedges:        c.count.hedges.Load(),
		HedgeWins:     c.count.hedgeWins.Load(),
	}
	members := *c.members.Load()
	s.Replicas = int64(len(members))
	for _, m := range members {
		if m.usable.Load() {
			s.Usable++
		}
	}
	return s
}

// ReplicaStats is what is known about one replica; the lb part is in
// Cluster.Pool().Nodes().
type ReplicaStats struct {
	ID       string
	Usable   bool
	Position Position
	Lag      time.Duration // when it was measured last: at most so far behind
	LagKnown bool          // false: at least so far, or nothing is known
	Age      time.Duration // of that measurement
	Err      error         // why it is not usable; nil if it is
}

// Replicas returns what is known about each replica, in the order they were given.
func (c *Cluster) Replicas() []ReplicaStats {
	now := c.now()
	members := *c.members.Load()
	list := make([]ReplicaStats, len(members))
	for i, r := range members {
		r.mu.Lock()
		list[i] = ReplicaStats{
			ID: r.id, Usable: r.health.up, Position: Position(r.position.Load()),
			Lag: r.lag, LagKnown: r.lagKnown, Age: now - r.at, Err: r.err,
		}
		r.mu.Unlock()
	}
	return list
}
