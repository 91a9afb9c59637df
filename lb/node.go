package lb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Node is one server that requests may go to. The pool copies it; do not
// change Attr afterwards.
type Node struct {
	// ID names the node for ever: what is learnt about it is kept under this
	// name. Required, unique within a pool.
	ID string
	// Addr is where to reach it, in whatever form the caller dials.
	Addr string
	// Attr are facts that policies and candidacy steps may use, such as
	// "zone", "tier" or "priority".
	Attr map[string]string
	// Weight is its share relative to the others; default 1. Policies that
	// measure what a node can do use it only as a first guess. Not negative.
	Weight float64
}

func (n *Node) check() error {
	switch {
	case n.ID == "":
		return errors.New("lb: a node has no ID")
	case !(n.Weight >= 0) || math.IsInf(n.Weight, 0):
		return fmt.Errorf("lb: node %q has weight %v, want at least 0 and finite", n.ID, n.Weight)
	}
	return nil
}

// Request is what is known of a request when its node is chosen. The zero
// value is a request like any other.
type Request struct {
	// Key places the request for policies that hash: equal keys meet equal
	// nodes. The pool mixes its bits; others ignore it.
	Key uint64
	// Tier is the class of the client, such as paying or free; 0 without one.
	// Candidacy steps and the fair queue use it.
	Tier uint8
	// Exclude are nodes that were tried already. They are not chosen while
	// another node may be: one that is usable, below its limit and left by the
	// candidacy steps.
	Exclude []*Node
	// Strict makes Exclude final: when there are no others, Acquire returns
	// ErrNoNodes instead of trying one of them again, and when the others are at
	// their limit, it waits in the queue for them.
	Strict bool
	// Any is the request itself, for candidacy steps: *http.Request, an SQL
	// hint or the like.
	Any any
}

// Class says how a request ended, as far as balancing is concerned.
type Class uint8

const (
	// OK is an answer. With an Err beside it, it counts as Failed, and as
	// Canceled if the error is context.Canceled.
	OK Class = iota
	// Failed is no answer or a wrong one: the node is charged for it.
	Failed
	// Rejected is an answer that says that the node has too much to do, such
	// as HTTP's 429 and 503. The node is charged for it as for a failure.
	Rejected
	// Canceled is a request that its own client gave up: it says nothing about
	// the node. A request that ran into a time limit of ours is Failed.
	Canceled
)

// String returns the class's name in small letters.
func (c Class) String() string {
	switch c {
	case OK:
		return "ok"
	case Failed:
		return "failed"
	case Rejected:
		return "rejected"
	case Canceled:
		return "canceled"
	}
	return "class?"
}

// Outcome is how a request ended.
type Outcome struct {
	// Err is the error, if there was one. It is used only to find the class.
	Err error
	// Class is how it ended; see OK for what zero means beside an error.
	Class Class
	// Latency is how long it took, from Acquire to the last byte, as the caller
	// measured it. Zero is unknown: then nothing is learnt about speed.
	Latency time.Duration
	// Report is what the node said about itself with the reply, if it did.
	Report *Report
}

func (o *Outcome) class() Class {
	if o.Class == OK && o.Err != nil {
		if errors.Is(o.Err, context.Canceled) {
			return Canceled
		}
		return Failed
	}
	return o.Class
}

// Report is what a node says about itself, with a reply or when it is asked.
// A [Tracker] on the node makes it.
type Report struct {
	// RIF is the number of requests in flight on the node, without the one
	// whose reply carries the report.
	RIF uint32
	// Cores is how many requests it serves at full speed side by side.
	Cores float32
	// Slowness is how long an average request takes there while no more than
	// Cores are in flight. 0: unknown.
	Slowness time.Duration
	// Latency is what a request that comes now may expect, going by recent ones
	// that met about as many others. 0: unknown.
	Latency time.Duration
	// Draining asks for no new requests.
	Draining bool
}

// plausible reports whether a report can be used. Its numbers come from
// outside and must not upset the arithmetic.
func (r Report) plausible() bool {
	return r.RIF < 1<<24 && r.Cores > 0 && r.Cores < 1<<20 && r.Slowness >= 0 && r.Slowness < 24*time.Hour && r.Latency >= 0 && r.Latency < 24*time.Hour
}
