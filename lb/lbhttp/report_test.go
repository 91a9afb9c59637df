package lbhttp_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

func TestReportHandlerTellsTheBalancer(t *testing.T) {
	tracker := lb.NewTracker(4)
	h := lbhttp.ReportHandler(tracker, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	p := pool(t, nil, backend(t, h.ServeHTTP))
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: p})
	conn, r := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	response(t, r, "GET")
	testnet.Eventually(t, "the report arrives", func() bool { return p.Nodes()[0].Report != nil })
	if rep := p.Nodes()[0].Report; rep.Cores != 4 || rep.RIF != 0 {
		t.Errorf("%+v", rep)
	}
}

// Both ways in read both fields, and no client sees either.
func TestReportsAreForThePoolOnly(t *testing.T) {
	const ours, theirs = "rif=5;cores=2;slow=100", "TEXT named_metrics.rif=7, named_metrics.cores=3, cpu_utilization=0.5"
	for name, tt := range map[string]struct {
		report, orca string
		rif          uint32 // 0: the pool learns nothing
	}{
		"Lb-Report": {ours, "", 5}, "ORCA": {"", theirs, 7}, "both": {ours, theirs, 5},
		"nonsense": {"rif=-1", "", 0}, "ORCA in JSON": {"", "JSON {}", 0},
	} {
		node := backend(t, func(w http.ResponseWriter, r *http.Request) {
			for name := range r.Header {
				if name == "Lb-Report" || name == "Endpoint-Load-Metrics" {
					t.Errorf("the backend sees the client's %s", name)
				}
			}
			if tt.report != "" {
				w.Header().Set("Lb-Report", tt.report)
			}
			if tt.orca != "" {
				w.Header().Set("endpoint-load-metrics", tt.orca)
			}
			w.Header().Set("Endpoint-Load-Metrics-Bin", "AAAA")
		})
		native, handler := pool(t, nil, node), pool(t, nil, node)
		addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: native})
		s := handle(t, lbhttp.TransportConfig{Pool: handler}, lbhttp.ProxyConfig{}, nil)
		for addr, p := range map[string]*lb.Pool{addr: native, s.Listener.Addr().String(): handler} {
			conn, r := dial(t, addr)
			say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\nLb-Report: %s\r\nEndpoint-Load-Metrics: %s\r\n\r\n", ours, theirs)
			resp, _ := response(t, r, "GET")
			for _, f := range []string{"Lb-Report", "Endpoint-Load-Metrics", "Endpoint-Load-Metrics-Bin"} {
				if v := resp.Header.Get(f); v != "" {
					t.Errorf("%s: the client gets %s: %s", name, f, v)
				}
			}
			testnet.Eventually(t, "the lease is given back", func() bool { return p.Nodes()[0].InFlight == 0 })
			rep := p.Nodes()[0].Report
			if (rep != nil) != (tt.rif != 0) || rep != nil && rep.RIF != tt.rif {
				t.Errorf("%s: the pool learns %+v, want rif %d", name, rep, tt.rif)
			}
			if name == "Lb-Report" && rep != nil && rep.Slowness != 100*time.Microsecond {
				t.Errorf("slowness %v", rep.Slowness)
			}
		}
	}
}
