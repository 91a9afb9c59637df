package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
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
