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
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

const patience = testnet.Patience

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
	addr := testnet.Serve(t, func(conn *net.TCPConn) { script(conn, bufio.NewReader(conn)) })
	return lb.Node{ID: addr, Addr: addr}
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
	l := testnet.Listen(t)
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
	conn := testnet.Dial(t, addr)
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

// quiet swallows what net/http says about broken connections.
var quiet = log.New(io.Discard, "", 0)
