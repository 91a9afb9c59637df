package lbtcp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// patience bounds waits for what must happen; it decides nothing else.
const patience = testnet.Patience

func listen(t testing.TB) net.Listener {
	t.Helper()
	return testnet.Listen(t)
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	return testnet.Dial(t, addr)
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	testnet.Eventually(t, what, cond)
}

// server is a node that runs a script on each connection.
func server(t testing.TB, script func(conn *net.TCPConn)) lb.Node {
	t.Helper()
	addr := testnet.Serve(t, script)
	return lb.Node{ID: addr, Addr: addr}
}

// gone is a node on whose port nobody listens.
func gone(t testing.TB) lb.Node {
	t.Helper()
	addr := testnet.Gone(t)
	return lb.Node{ID: addr, Addr: addr}
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

// runDNS serves d until stop, and returns a client of it.
func runDNS(t *testing.T, d *lbtcp.DNS) (client net.Conn, stop func()) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, conn) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(stop)
	client, err = net.Dial("udp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	client.SetDeadline(time.Now().Add(patience))
	return client, stop
}
