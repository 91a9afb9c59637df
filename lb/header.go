package lb

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ReportHeader is the header of a reply that carries a report.
const ReportHeader = "Lb-Report"

// maxReportText bounds what ParseReport reads.
const maxReportText = 256

var errReport = errors.New("lb: not a report")

// String writes the report as ParseReport reads it: the value of Lb-Report,
// times in microseconds.
func (r Report) String() string {
	b := make([]byte, 0, 64)
	b = append(b, "rif="...)
	b = strconv.AppendUint(b, uint64(r.RIF), 10)
	b = append(b, ";cores="...)
	b = strconv.AppendFloat(b, float64(r.Cores), 'g', -1, 32)
	if r.Slowness > 0 {
		b = append(b, ";slow="...)
		b = strconv.AppendInt(b, r.Slowness.Microseconds(), 10)
	}
	if r.Latency > 0 {
		b = append(b, ";lat="...)
		b = strconv.AppendInt(b, r.Latency.Microseconds(), 10)
	}
	if r.Draining {
		b = append(b, ";drain"...)
	}
	return string(b)
}

// ParseReport reads the value of an Lb-Report header. Names that it does not
// know are passed over. What it returns without error is plausible: numbers
// are in range.
func ParseReport(s string) (Report, error) {
	var r Report
	if len(s) > maxReportText {
		return r, errReport
	}
	for part := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(strings.Trim(part, " \t"), "=")
		var err error
		switch name {
		case "rif":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 24)
			r.RIF = uint32(n)
		case "cores":
			var x float64
			x, err = strconv.ParseFloat(value, 32)
			r.Cores = float32(x)
		case "slow":
			r.Slowness, err = parseMicros(value)
		case "lat":
			r.Latency, err = parseMicros(value)
		case "drain":
			r.Draining = true
		}
		if err != nil {
			return Report{}, fmt.Errorf("%w: %s", errReport, name)
		}
	}
	if !r.plausible() {
		return Report{}, errReport
	}
	return r, nil
}

func parseMicros(s string) (time.Duration, error) {
	n, err := strconv.ParseUint(s, 10, 37) // below 38 hours
	return time.Duration(n) * time.Microsecond, err
}

// ParseORCA reads the text form of an endpoint-load-metrics header, as gRPC and
// Envoy define it ("TEXT cpu_utilization=0.3, named_metrics.rif=7"), as far as
// it says what a Report does: the named metrics rif, cores and slow (seconds).
// Without rif or cores it is an error: utilization alone is stale before it
// arrives.
func ParseORCA(s string) (Report, error) {
	var r Report
	rest, ok := strings.CutPrefix(s, "TEXT")
	if !ok || len(s) > 4*maxReportText {
		return r, errReport
	}
	found := 0
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " \t"), "=")
		x, err := strconv.ParseFloat(value, 64)
		if err != nil || !(x >= 0) || x > math.MaxUint32 {
			continue // a metric that is none of ours
		}
		switch name {
		case "named_metrics.rif":
			r.RIF = uint32(x)
			found |= 1
		case "named_metrics.cores":
			r.Cores = float32(x)
			found |= 2
		case "named_metrics.slow":
			r.Slowness = time.Duration(min(x, 1e6) * float64(time.Second))
		}
	}
	if found != 3 || !r.plausible() {
		return Report{}, errReport
	}
	return r, nil
}
