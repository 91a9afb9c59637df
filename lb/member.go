package lb

import (
	"math"
	"sync/atomic"
	"time"
)

// Member is a node in a pool, with what the pool knows about it. Its methods
// are safe for concurrent use.
type Member struct {
	// What every request changes has a cache line of its own: two processors
	// that work on different nodes do not disturb each other.
	load     atomic.Uint64 // acquired << 24 | in flight
	fails    atomic.Uint64 // failed and rejected
	failRate atomic.Uint64 // float64 bits: recent share of failures, moved by each outcome
	failAt   atomic.Int64  // when failRate was moved last
	latency  latency       // kept by PeakEWMA
	report   reported
	busy     atomic.Int64 // ns: sum of latencies
	inRow    atomic.Int32 // failures without a success between them
	_        [28]byte

	node      *Node        // constant
	slot      int          // constant: a small number that no other member has
	drainTill atomic.Int64 // its last report asked for no new requests; believed until then
	hash      uint64       // constant: of the ID, the same in every process
	weight    float64      // constant: the node's weight, or 1

	state memberState // guarded by the pool's mu
}

const (
	oneAcquired  = 1<<24 | 1
	inFlightMask = 1<<24 - 1
)

// Node returns the node, which does not change while it is a member.
func (m *Member) Node() *Node { return m.node }

// Slot returns a small number that no other member of the pool has, for tables
// of a policy's own. It may come back when a node has left.
func (m *Member) Slot() int { return m.slot }

// Weight returns the node's weight, 1 if it has none.
func (m *Member) Weight() float64 { return m.weight }

// InFlight returns the number of leases that are not done.
func (m *Member) InFlight() int { return int(m.load.Load() & inFlightMask) }

// Acquired returns the number of leases ever given for it.
func (m *Member) Acquired() uint64 { return m.load.Load() >> 24 }

// FailRate returns the recent share of failures as of now, from 0 to 1. It is
// halved by each success and by every three seconds.
func (m *Member) FailRate(now time.Duration) float64 {
	bits := m.failRate.Load()
	if bits == 0 {
		return 0
	}
	age := max(int64(now)-m.failAt.Load(), 0)
	return math.Float64frombits(bits) * math.Exp2(-float64(age)/float64(failHalfLife))
}

// failHalfLife is short enough for a node that recovered to be tried again soon,
// and long enough for one that fails to get a request only now and then.
const failHalfLife = 3 * time.Second

// failed moves the failure rate up: the first failure makes it a quarter.
func (m *Member) failed(now time.Duration) {
	m.fails.Add(1)
	m.inRow.Add(1)
	r := m.FailRate(now)
	m.failRate.Store(math.Float64bits(r + (1-r)/4))
	m.failAt.Store(int64(now))
}

// succeeded halves it. Nothing is written while all is well.
func (m *Member) succeeded(now time.Duration) {
	if m.failRate.Load() == 0 {
		return
	}
	m.inRow.Store(0)
	r := m.FailRate(now) / 2
	if r < 1e-3 {
		r = 0
	}
	m.failRate.Store(math.Float64bits(r))
	m.failAt.Store(int64(now))
}

// Report returns the newest report and when it came, and false without one.
func (m *Member) Report() (Report, time.Duration, bool) { return m.report.load() }
