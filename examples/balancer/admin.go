package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
)

// admin is the status page and what belongs to it.
type admin struct {
	watch        *watch
	front        *front
	mode, policy string
	token        string // "" asks for none
	loopback     bool   // only for this machine
}

func newAdmin(o options, w *watch, f *front) (http.Handler, error) {
	a := &admin{watch: w, front: f, mode: o.mode, policy: o.policyName, loopback: loopback(o.admin)}
	if o.adminTokenFile != "" {
		text, err := os.ReadFile(o.adminTokenFile)
		if err != nil {
			return nil, fmt.Errorf("-admin-token-file: %w", err)
		}
		if a.token = strings.TrimSpace(string(text)); a.token == "" {
			return nil, fmt.Errorf("-admin-token-file: %s is empty", o.adminTokenFile)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/status", http.StatusFound) })
	mux.HandleFunc("GET /status", a.page)
	mux.HandleFunc("GET /status/live", a.live)
	mux.HandleFunc("GET /status.json", a.status)
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("POST /drain", a.drain)
	// A page of somebody else's must not press our buttons.
	return a.guard(http.NewCrossOriginProtection().Handler(mux)), nil
}

// guard asks for the token. Without one the page is for this machine, and must
// be asked for by its own name: a site whose name was made to mean 127.0.0.1
// would be the same origin to a browser (DNS rebinding).
func (a *admin) guard(h http.Handler) http.Handler {
	want := sha256.Sum256([]byte(a.token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if a.token == "" {
			if a.loopback && !loopback(withPort(r.Host)) {
				http.Error(w, "ask for this page by the address 127.0.0.1 or as localhost", http.StatusMisdirectedRequest)
				return
			}
			h.ServeHTTP(w, r)
			return
		}
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

// withPort gives a host without one the port 80.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err != nil {
		return net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	return host
}

func (a *admin) report() report {
	r := a.watch.report()
	s := a.front.stats()
	r.Mode, r.Policy, r.Front = a.mode, a.policy, &s
	return r
}

func (a *admin) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(a.report()) // the client may have gone
}

func (a *admin) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	writeMetrics(w, a.report())
}

// drain keeps new requests from a node, or with off=1 lets them in again. With
// back=1, as the page's buttons say, the answer is the page.
func (a *admin) drain(w http.ResponseWriter, r *http.Request) {
	node, off := r.FormValue("node"), r.FormValue("off") == "1"
	if !a.watch.drain(node, !off) {
		http.Error(w, fmt.Sprintf("there is no backend %q", node), http.StatusNotFound)
		return
	}
	if r.FormValue("back") == "1" {
		http.Redirect(w, r, "/status", http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
