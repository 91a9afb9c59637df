package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsHoldWhatTheySay(t *testing.T) {
	before := 0
	for us := range 300_000 {
		d := time.Duration(us) * time.Microsecond
		b := bucket(d)
		if b < before || b > before+1 || d >= upTo(b) || b > 0 && d < upTo(b-1) {
			t.Fatalf("%v is in bucket %d, which ends at %v, after bucket %d", d, b, upTo(b), before)
		}
		before = b
	}
	if b := bucket(24 * time.Hour); b != buckets-1 {
		t.Errorf("a day is in bucket %d", b)
	}
	if b := bucket(-time.Second); b != 0 {
		t.Errorf("less than nothing is in bucket %d", b)
	}
}

func TestQuantilesAreRightWithinATwelfth(t *testing.T) {
	var l latencies
	var all []time.Duration
	for range 5000 {
		d := time.Duration(rand.ExpFloat64() * float64(20*time.Millisecond))
		l.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	got := l.tally()
	for _, q := range []float64{0.1, 0.5, 0.99} {
		want := all[int(q*float64(len(all)))]
		if g := got.quantile(q); g < want || g > want+want/8+2*time.Microsecond {
			t.Errorf("quantile %v: %v, want %v", q, g, want)
		}
	}
	if g := new(tally).quantile(0.5); g != 0 {
		t.Errorf("quantile of nothing: %v", g)
	}
}
