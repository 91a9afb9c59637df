package lbsim

import (
	"slices"
	"time"
)

// Result is what came out of a run. Latencies are those of measured requests
// from the balancer's decision to the reply's arrival there.
type Result struct {
	Entry, Scenario      string
	Mean, P50, P99, P999 time.Duration
	Failed               float64   // share of measured requests that failed
	Shares               []float64 // of the measured requests, by server
	Probes               float64   // for each request
	Max                  time.Duration
	Sent                 [][]int // with Scenario.Window: all requests, by window of their begin and by server
}

func (f *farm) result() Result {
	slices.Sort(f.measured)
	r := Result{Entry: f.entry.Name, Scenario: f.Name, Probes: float64(f.probes) / float64(f.begun), Sent: f.sent}
	sum := 0.0
	for _, ns := range f.measured {
		sum += float64(ns)
	}
	n := len(f.measured)
	at := func(q float64) time.Duration { return time.Duration(f.measured[min(int(q*float64(n)), n-1)]) }
	r.Mean = time.Duration(sum / float64(n))
	r.P50, r.P99, r.P999, r.Max = at(0.5), at(0.99), at(0.999), at(1)
	r.Failed = float64(f.failed) / float64(n)
	for _, k := range f.shares {
		r.Shares = append(r.Shares, float64(k)/float64(n))
	}
	return r
}
