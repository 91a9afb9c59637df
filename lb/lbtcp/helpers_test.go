package lbtcp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// patience bounds waits for what must happen; it decides nothing else.
const patience = 20 * time.Second

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// server runs a script on each connection.
func server(t testing.TB, script func(conn *net.TCPConn)) lb.Node {
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
				script(conn.(*net.TCPConn))
			}()
		}
	}()
	return lb.Node{ID: l.Addr().String(), Addr: l.Addr().String()}
}

// gone is a node on whose port nobody listens.
func gone(t testing.TB) lb.Node {
	l := listen(t)
	l.Close()
	return lb.Node{ID: l.Addr().String(), Addr: l.Addr().String()}
}

func pool(t testing.TB, policy lb.Policy, nodes ...lb.Node) *lb.Pool {
	t.Helper()
	p, err := lb.New(lb.Config{Nodes: nodes, Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serve runs a Proxy until the test ends.
func serve(t testing.TB, cfg lbtcp.Config) (addr string, p *lbtcp.Proxy, stop func()) {
	t.Helper()
	p, err := lbtcp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, l) }()
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
		case <-time.After(3 * patience):
			t.Error("Run does not return")
		}
		if cfg.Pool != nil {
			for _, n := range cfg.Pool.Nodes() {
				if n.InFlight != 0 {
					t.Errorf("node %s: %d leases were not given back", n.Node.ID, n.InFlight)
				}
			}
		}
	}
	t.Cleanup(stop)
	return l.Addr().String(), p, stop
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}
