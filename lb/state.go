package lb

import (
	"math"
	"time"
)

// memberState is what decides whether a member may be chosen.
type memberState struct {
	down  bool // a check says that it cannot serve
	drain bool // the operator wants no new requests there

	unchecked bool // Check.First: no check has said anything yet

	ejected time.Duration // until when it is taken out for failing
	times   int           // how often in a row it was taken out
}

func newMember(n *Node, used []bool) *Member {
	m := &Member{hash: hashID(n.ID)}
	m.become(n)
	for used[m.slot] {
		m.slot++
	}
	used[m.slot] = true
	return m
}

// become takes over what n says; its ID stays.
func (m *Member) become(n *Node) {
	w := n.Weight
	if w == 0 {
		w = 1
	}
	m.weight.Store(math.Float64bits(w))
	m.node.Store(n)
}

func (m *Member) id() string { return m.Node().ID }

// drainBelief is how long a node that said in a report that it drains gets no
// requests unless it says so again. It must end, since a node without requests
// sends no replies that could take it back.
const drainBelief = 10 * time.Second

// saysDrain reports whether the node asked for no new requests, lately.
func (m *Member) saysDrain(now time.Duration) bool { return int64(now) < m.drainTill.Load() }
