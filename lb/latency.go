package lb

import (
	"math"
	"sync/atomic"
	"time"
)

// peakMemory is the time constant of the moving average of latencies:
// Finagle's ten seconds.
const peakMemory = 10 * time.Second

// latency is a peak-sensitive moving average, after Finagle's PeakEwma: a
// latency above the average replaces it at once, lower ones pull it down with
// the time constant. Average and time share a word, so that a sample is one
// store: float32 ns, and the time in units of a millisecond or so. Concurrent
// writers may lose one of two samples that come at the same moment.
type latency struct {
	word atomic.Uint64 // 0: nothing known
}

const latencyUnit = 20 // bits of ns in a unit of time

// value is the average now. Without samples for a second it falls, so that a
// node that is not chosen is tried again in the end.
func (l *latency) value(now, memory time.Duration) float32 {
	w := l.word.Load()
	ns := math.Float32frombits(uint32(w >> 32))
	if age := age(w, now); age > int64(time.Second) {
		ns *= decay(float64(age) / float64(memory))
	}
	return ns
}

// add puts in a sample.
func (l *latency) add(now, sample, memory time.Duration) {
	w := l.word.Load()
	x, old := float32(sample), math.Float32frombits(uint32(w>>32))
	if x < old {
		x += (old - x) * decay(float64(age(w, now))/float64(memory))
	}
	if next := uint64(math.Float32bits(x))<<32 | uint64(uint32(now>>latencyUnit)); next != w {
		l.word.Store(next)
	}
}

// age is how long ago word w was stored, in ns. Units wrap in 52 days.
func age(w uint64, now time.Duration) int64 {
	units := int32(uint32(now>>latencyUnit) - uint32(w))
	return int64(max(units, 0)) << latencyUnit
}

// decay is exp(-x), quick where x is small.
func decay(x float64) float32 {
	if x < 0.05 {
		return float32(1 - x + x*x/2)
	}
	return float32(math.Exp(-x))
}
