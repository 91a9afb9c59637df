package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// The check looks at the body: an error page with status 200 is no health. The
// operator drains, and takes back.
func TestHTTPChecksAndDrain(t *testing.T) {
	a, sick := site(t, "a")
	c, _ := site(t, "c")
	b := start(t, "-backend", a, "-backend", c, "-check", "/~^[ac]", "-policy", "round-robin")
	seen := map[string]bool{}
	for range 10 {
		seen[get(t, http.DefaultClient, "http://"+b.addr+"/")] = true
	}
	if !seen["a 127.0.0.1 "] || !seen["c 127.0.0.1 "] || len(seen) != 2 {
		t.Errorf("answers: %v", seen)
	}
	sick.Store(true)
	b.wait("a is down", usable(1))
	for range 5 {
		if got := get(t, http.DefaultClient, "http://"+b.addr+"/"); got != "c 127.0.0.1 " {
			t.Errorf("with a down: %q", got)
		}
	}
	sick.Store(false)
	b.wait("a is back", usable(2))
	for _, step := range []struct {
		query  string
		code   int
		usable int64
	}{{"node=" + c, 204, 1}, {"node=nobody", 404, 1}, {"node=" + c + "&off=1", 204, 2}} {
		resp, err := http.Post(b.admin+"/drain?"+step.query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != step.code || b.status().Usable != step.usable {
			t.Errorf("drain?%s: %d, %d usable", step.query, resp.StatusCode, b.status().Usable)
		}
	}
	if page := get(t, http.DefaultClient, b.admin+"/status"); !strings.Contains(page, "<title>balancer</title>") {
		t.Errorf("page: %.100s", page)
	}
	text := get(t, http.DefaultClient, b.admin+"/metrics")
	if m, err := parseMetrics(text); err != nil || m[`balancer_backend_usable{backend="`+a+`"}`] != 1 || m["balancer_clients{}"] != 1 {
		t.Errorf("metrics: %v\n%s", err, text)
	}
}

// The backends are read anew on SIGHUP, and a request in progress goes on. A
// file with a mistake changes nothing.
func TestReloadDropsNothing(t *testing.T) {
	a, _ := site(t, "a")
	c, _ := site(t, "c")
	came, goOn := make(chan bool), make(chan bool)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		came <- true
		<-goOn
		io.WriteString(w, "slow")
	}))
	defer slow.Close()
	file := filepath.Join(t.TempDir(), "backends")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(slow.Listener.Addr().String() + " # alone\n")
	b := start(t, "-backend-file", file)
	answer := make(chan string)
	go func() {
		resp, err := http.Get("http://" + b.addr + "/")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-came
	write(a + "\n\n" + c + ",weight=3\n")
	_ = b.cmd.Process.Signal(syscall.SIGHUP)
	b.wait("two backends", func(r report) bool { return r.Members == 2 })
	write("no backend\n")
	_ = b.cmd.Process.Signal(syscall.SIGHUP)
	goOn <- true
	if got := <-answer; got != "slow" {
		t.Errorf("the request in progress: %q", got)
	}
	if got := get(t, http.DefaultClient, "http://"+b.addr+"/"); got != "a 127.0.0.1 " && got != "c 127.0.0.1 " {
		t.Errorf("answer %q", got)
	}
	b.wait("still two", func(r report) bool { return r.Members == 2 })
	b.end(0)
	if !strings.Contains(b.stderr.String(), "the backends stay as they are") {
		t.Errorf("log:\n%s", b.stderr)
	}
}

// Behind a proxy that writes PROXY headers, backends learn the client's address
// and not the proxy's, with and without TLS; without a header there is nothing.
func TestHTTPBehindAProxy(t *testing.T) {
	a, _ := site(t, "a")
	dir := t.TempDir()
	ca := testnet.NewAuthority(t)
	testnet.WritePEM(t, dir, "ca", ca.Own)
	testnet.WritePEM(t, dir, "server", ca.Issue(t, "server"))
	secure := []string{"-tls-cert", filepath.Join(dir, "server.pem"), "-tls-key", filepath.Join(dir, "server.key")}
	for scheme, more := range map[string][]string{"http": nil, "https": secure} {
		b := start(t, append([]string{"-backend", a, "-proxy-protocol", "in", "-trust", "127.0.0.0/8"}, more...)...)
		for header, want := range map[string]string{"PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\n": "a 192.0.2.7 ", "": ""} {
			c := &http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: ca.Pool},
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					c, err := net.Dial("tcp", b.addr)
					if err == nil {
						_, err = io.WriteString(c, header)
					}
					return c, err
				},
			}}
			req, _ := http.NewRequest("GET", scheme+"://"+b.addr, nil)
			req.Header.Set("X-Forwarded-For", "198.51.100.1") // of nobody who is believed
			got := ""
			resp, err := c.Do(req)
			if err == nil {
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				got = string(body)
			}
			c.CloseIdleConnections()
			if got != want || (err != nil) != (want == "") {
				t.Errorf("%s, header %q: %q, %v", scheme, header, got, err)
			}
		}
		if n := b.status().Front.Refused; n == 0 {
			t.Error("nothing was counted as refused")
		}
	}
}

// Backends say how loaded they are when they are asked, also those that get no
// requests, and clients do not see it.
func TestProbesAskEveryBackend(t *testing.T) {
	var addrs []string
	for range 2 {
		tracker := lb.NewTracker(4)
		s := httptest.NewServer(lbhttp.ReportHandler(tracker, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })))
		t.Cleanup(s.Close)
		addrs = append(addrs, s.Listener.Addr().String())
	}
	b := start(t, "-backend", addrs[0], "-backend", addrs[1], "-probe", "/load")
	resp, err := http.Post(b.admin+"/drain?node="+addrs[0], "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	b.wait("both have reported", func(r report) bool {
		resp, err := http.Get("http://" + b.addr)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get(lb.ReportHeader); got != "" {
			t.Fatalf("the client is told %q", got)
		}
		return r.NodeStatus[0].RIF != nil && r.NodeStatus[1].RIF != nil
	})
}

// A backend that is killed in the middle of it all fails no request that can be
// sent again.
func TestADeadBackendFailsNoRequest(t *testing.T) {
	a, _ := site(t, "a")
	dying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "dying") }))
	b := start(t, "-backend", a, "-backend", dying.Listener.Addr().String(), "-policy", "round-robin", "-interval", "10s")
	const clients, each = 4, 100
	var halfway, all sync.WaitGroup
	halfway.Add(clients)
	var wrong atomic.Int64
	for range clients {
		all.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for i := range each {
				if i == each/2 {
					halfway.Done()
				}
				resp, err := c.Get("http://" + b.addr)
				if err != nil || resp.StatusCode != 200 {
					wrong.Add(1)
				}
				if err == nil {
					resp.Body.Close()
				}
			}
		})
	}
	halfway.Wait()
	dying.Listener.Close()
	dying.CloseClientConnections()
	all.Wait()
	dying.Close()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of %d requests failed", n, clients*each)
	}
	if r := b.status(); r.Front.Retries == 0 || r.Requests < clients*each {
		t.Errorf("nothing was sent again: %+v", r.Front)
	}
}
