package main

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

//go:embed status.html
var statusPage []byte

// admin is the status page and what belongs to it.
type admin struct {
	pool  *lb.Pool
	began time.Time
	token string // "" asks for none
}

func newAdmin(o options, pool *lb.Pool) (http.Handler, error) {
	a := &admin{pool: pool, began: time.Now()}
	if o.adminTokenFile != "" {
		text, err := os.ReadFile(o.adminTokenFile)
		if err != nil {
			return nil, fmt.Errorf("-admin-token-file: %w", err)
		}
		if a.token = strings.TrimSpace(string(text)); a.token == "" {
			return nil, errors.New("-admin-token-file: the file is empty")
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/status", http.StatusFound) })
	mux.HandleFunc("GET /status", a.page)
	mux.HandleFunc("GET /status.json", a.status)
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("POST /drain", a.drain)
	// A page of somebody else's must not press our buttons.
	return a.guard(http.NewCrossOriginProtection().Handler(mux)), nil
}

// guard asks for the token.
func (a *admin) guard(h http.Handler) http.Handler {
	if a.token == "" {
		return h
	}
	want := sha256.Sum256([]byte(a.token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, given, ok := r.BasicAuth()
		if !ok {
			given = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="balancer"`)
			http.Error(w, "the token is wrong or missing", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (a *admin) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'")
	w.Write(statusPage)
}

// report is /status.json.
type report struct {
	Uptime     float64      `json:"uptime_seconds"`
	Requests   int64        `json:"requests"`
	Failed     int64        `json:"failed"`
	InFlight   int64        `json:"in_flight"`
	Waiting    int64        `json:"waiting"`
	Ejections  int64        `json:"ejections"`
	Panics     int64        `json:"panics"`
	Members    int64        `json:"backends"`
	Usable     int64        `json:"usable"`
	NodeStatus []nodeReport `json:"nodes"`
}

type nodeReport struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Usable   bool     `json:"usable"`
	Tier     string   `json:"tier,omitempty"`
	Weight   float64  `json:"weight"`
	Requests int64    `json:"requests"`
	Failed   int64    `json:"failed"`
	FailRate float64  `json:"fail_rate"`
	InFlight int64    `json:"in_flight"`
	Busy     float64  `json:"latency_seconds_sum"` // of all requests that have ended
	RIF      *float64 `json:"reported_in_flight,omitempty"`
}

func (a *admin) report() report {
	s := a.pool.Stats()
	r := report{
		Uptime: time.Since(a.began).Seconds(), Requests: s.Acquired, Failed: s.Failed, InFlight: s.InFlight, Waiting: s.Waiting,
		Ejections: s.Ejections, Panics: s.Panics, Members: s.Members, Usable: s.Usable, NodeStatus: []nodeReport{},
	}
	for _, n := range a.pool.Nodes() {
		one := nodeReport{
			ID: n.Node.ID, State: n.State, Usable: n.Usable, Tier: n.Node.Attr["tier"], Weight: max(n.Node.Weight, 0),
			Requests: n.Acquired, Failed: n.Failed, FailRate: n.FailRate, InFlight: n.InFlight, Busy: n.Busy.Seconds(),
		}
		if one.Weight == 0 {
			one.Weight = 1
		}
		if n.Report != nil {
			rif := float64(n.Report.RIF)
			one.RIF = &rif
		}
		r.NodeStatus = append(r.NodeStatus, one)
	}
	return r
}

func (a *admin) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(a.report()) // the client may have gone
}

// metrics writes the text format of Prometheus.
func (a *admin) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	r := a.report()
	for _, m := range []struct {
		name, kind, help string
		value            int64
	}{
		{"balancer_waiting", "gauge", "Requests that wait for a backend.", r.Waiting},
		{"balancer_ejections_total", "counter", "Times that a backend was taken out for failing.", r.Ejections},
		{"balancer_panics_total", "counter", "Times that too few backends were healthy.", r.Panics},
	} {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[3]s\n%[1]s %[4]d\n", m.name, m.help, m.kind, m.value)
	}
	for _, m := range []struct {
		name, kind, help string
		value            func(nodeReport) float64
	}{
		{"balancer_backend_usable", "gauge", "Whether new requests may go there.", func(n nodeReport) float64 {
			if n.Usable {
				return 1
			}
			return 0
		}},
		{"balancer_backend_requests_total", "counter", "Requests sent.", func(n nodeReport) float64 { return float64(n.Requests) }},
		{"balancer_backend_failed_total", "counter", "Requests that failed or were rejected.", func(n nodeReport) float64 { return float64(n.Failed) }},
		{"balancer_backend_in_flight", "gauge", "Requests in flight.", func(n nodeReport) float64 { return float64(n.InFlight) }},
		{"balancer_backend_latency_seconds_sum", "counter", "Latencies of all requests that have ended.", func(n nodeReport) float64 { return n.Busy }},
	} {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", m.name, m.help, m.kind)
		for _, n := range r.NodeStatus {
			fmt.Fprintf(w, "%s{backend=%q} %g\n", m.name, n.ID, m.value(n))
		}
	}
}

// drain keeps new requests from a node, or with off=1 lets them in again.
func (a *admin) drain(w http.ResponseWriter, r *http.Request) {
	node, off := r.FormValue("node"), r.FormValue("off") == "1"
	if err := a.pool.SetDraining(node, !off); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
