package lbhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// patience bounds waits for what must happen; it decides nothing else.
const patience = 20 * time.Second

// loopback is an address of this process alone, as far as the system has
// several: ports that a test gives up and wants again, or wants to be closed,
// are not taken meanwhile by whatever else runs on the machine.
var loopback = func() string {
	own := fmt.Sprintf("127.%d.%d.%d", 1+os.Getpid()>>16%254, os.Getpid()>>8&0xff, os.Getpid()&0xff)
	l, err := net.Listen("tcp", own+":0")
	if err != nil {
		return "127.0.0.1"
	}
	l.Close()
	return own
}()

// listen returns a listener on a free port.
func listen(t testing.TB) net.Listener {
	t.Helper()
	return listenOn(t, loopback+":0")
}

func listenOn(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// backend is an HTTP server whose answers name it.
func backend(t testing.TB, h http.HandlerFunc) lb.Node {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(s.Close)
	addr := s.Listener.Addr().String()
	return lb.Node{ID: addr, Addr: addr}
}

// scripted is a backend that runs a script on each connection.
func scripted(t testing.TB, script func(conn net.Conn, r *bufio.Reader)) lb.Node {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				script(conn, bufio.NewReader(conn))
			}()
		}
	}()
	return lb.Node{ID: l.Addr().String(), Addr: l.Addr().String()}
}

// readHead reads up to the empty line.
func readHead(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String(), err
		}
	}
}

func pool(t testing.TB, policy lb.Policy, nodes ...lb.Node) *lb.Pool {
	t.Helper()
	p, err := lb.New(lb.Config{Nodes: nodes, Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serve runs a Server until the test ends, and checks that every lease is given
// back by then.
func serve(t testing.TB, cfg lbhttp.ServerConfig) (addr string, s *lbhttp.Server, stop func()) {
	t.Helper()
	s, err := lbhttp.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run = %v", err)
			}
		case <-time.After(2 * patience):
			t.Error("Run does not return")
		}
		for _, n := range cfg.Pool.Nodes() {
			if n.InFlight != 0 {
				t.Errorf("node %s: %d leases were not given back", n.Node.ID, n.InFlight)
			}
		}
	}
	t.Cleanup(stop)
	return l.Addr().String(), s, stop
}

// dial connects to the proxy.
func dial(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn, bufio.NewReader(conn)
}

// response reads one response and its body.
func response(t testing.TB, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	return resp, string(body)
}

func say(t testing.TB, conn net.Conn, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, format, args...); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what must happen sometime.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

// quiet swallows what net/http says about broken connections.
var quiet = log.New(io.Discard, "", 0)
