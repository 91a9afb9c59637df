package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

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
