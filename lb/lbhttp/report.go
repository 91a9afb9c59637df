package lbhttp

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// ReportField is the field by which a node's replies say how loaded it is:
// "rif=3, cores=4, slowness=1500, draining", where rif are the requests in
// flight, cores the requests served side by side at full speed, and slowness the
// microseconds of an average request while no more than that are in flight; see
// lb.Report. Order does not matter, and what is not known is left out.
const ReportField = "Lb-Report"

// AppendReport writes the value of a [ReportField].
func AppendReport(dst []byte, r lb.Report) []byte {
	dst = strconv.AppendUint(append(dst, "rif="...), uint64(r.RIF), 10)
	dst = strconv.AppendFloat(append(dst, ", cores="...), float64(r.Cores), 'g', 4, 32)
	dst = strconv.AppendInt(append(dst, ", slowness="...), r.Slowness.Microseconds(), 10)
	if r.Draining {
		dst = append(dst, ", draining"...)
	}
	return dst
}

// ParseReport reads the value of a [ReportField]. What it does not know it
// skips; it fails if something that it knows is nonsense, or if the number of
// requests in flight or of cores is missing.
func ParseReport(s string) (r lb.Report, ok bool) {
	if len(s) > 256 {
		return lb.Report{}, false
	}
	var rif, cores bool
	for item := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		var err error
		switch key {
		case "rif":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 24)
			r.RIF, rif = uint32(n), true
		case "cores":
			var f float64
			f, err = strconv.ParseFloat(value, 32)
			if !(f > 0 && f < 1<<20) {
				return lb.Report{}, false
			}
			r.Cores, cores = float32(f), true
		case "slowness":
			var n int64
			n, err = strconv.ParseInt(value, 10, 64)
			if n < 0 || n > int64(24*time.Hour/time.Microsecond) {
				return lb.Report{}, false
			}
			r.Slowness = time.Duration(n) * time.Microsecond
		case "draining":
			r.Draining = true
		}
		if err != nil {
			return lb.Report{}, false
		}
	}
	return r, rif && cores
}

// ReportHandler serves requests by h and tells the balancers with each reply
// how loaded this server is, as t counts it. It is for a node's own server, the
// outermost handler.
func ReportHandler(t *lb.Tracker, h http.Handler) http.Handler {
	epoch := time.Now()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Since(epoch)
		met := t.Begin(begin)
		// The report is made when the reply begins and without this request,
		// which will be over when it is read.
		rep := t.Report(begin)
		rep.RIF = uint32(met)
		w.Header().Set(ReportField, string(AppendReport(nil, rep)))
		served := false
		defer func() {
			if served {
				t.End(time.Since(epoch), begin, met)
			} else {
				t.Abort(time.Since(epoch))
			}
		}()
		h.ServeHTTP(w, r)
		served = r.Context().Err() == nil
	})
}

// takeReport takes the report out of a response: it is not for the client.
func takeReport(h http.Header) *lb.Report {
	v := h[ReportField]
	if len(v) == 0 {
		return nil
	}
	delete(h, ReportField)
	if r, ok := ParseReport(v[0]); ok {
		return &r
	}
	return nil
}

func (s *Server) report(res *response) *lb.Report {
	if res.report.next == 0 {
		return nil
	}
	if r, ok := ParseReport(string(res.value(&res.report))); ok {
		return &r
	}
	return nil
}
