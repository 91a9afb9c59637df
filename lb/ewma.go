package lb

import "time"

// PeakEWMA chooses by the moving average of latency times the requests in
// flight from this pool, as Finagle and Linkerd do: of two nodes drawn at
// random, or with Scan of all. A node about which nothing is known counts as
// the average one. Failures are charged as [Marginal] charges them.
type PeakEWMA struct {
	Scan bool // look at all nodes instead of two
}

// Picker implements [Policy].
func (c PeakEWMA) Picker() (Picker, error) {
	if c.Scan {
		return ewmaScan{}, nil
	}
	return ewmaTwo{}, nil
}

// ewmaLearner keeps latencies.
type ewmaLearner struct{}

func (ewmaLearner) Done(m *Member, e Event) {
	if e.Class == OK && e.Latency > 0 {
		m.latency.add(e.Now, e.Latency, peakMemory)
	}
}

func (ewmaLearner) Reported(*Member, Report, time.Duration, bool) {}

type ewmaTwo struct{ ewmaLearner }

func (ewmaTwo) Pick(v *View, q Query) int {
	if len(v.members) == 1 {
		return 0
	}
	i, j := twoOf(q.Rand, len(v.members))
	if v.members[j].ewmaCost(q.Now) < v.members[i].ewmaCost(q.Now) {
		return j
	}
	return i
}

type ewmaScan struct{ ewmaLearner }

func (ewmaScan) Pick(v *View, q Query) int {
	return v.least(q.Rand, func(m *Member) float64 { return m.ewmaCost(q.Now) })
}

// ewmaCost is 0 for a node that was never heard of and has nothing in flight:
// such a one is tried first, by one request at a time.
func (m *Member) ewmaCost(now time.Duration) float64 {
	ns := float64(m.latency.value(now, peakMemory))
	n := float64(m.InFlight())
	if ns == 0 {
		ns = m.unknown(n, now)
	}
	return (ns + 1) * (n + 1) * m.charge(now)
}

// unknownLatency stands for the latency of a node that has not answered yet,
// for each request in flight there.
const unknownLatency = float64(time.Second)

// unknown is the latency to count with while no request has succeeded: nothing
// before the first one, and much while one is on its way or after failures.
func (m *Member) unknown(inFlight float64, now time.Duration) float64 {
	return unknownLatency * (inFlight + min((m.charge(now)-1)/25, 1))
}

// charge is the factor by which failures make a node dearer: 26 after one, a
// hundred and more after three, and little some seconds later, so that a node
// that fails is tried now and then, and one that is well again has its share
// soon.
func (m *Member) charge(now time.Duration) float64 {
	if m.failRate.Load() == 0 {
		return 1
	}
	r := m.FailRate(now)
	return 1 + 400*r*r
}

// least returns the place with the least cost; among equals the first after a
// random place.
func (v *View) least(r uint64, cost func(*Member) float64) int {
	n := len(v.members)
	start := below(r, n)
	best, least := -1, 0.0
	for k := range n {
		i := start + k
		if i >= n {
			i -= n
		}
		if c := cost(v.members[i]); best < 0 || c < least {
			best, least = i, c
		}
	}
	return best
}
