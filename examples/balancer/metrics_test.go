package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	metricLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$`)
)

// parseMetrics reads the text format of Prometheus, as strictly as its
// definition allows, and returns the samples by name and labels.
func parseMetrics(text string) (map[string]float64, error) {
	samples := make(map[string]float64)
	kinds := make(map[string]string)
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("no end of line at the end")
	}
	family, helped := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if comment, ok := strings.CutPrefix(line, "# "); ok {
			word, rest, _ := strings.Cut(comment, " ")
			name, value, _ := strings.Cut(rest, " ")
			switch {
			case !metricName.MatchString(name) || value == "":
				return nil, fmt.Errorf("%q", line)
			case word == "HELP":
				helped = name
			case word == "TYPE":
				if kinds[name] != "" || helped != name || value != "counter" && value != "gauge" && value != "histogram" {
					return nil, fmt.Errorf("%q comes twice, without help or is unknown", line)
				}
				family, kinds[name] = name, value
			}
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%q is no sample", line)
		}
		base := m[1]
		if kinds[family] == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
		}
		value, err := strconv.ParseFloat(m[3], 64)
		key := m[1] + "{" + m[2] + "}"
		if _, twice := samples[key]; base != family || err != nil || math.IsNaN(value) || twice {
			return nil, fmt.Errorf("%q is not of the family %s, no number, or comes twice", line, family)
		}
		samples[key] = value
	}
	return samples, nil
}

func TestMetricsAreWhatPrometheusReads(t *testing.T) {
	w := watched(t, lb.Config{Nodes: nodes("127.0.0.1:1", `quo"te\`), Policy: lb.RoundRobin{}})
	for _, ms := range []int{1, 1, 3, 3, 70, 70} {
		l, err := w.pool.Acquire(t.Context(), lb.Request{})
		if err != nil {
			t.Fatal(err)
		}
		l.Done(lb.Outcome{Latency: time.Duration(ms) * time.Millisecond})
	}
	var b strings.Builder
	r := w.report()
	r.Front = &frontStats{Clients: 7, Retries: 2}
	writeMetrics(&b, r)
	got, err := parseMetrics(b.String())
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]float64{
		`balancer_clients{}`: 7, `balancer_retries_total{}`: 2,
		`balancer_backend_requests_total{backend="127.0.0.1:1"}`:                        3,
		`balancer_backend_usable{backend="quo\"te\\"}`:                                  1,
		`balancer_backend_latency_seconds_count{backend="127.0.0.1:1"}`:                 3,
		`balancer_backend_latency_seconds_sum{backend="127.0.0.1:1"}`:                   0.074,
		`balancer_backend_latency_seconds_bucket{backend="127.0.0.1:1",le="0.000512"}`:  0,
		`balancer_backend_latency_seconds_bucket{backend="127.0.0.1:1",le="0.004096"}`:  2,
		`balancer_backend_latency_seconds_bucket{backend="127.0.0.1:1",le="0.131072"}`:  3,
		`balancer_backend_latency_seconds_bucket{backend="127.0.0.1:1",le="+Inf"}`:      3,
		`balancer_backend_latency_seconds_bucket{backend="127.0.0.1:1",le="16.777216"}`: 3,
	} {
		if v, ok := got[key]; !ok || math.Abs(v-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", key, v, want)
		}
	}
	for _, bad := range []string{"x 1", "# TYPE x gauge\nx 1\n", "# HELP x y\n# TYPE x gauge\nx{a=\"b} 1\n", "# HELP x y\n# TYPE x gauge\nx 1\nx 1\n"} {
		if _, err := parseMetrics(bad); err == nil {
			t.Errorf("the parser takes %q", bad)
		}
	}
}
