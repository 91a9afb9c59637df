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
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the command.
func TestMain(m *testing.M) {
	if os.Getenv("BALANCER_TEST_AS_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// balancer is a running command.
type balancer struct {
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
	cmd.Env = append(os.Environ(), "BALANCER_TEST_AS_COMMAND=1")
	return cmd
}

// start runs the command until the end of the test, and waits until it listens.
func start(t *testing.T, args ...string) *balancer {
	t.Helper()
	b := &balancer{t: t, stderr: new(bytes.Buffer)}
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
func (b *balancer) end(code int) {
	b.t.Helper()
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	_ = b.cmd.Wait() // the exit code tells
	if got := b.cmd.ProcessState.ExitCode(); got != code {
		b.t.Errorf("exit %d, want %d:\n%s", got, code, b.stderr)
	}
}

// status is /status.json.
func (b *balancer) status() (r report) {
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

func (b *balancer) wait(what string, ok func(report) bool) {
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
		{"-backend", "a:1", "-proxy-protocol", "in", "-mode", "tcp"}, {"-backend", "a:1", "-proxy-protocol", "out"},
		{"-backend", "a:1", "-tls-cert", "c.pem"}, {"-backend", "a:1", "-client-ca", "c.pem"}, {"-backend", "a:1", "-tier", "x=1"},
		{"-backend", "a:1", "-queue", "5"}, {"-backend", "a:1", "-interval", "0"}, {"-backend", "a:1", "-admin", "0.0.0.0:0"},
		{"-backend-file", "/does/not/exist"}, {"-backend", "a:1", "-nonsense"},
	} {
		cmd := command(t, args...)
		out, _ := cmd.CombinedOutput() // the exit code tells
		if code := cmd.ProcessState.ExitCode(); code != 2 || bytes.Count(out, []byte("\n")) != 1 {
			t.Errorf("%q: exit %d: %s", args, code, out)
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
	if m := get(t, http.DefaultClient, b.admin+"/metrics"); !strings.Contains(m, `balancer_backend_usable{backend="`+a+`"} 1`) {
		t.Errorf("metrics:\n%s", m)
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
