package lb

import (
	"math"
	"sync/atomic"
	"time"
)

// Member is a node in a pool, with what the pool knows about it. Its methods
// are safe for concurrent use.
type Member struct {
	// The first cache line is all that a request needs while all is well; members
	// begin at one, and two processors that work on different nodes do not
	// disturb each other.
	acquired atomic.Uint64        // leases ever given
	ended    atomic.Uint64        // sum of their latencies << endedBits | leases that are done
	latency  latency              // kept by PeakEWMA
	failRate atomic.Uint64        // float64 bits: recent share of failures, moved by each outcome
	node     atomic.Pointer[Node] // its ID is constant
	slot     int                  // constant: a small number that no other member has
	outlook  *outlook             // constant: what Marginal knows about it
	adapt    *adapt               // constant: nil unless Config.Adaptive is on

	weight    atomic.Uint64 // float64 bits: the node's weight, or 1
	fails     atomic.Uint64 // failed and rejected
	failAt    atomic.Int64  // when failRate was moved last
	inRow     atomic.Int32  // failures without a success between them
	report    reported
	drainTill atomic.Int64 // its last report asked for no new requests; believed until then
	slow      atomic.Int64 // ns: sum of the latencies that do not fit into ended
	hash      uint64       // constant: of the ID, the same in every process
	ramp

	state  memberState // guarded by the pool's mu
	busy   uint64      // guarded by the pool's mu: sum of latencies that were taken over from ended
	folded uint64      // guarded by the pool's mu: what ended held of them then

	_ [40]byte // allocated by 256 bytes
}

// A request's end is one atomic instruction: ended has the sum of latencies
// above the count. A carry from the count is a unit in the sum: one in sixteen
// million.
const (
	endedBits = 24
	busyUnit  = 10 // bits of ns in a unit of the sum
	// foldEvery requests at most slowLatency long do not fill the sum's 40 bits.
	foldEvery   = 1 << 16
	slowLatency = 8 * time.Second
)

// begun notes that a lease is given, and returns how many there are.
func (m *Member) begun() int {
	n := m.acquired.Add(1)
	return int((n - m.ended.Load()) & (1<<endedBits - 1))
}

// end notes that a lease is done, after latency or an unknown time, 0. It
// reports whether it is time to fold.
func (m *Member) end(latency time.Duration) bool {
	w := uint64(1)
	if latency < slowLatency {
		w |= uint64(latency+1<<busyUnit/2) >> busyUnit << endedBits
	} else {
		m.slow.Add(int64(latency))
	}
	return m.ended.Add(w)%foldEvery == 0
}

// fold takes the sum of latencies over from ended before it overflows, and
// returns it; the pool's mu is held.
func (m *Member) fold() time.Duration {
	sum := m.ended.Load() >> endedBits
	m.busy += (sum - m.folded) & (1<<(64-endedBits) - 1)
	m.folded = sum
	return time.Duration(m.busy<<busyUnit) + time.Duration(m.slow.Load())
}

// Node returns the node as it is now: Set may change all of it but its ID.
func (m *Member) Node() *Node { return m.node.Load() }

// Slot returns a small number that no other member of the pool has, for tables
// of a policy's own. It may come back when a node has left.
func (m *Member) Slot() int { return m.slot }

// Weight returns the node's weight, 1 if it has none.
func (m *Member) Weight() float64 { return math.Float64frombits(m.weight.Load()) }

// InFlight returns the number of leases that are not done.
//
// The ended are read first: a request that begins and ends meanwhile counts as
// in flight, never as less than none.
func (m *Member) InFlight() int {
	ended := m.ended.Load()
	return int((m.acquired.Load() - ended) & (1<<endedBits - 1))
}

// Acquired returns the number of leases ever given for it.
func (m *Member) Acquired() uint64 { return m.acquired.Load() }

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
