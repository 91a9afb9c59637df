package lb

import (
	"math"
	"sync/atomic"
	"time"
)

// outlook is what Marginal knows about one node. Its words are written one by
// one, without a lock: a reader may see parts of two updates of the same
// moment, each of which was true.
type outlook struct {
	slowCores atomic.Uint64 // two float32: ns that a request takes alone, cores; 0: no report yet
	others    atomic.Uint64 // two float32: requests of others, in the mean and above it when reported
	at        atomic.Int64  // when reported
	latency   latency       // of our own requests
	settled   atomic.Int64  // until then time alone does not change the cost
	earlier   atomic.Int64  // when deviation was reported
	deviation atomic.Uint32 // float32: from the mean, in an earlier report
	_         [12]byte
}

func pack(hi, lo float32) uint64 {
	return uint64(math.Float32bits(hi))<<32 | uint64(math.Float32bits(lo))
}

func unpack(w uint64) (hi, lo float32) {
	return math.Float32frombits(uint32(w >> 32)), math.Float32frombits(uint32(w))
}

const (
	// meanGain moves the mean of the others' requests with each report.
	meanGain = 0.05
	// outlookMemory is shorter than Finagle's, so that one stall is forgotten in
	// time; longer ones serve a little better where nothing ever stalls.
	outlookMemory = 2 * time.Second
	// settledFor is short against outlookMemory: latencies age too.
	settledFor = 500 * time.Millisecond
)

// reported takes in a report, while own requests of ours are in flight there.
func (o *outlook) reported(r Report, own int, now time.Duration, p *persistence) {
	slow, cores := unpack(o.slowCores.Load())
	if r.Slowness > 0 {
		slow = float32(r.Slowness)
	}
	if slow == 0 {
		return
	}
	others := max(float32(r.RIF)-float32(own), 0)
	mean, _ := unpack(o.others.Load())
	if cores == 0 {
		mean = others
	}
	above := others - mean
	o.compare(above, slow, now, p)
	mean += above * meanGain
	o.others.Store(pack(mean, others-mean))
	o.at.Store(int64(now))
	o.slowCores.Store(pack(slow, r.Cores))
}

// compare tells p what has become of the deviation of a service time ago.
func (o *outlook) compare(above, slow float32, now time.Duration, p *persistence) {
	earlier := o.earlier.Load()
	age := float32(int64(now)-earlier) / slow
	if age < 0.5 {
		return
	}
	if age < 1.5 && earlier != 0 {
		p.learn(math.Float32frombits(o.deviation.Load()), above)
	}
	o.earlier.Store(int64(now))
	o.deviation.Store(math.Float32bits(above))
}

// cost is what one more request there costs, as a square of nanoseconds: the
// delay that it adds to all of them, going by the reports, times what it takes
// itself, going by our own latencies. Without reports the second counts twice,
// so that nodes with and without can be compared. settled says that time alone
// hardly changes it for a while.
//
// Both are needed since they fail differently. Reports are old, and the other
// balancers hear the same; our latencies come late, but what is in flight from
// here is known exactly, and only here: counting it spreads our own requests
// as evenly as a round robin does.
func (o *outlook) cost(m *Member, own float32, now time.Duration, p *persistence) (cost float32, settled bool) {
	l := o.latency.value(now, outlookMemory)
	slow, cores := unpack(o.slowCores.Load())
	if cores == 0 {
		if l == 0 {
			l = 1 + float32(m.unknown(float64(own), now)/m.Weight())
		}
		l *= own + 1
		return l * l, true
	}
	mean, above := unpack(o.others.Load())
	part, fresh := p.after(float32(int64(now)-o.at.Load()) / slow)
	mean += above * part
	n := own + mean
	if l == 0 {
		l = slow * max(1, n/cores)
	}
	return slow * delay(n, cores) * l * (own + 1), !fresh
}

// delay is by how much one more request on a node with n of them delays all of
// them together, in units of what one takes alone, if cores are shared equally.
func delay(n, cores float32) float32 {
	switch {
	case n+1 <= cores:
		return 1
	case n >= cores:
		return (2*n + 1) / cores
	}
	return (n+1)*(n+1)/cores - n
}
