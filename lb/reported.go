package lb

import (
	"math"
	"sync/atomic"
	"time"
)

// reported holds the newest report of a node. Its words are written one by
// one: a reader may see parts of two reports of the same node that came at the
// same moment, each of which is true.
type reported struct {
	at       atomic.Int64  // 0: none
	rifCores atomic.Uint64 // RIF << 32 | float32 bits of the cores
	slowness atomic.Int64
	latency  atomic.Int64
}

func (r *reported) store(rep Report, now time.Duration) {
	r.rifCores.Store(uint64(rep.RIF)<<32 | uint64(math.Float32bits(rep.Cores)))
	r.slowness.Store(int64(rep.Slowness))
	r.latency.Store(int64(rep.Latency))
	r.at.Store(max(int64(now), 1))
}

func (r *reported) load() (Report, time.Duration, bool) {
	at := r.at.Load()
	if at == 0 {
		return Report{}, 0, false
	}
	rc := r.rifCores.Load()
	return Report{
		RIF:      uint32(rc >> 32),
		Cores:    math.Float32frombits(uint32(rc)),
		Slowness: time.Duration(r.slowness.Load()),
		Latency:  time.Duration(r.latency.Load()),
	}, time.Duration(at), true
}
