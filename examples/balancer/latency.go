package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// latencies counts by size, eight steps to each doubling: what comes out is
// right within a twelfth.
type latencies struct {
	counts [buckets]atomic.Uint32
	sum    atomic.Int64 // ns
}

// buckets reach from a microsecond to half an hour.
const buckets = 8 * 29

func (l *latencies) add(d time.Duration) {
	l.counts[bucket(d)].Add(1)
	l.sum.Add(int64(d))
}

// bucket returns which one d belongs to.
func bucket(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	e := max(bits.Len64(us)-4, 0)
	return min(e*8+int(us>>e), buckets-1)
}

// upTo returns the end of a bucket: what is in it is less.
func upTo(b int) time.Duration {
	if b < 16 {
		return time.Duration(b+1) * time.Microsecond
	}
	return time.Duration(b%8+9) << (b/8 - 1) * time.Microsecond
}

// tally is what was counted until some moment.
type tally [buckets]uint32

func (l *latencies) tally() (t tally) {
	for i := range t {
		t[i] = l.counts[i].Load()
	}
	return t
}

// add puts in what was counted from before to now.
func (t *tally) add(now, before *tally) {
	for i := range t {
		t[i] += now[i] - before[i]
	}
}

// quantile returns the latency below which are q of all; 0 without any.
func (t *tally) quantile(q float64) time.Duration {
	n := uint64(0)
	for _, c := range t {
		n += uint64(c)
	}
	seen, want := uint64(0), uint64(q*float64(n))
	for i, c := range t {
		if seen += uint64(c); c > 0 && seen > want {
			return upTo(i)
		}
	}
	return 0
}
