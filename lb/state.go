package lb

import (
	"reflect"
	"time"
)

// memberState is what decides whether a member may be chosen.
type memberState struct {
	down  bool // a check says that it cannot serve
	drain bool // the operator wants no new requests there

	since   time.Duration // when it came, or came back; 0: always there
	ejected time.Duration // until when it is taken out for failing
	times   int           // how often in a row it was taken out
	credit  float64       // requests that it may have now, while it ramps up
}

// ramps reports whether it gets less than its share for the time being.
func (m *Member) ramps(now, ramp time.Duration) bool {
	return m.state.since > 0 && now < m.state.since+ramp
}

// same reports whether n is what the member already is.
func (m *Member) same(n *Node) bool { return reflect.DeepEqual(*m.node, *n) }

// newMember makes the member for n. Of the member that it replaces, with
// another address, weight or attributes, it keeps what is known: that one goes
// on counting the leases that it gave. used marks the slots that are taken.
func newMember(n *Node, old *Member, used []bool) *Member {
	m := &Member{node: n, weight: n.Weight, hash: hashID(n.ID)}
	if m.weight == 0 {
		m.weight = 1
	}
	for used[m.slot] {
		m.slot++
	}
	used[m.slot] = true
	if old == nil {
		return m
	}
	m.state = old.state
	m.drainTill.Store(old.drainTill.Load())
	done := old.Acquired()
	m.acquired.Store(done)
	m.ended.Store(done & (1<<endedBits - 1))
	m.fails.Store(old.fails.Load())
	m.failRate.Store(old.failRate.Load())
	m.failAt.Store(old.failAt.Load())
	m.inRow.Store(old.inRow.Load())
	m.latency.word.Store(old.latency.word.Load())
	m.slow.Store(int64(old.fold()))
	if r, at, ok := old.Report(); ok {
		m.report.store(r, at)
	}
	return m
}

// drainBelief is how long a node that said in a report that it drains gets no
// requests unless it says so again. It must end, since a node without requests
// sends no replies that could take it back.
const drainBelief = 10 * time.Second

// saysDrain reports whether the node asked for no new requests, lately.
func (m *Member) saysDrain(now time.Duration) bool { return int64(now) < m.drainTill.Load() }
