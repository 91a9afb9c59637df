package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// metric is a family of the text format of Prometheus.
type metric struct {
	name, kind, help string
}

func (m metric) head(w io.Writer) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", m.name, m.help, m.kind)
}

// writeMetrics writes r in the text format of Prometheus, version 0.0.4.
func writeMetrics(w io.Writer, r report) {
	one := func(name, kind, help string, value float64) {
		metric{name, kind, help}.head(w)
		fmt.Fprintf(w, "%s %g\n", name, value)
	}
	one("balancer_uptime_seconds", "gauge", "Time since the start.", r.Uptime)
	one("balancer_waiting", "gauge", "Requests that wait for a backend.", float64(r.Waiting))
	one("balancer_ejections_total", "counter", "Times that a backend was taken out for failing.", float64(r.Ejections))
	one("balancer_panics_total", "counter", "Times that too few backends were healthy.", float64(r.Panics))
	if f := r.Front; f != nil {
		one("balancer_clients", "gauge", "Connections of clients.", float64(f.Clients))
		one("balancer_retries_total", "counter", "Attempts beyond a request's first.", float64(f.Retries))
		one("balancer_refused_total", "counter", "Requests that made no sense.", float64(f.Refused))
		one("balancer_unanswered_total", "counter", "Requests that no backend answered.", float64(f.Failed))
	}
	each := func(name, kind, help string, value func(nodeReport) float64) {
		metric{name, kind, help}.head(w)
		for _, n := range r.NodeStatus {
			fmt.Fprintf(w, "%s{backend=%s} %g\n", name, label(n.ID), value(n))
		}
	}
	each("balancer_backend_usable", "gauge", "Whether new requests may go there.", func(n nodeReport) float64 {
		if n.Usable {
			return 1
		}
		return 0
	})
	each("balancer_backend_requests_total", "counter", "Requests sent.", func(n nodeReport) float64 { return float64(n.Requests) })
	each("balancer_backend_failed_total", "counter", "Requests that failed or were rejected.", func(n nodeReport) float64 { return float64(n.Failed) })
	each("balancer_backend_in_flight", "gauge", "Requests in flight.", func(n nodeReport) float64 { return float64(n.InFlight) })
	metric{"balancer_backend_latency_seconds", "histogram", "Latencies of requests that were answered; in tcp mode, of connecting."}.head(w)
	for _, n := range r.NodeStatus {
		n.writeLatencies(w)
	}
}

// writeLatencies writes a bucket for each doubling from 256 us to 17 s.
func (n nodeReport) writeLatencies(w io.Writer) {
	id, seen, b := label(n.ID), uint64(0), 0
	count := func(to int) uint64 {
		for ; b < to; b++ {
			seen += uint64(n.total[b])
		}
		return seen
	}
	for d := 256 * time.Microsecond; d < 20*time.Second; d *= 2 {
		fmt.Fprintf(w, "balancer_backend_latency_seconds_bucket{backend=%s,le=\"%g\"} %d\n", id, d.Seconds(), count(bucket(d)))
	}
	all := count(buckets)
	fmt.Fprintf(w, "balancer_backend_latency_seconds_bucket{backend=%s,le=\"+Inf\"} %d\n", id, all)
	fmt.Fprintf(w, "balancer_backend_latency_seconds_sum{backend=%s} %g\nbalancer_backend_latency_seconds_count{backend=%[1]s} %[3]d\n", id, n.sum, all)
}

// label quotes the value of a label.
func label(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(s) + `"`
}
