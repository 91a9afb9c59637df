package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// TestMain lets the test binary be the command.
func TestMain(m *testing.M) {
	if os.Getenv("BALANCER_TEST_AS_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// running is the command as a process.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	addr   string // of clients
	admin  string
	stderr *bytes.Buffer
}

func command(t *testing.T, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), self, args...)
	// The race detector would have it sleep a second at its end.
	cmd.Env = append(os.Environ(), "BALANCER_TEST_AS_COMMAND=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
}

// start runs the command until the end of the test, and waits until it listens.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	b := &running{t: t, stderr: new(bytes.Buffer)}
	b.cmd = command(t, append([]string{"-listen", "127.0.0.1:0", "-admin", "127.0.0.1:0", "-interval", "50ms"}, args...)...)
	b.cmd.Stderr = b.stderr
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.cmd.ProcessState == nil {
			b.end(0)
		}
	})
	lines := bufio.NewScanner(out)
	for b.addr == "" && lines.Scan() {
		addr, ok := strings.CutPrefix(lines.Text(), "listening on ")
		if a, isAdmin := strings.CutSuffix(addr, " (status)"); ok && isAdmin {
			b.admin = "http://" + a
		} else if ok {
			b.addr = addr
		}
	}
	if b.addr == "" {
		_ = b.cmd.Wait()
		t.Fatalf("it does not listen: %s", b.stderr)
	}
	return b
}

// end interrupts it and wants that exit code.
func (b *running) end(code int) {
	b.t.Helper()
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	_ = b.cmd.Wait() // the exit code tells
	if got := b.cmd.ProcessState.ExitCode(); got != code {
		b.t.Errorf("exit %d, want %d:\n%s", got, code, b.stderr)
	}
}

// status is /status.json.
func (b *running) status() (r report) {
	b.t.Helper()
	resp, err := http.Get(b.admin + "/status.json")
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *running) wait(what string, ok func(report) bool) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(b.status()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s: %+v", what, b.status())
		}
	}
}

// site is a backend that says its name, and the tests' errors.
func site(t *testing.T, name string) (addr string, sick *atomic.Bool) {
	sick = new(atomic.Bool)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sick.Load() {
			fmt.Fprintln(w, "sorry") // with status 200
			return
		}
		fmt.Fprintf(w, "%s %s %s", name, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Client-Cert-Subject"))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), sick
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func usable(n int64) func(report) bool { return func(r report) bool { return r.Usable == n } }

func TestWrongUsageExits2WithOneLine(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-backend", "nowhere"}, {"-backend", "a:1,weight=-1"}, {"-backend", "a:1,color=red"}, {"-backend", "a:1", "rest"},
		{"-backend", "a:1", "-policy", "best"}, {"-backend", "a:1", "-mode", "udp"}, {"-backend", "a:1", "-check", "x"}, {"-backend", "a:1", "-check", "/~("},
		{"-backend", "a:1", "-proxy-protocol", "in", "-mode", "tcp"}, {"-backend", "a:1", "-proxy-protocol", "out"}, {"-backend", "a:1", "-proxy-protocol", "in"},
		{"-backend", "a:1", "-proxy-protocol", "both", "-trust", "127.0.0.0/8"}, {"-backend", "a:1", "-mode", "dns", "-proxy-protocol", "in", "-trust", "127.0.0.0/8"},
		{"-backend", "a:1", "-tls-cert", "c.pem"}, {"-backend", "a:1", "-client-ca", "c.pem"}, {"-backend", "a:1", "-tier", "x=1"},
		{"-backend", "a:1", "-queue", "5"}, {"-backend", "a:1", "-interval", "0"}, {"-backend", "a:1", "-admin", "0.0.0.0:0"},
		{"-backend-file", "/does/not/exist"}, {"-backend-file", os.DevNull}, {"-backend", "a:1", "-nonsense"}, {"-backend", "a:1", "-backend", "a:1"}, {"-backend", "a:70000"},
		{"-backend", "a:1", "-tls-cert", "/does/not/exist", "-tls-key", "/does/not/exist"}, {"-backend", "a:1", "-policy", "prequal"},
		{"-backend", "a:1", "-probe", "load"}, {"-backend", "a:1", "-admin-token-file", "/does/not/exist"},
		{"-backend", "a:1", "-admin", "127.0.0.1:0", "-admin-token-file", "/does/not/exist"}, {"-backend", "a:1", "-mode", "tcp", "-trust", "10.0.0.0/8"},
	} {
		var out, complaint bytes.Buffer
		if code := run(args, &out, &complaint); code != 2 || bytes.Count(complaint.Bytes(), []byte("\n")) != 1 || out.Len() > 0 {
			t.Errorf("%q: exit %d: %s%s", args, code, &out, &complaint)
		}
	}
}

func TestAPortInUseExits1(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := command(t, "-listen", l.Addr().String(), "-backend", "127.0.0.1:1")
	out, _ := cmd.CombinedOutput() // the exit code tells
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(out), "address already in use") {
		t.Errorf("exit %d: %s", code, out)
	}
}

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

func TestTCPMode(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	b := start(t, "-mode", "tcp", "-backend", l.Addr().String())
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "there and back")
	c.(*net.TCPConn).CloseWrite()
	if back, err := io.ReadAll(c); err != nil || string(back) != "there and back" {
		t.Errorf("%q, %v", back, err)
	}
}

// In dns mode a query over UDP is passed on, and one over TCP on the same port.
func TestDNSMode(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	udp, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	query := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04site\x04test\x00\x00\x01\x00\x01")
	answered := func(q []byte) []byte {
		a := bytes.Clone(q)
		a[2] |= 0x80 // an answer, to the same question
		return a
	}
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			udp.WriteTo(answered(buf[:n]), from)
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 512)
				if n, err := io.ReadAtLeast(c, buf, 2+len(query)); err == nil {
					c.Write(append(buf[:2:2], answered(buf[2:n])...))
				}
			}()
		}
	}()
	b := start(t, "-mode", "dns", "-backend", l.Addr().String())
	for _, network := range []string{"udp", "tcp"} {
		c, err := net.Dial(network, b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sent, want := query, answered(query)
		if network == "tcp" {
			length := []byte{0, byte(len(query))}
			sent, want = append(length, query...), append(length, want...)
		}
		c.Write(sent)
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v", network, got, err)
		}
	}
}

// Behind a proxy that writes PROXY headers, backends learn the client's address
// and not the proxy's, with and without TLS; without a header there is nothing.
func TestHTTPBehindAProxy(t *testing.T) {
	a, _ := site(t, "a")
	dir := t.TempDir()
	ca := newCert(t, dir, "ca", nil, "")
	newCert(t, dir, "server", ca, "")
	roots := x509.NewCertPool()
	roots.AddCert(ca.leaf)
	secure := []string{"-tls-cert", filepath.Join(dir, "server.pem"), "-tls-key", filepath.Join(dir, "server.key")}
	for scheme, more := range map[string][]string{"http": nil, "https": secure} {
		b := start(t, append([]string{"-backend", a, "-proxy-protocol", "in", "-trust", "127.0.0.0/8"}, more...)...)
		for header, want := range map[string]string{"PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\n": "a 192.0.2.7 ", "": ""} {
			c := &http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: roots},
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

func TestTheStatusPageAsksForItsToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := start(t, "-backend", "127.0.0.1:1", "-admin-token-file", file)
	for _, auth := range []struct {
		set  func(*http.Request)
		code int
	}{
		{func(*http.Request) {}, 401},
		{func(r *http.Request) { r.SetBasicAuth("x", "wrong") }, 401},
		{func(r *http.Request) { r.SetBasicAuth("x", "secret") }, 200},
		{func(r *http.Request) { r.Header.Set("Authorization", "Bearer secret") }, 200},
	} {
		req, _ := http.NewRequest("GET", b.admin+"/status.json", nil)
		auth.set(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != auth.code {
			t.Errorf("status %d, want %d", resp.StatusCode, auth.code)
		}
	}
}

// A page of somebody else's can neither press the buttons nor read the page,
// under a name that was made to mean this machine either.
func TestOtherSitesGetNothing(t *testing.T) {
	a, _ := site(t, "a")
	b := start(t, "-backend", a)
	for _, c := range []struct {
		method, path, host, origin string
		code                       int
		usable                     int64
	}{
		{"POST", "/drain?node=" + a, "", "http://evil.example", 403, 1},
		{"GET", "/status", "evil.example:80", "", 421, 1},
		{"GET", "/status", "evil.example", "", 421, 1},
		{"GET", "/status", "localhost", "", 200, 1},
		{"GET", "/status", "[::1]:80", "", 200, 1},
		{"GET", "/drain?node=" + a, "", "", 405, 1},
		{"POST", "/drain?node=" + a + "&back=1", "", b.admin, 303, 0},
	} {
		req, _ := http.NewRequest(c.method, b.admin+c.path, nil)
		req.Host = c.host
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := b.status().Usable; resp.StatusCode != c.code || got != c.usable {
			t.Errorf("%+v: %d, %d usable", c, resp.StatusCode, got)
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

// The first signal lets a request in progress end, and the status page with it;
// the second ends everything at once.
func TestTheFirstSignalWaitsTheSecondDoesNot(t *testing.T) {
	for _, signals := range []int{1, 2} {
		came, goOn := make(chan bool, 1), make(chan bool)
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			came <- true
			select {
			case <-goOn:
			case <-r.Context().Done():
			}
			io.WriteString(w, "slow")
		}))
		defer slow.Close()
		b := start(t, "-backend", slow.Listener.Addr().String())
		answer := make(chan string, 1)
		go func() {
			resp, err := http.Get("http://" + b.addr)
			if err != nil {
				answer <- "none"
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			answer <- string(body)
		}()
		<-came
		_ = b.cmd.Process.Signal(os.Interrupt)
		for {
			c, err := net.Dial("tcp", b.addr)
			if err != nil {
				break // it takes no more clients
			}
			c.Close()
			time.Sleep(5 * time.Millisecond)
		}
		want, code := "slow", 0
		if signals == 2 {
			want, code = "none", -1 // by the signal
		} else {
			if n := b.status().InFlight; n != 1 {
				t.Errorf("in flight while it ends: %d", n)
			}
			close(goOn)
		}
		got := ""
		for got == "" {
			if signals == 2 { // again: it may still be at work on the first
				_ = b.cmd.Process.Signal(os.Interrupt)
			}
			select {
			case got = <-answer:
			case <-time.After(20 * time.Millisecond):
			}
		}
		if got != want {
			t.Errorf("%d signals: answer %q, want %q", signals, got, want)
		}
		_ = b.cmd.Wait() // the exit code tells
		if got := b.cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("%d signals: exit %d, want %d:\n%s", signals, got, code, b.stderr)
		}
	}
}

// A client's certificate decides which backends serve it, and an identity that
// the client claims itself is dropped.
func TestClientCertificatesChooseTheTier(t *testing.T) {
	dir := t.TempDir()
	ca := newCert(t, dir, "ca", nil, "")
	newCert(t, dir, "server", ca, "")
	newCert(t, dir, "client", ca, "premium")
	path := func(name string) string { return filepath.Join(dir, name) }
	all, _ := site(t, "all")
	best, _ := site(t, "best")
	b := start(t, "-tls-cert", path("server.pem"), "-tls-key", path("server.key"), "-client-ca", path("ca.pem"), "-tier", "premium=2",
		"-backend", all+",tier=0", "-backend", best+",tier=2")
	roots := x509.NewCertPool()
	roots.AddCert(ca.leaf)
	pair, err := tls.LoadX509KeyPair(path("client.pem"), path("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, certs := range [][]tls.Certificate{nil, {pair}} {
		c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs}}}
		req, _ := http.NewRequest("GET", "https://"+b.addr+"/", nil)
		req.Header.Set("X-Client-Cert-Subject", "CN=somebody else")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		c.CloseIdleConnections()
		want := "all 127.0.0.1 "
		if certs != nil {
			want = "best 127.0.0.1 CN=client,OU=premium"
		}
		if string(body) != want || resp.ProtoMajor != 2 {
			t.Errorf("HTTP/%d: %q, want %q", resp.ProtoMajor, body, want)
		}
	}
}

type authority struct {
	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newCert writes NAME.pem and NAME.key.
func newCert(t *testing.T, dir, name string, by *authority, unit string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true, IsCA: by == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if unit != "" {
		c.Subject.OrganizationalUnit = []string{unit}
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.leaf, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{leaf, key}
}
