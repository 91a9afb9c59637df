package main

import (
	"time"
)

// report is /status.json, and what the page shows. Rates, shares and latencies
// are of the last ten seconds, the other numbers of all the time.
type report struct {
	Mode       string       `json:"mode"`
	Policy     string       `json:"policy"`
	Uptime     float64      `json:"uptime_seconds"`
	Requests   int64        `json:"requests"`
	Failed     int64        `json:"failed"`
	InFlight   int64        `json:"in_flight"`
	Waiting    int64        `json:"waiting"`
	Ejections  int64        `json:"ejections"`
	Panics     int64        `json:"panics"`
	Members    int64        `json:"backends"`
	Usable     int64        `json:"usable"`
	Rate       float64      `json:"requests_per_second"`
	P50        float64      `json:"latency_p50_seconds"`
	P99        float64      `json:"latency_p99_seconds"`
	Front      *frontStats  `json:"front,omitempty"`
	NodeStatus []nodeReport `json:"nodes"`

	points []point
}

type nodeReport struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Why      string   `json:"why,omitempty"`
	Usable   bool     `json:"usable"`
	Tier     string   `json:"tier,omitempty"`
	Weight   float64  `json:"weight"`
	Requests int64    `json:"requests"`
	Failed   int64    `json:"failed"`
	FailRate float64  `json:"fail_rate"`
	InFlight int64    `json:"in_flight"`
	Rate     float64  `json:"requests_per_second"`
	Share    float64  `json:"share"`
	P50      float64  `json:"latency_p50_seconds"`
	P99      float64  `json:"latency_p99_seconds"`
	RIF      *float64 `json:"reported_in_flight,omitempty"`

	total *tally  // of all the time
	sum   float64 // seconds, of these
}

// frontStats are the counters of what serves clients.
type frontStats struct {
	Clients int64 `json:"clients"` // connections now
	Retries int64 `json:"retries"` // attempts beyond a request's first
	Refused int64 `json:"refused"` // requests that made no sense
	Failed  int64 `json:"failed"`  // requests that no backend answered
}

func (w *watch) report() report {
	s := w.pool.Stats()
	now := moment{time.Now(), make(map[string]counted)}
	r := report{
		Uptime: now.at.Sub(w.began).Seconds(), Requests: s.Acquired, Failed: s.Failed, InFlight: s.InFlight, Waiting: s.Waiting,
		Ejections: s.Ejections, Panics: s.Panics, Members: s.Members, Usable: s.Usable, NodeStatus: []nodeReport{},
	}
	w.mu.Lock()
	before := moment{at: w.began}
	if len(w.past) > 0 {
		before = w.past[0]
	}
	r.points = append(r.points, w.chart...)
	w.mu.Unlock()
	for _, n := range w.pool.Nodes() {
		id, nw := n.Node.ID, w.of(n.Node)
		c := w.count(n)
		now.nodes[id] = c
		one := between(before, moment{now.at, map[string]counted{id: c}})
		nr := nodeReport{
			ID: id, State: n.State, Why: nw.why(n), Usable: n.Usable, Tier: n.Node.Attr["tier"], Weight: n.Node.Weight,
			Requests: n.Acquired, Failed: n.Failed, FailRate: n.FailRate, InFlight: n.InFlight,
			Rate: one.rate, P50: one.p50.Seconds(), P99: one.p99.Seconds(),
			total: c.latencies, sum: time.Duration(nw.latencies.sum.Load()).Seconds(),
		}
		if nr.Weight == 0 {
			nr.Weight = 1
		}
		if n.Report != nil {
			rif := float64(n.Report.RIF)
			nr.RIF = &rif
		}
		r.NodeStatus = append(r.NodeStatus, nr)
	}
	all := between(before, now)
	r.Rate, r.P50, r.P99 = all.rate, all.p50.Seconds(), all.p99.Seconds()
	for i := range r.NodeStatus {
		if r.Rate > 0 {
			r.NodeStatus[i].Share = r.NodeStatus[i].Rate / r.Rate
		}
	}
	return r
}
