package lbhttp

import (
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// orcaField is how gRPC and Envoy know a load report.
const orcaField = "Endpoint-Load-Metrics"

// ReportHandler serves requests by h and tells the balancers with each reply
// how loaded this server is, as t counts it: in the field lb.ReportHeader, which
// Server and Transport read and keep from clients. It is for a node's own
// server, the outermost handler.
func ReportHandler(t *lb.Tracker, h http.Handler) http.Handler {
	epoch := time.Now()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Since(epoch)
		met := t.Begin(begin)
		// The report is made when the reply begins and without this request,
		// which will be over when it is read.
		rep := t.Report(begin)
		rep.RIF = uint32(met)
		w.Header().Set(lb.ReportHeader, rep.String())
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

// takeReport takes the reports out of a response: they are not for the client.
func takeReport(h http.Header) *lb.Report {
	ours, theirs := h[lb.ReportHeader], h[orcaField]
	switch {
	case len(ours) > 0:
		delete(h, lb.ReportHeader)
		delete(h, orcaField)
		return reportOf(lb.ParseReport(ours[0]))
	case len(theirs) > 0:
		delete(h, orcaField)
		return reportOf(lb.ParseORCA(theirs[0]))
	}
	return nil
}

// loadReport is takeReport for the native path, whose parser has dropped the
// fields. Ours says more, and wins.
func (r *response) loadReport() *lb.Report {
	switch {
	case r.report.next != 0:
		return reportOf(lb.ParseReport(string(r.value(&r.report))))
	case r.orca.next != 0:
		return reportOf(lb.ParseORCA(string(r.value(&r.orca))))
	}
	return nil
}

// reportOf passes over what is no report: it costs the node nothing.
func reportOf(r lb.Report, err error) *lb.Report {
	if err != nil {
		return nil
	}
	return &r
}
