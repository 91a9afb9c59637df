package lbhttp_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// soaking reports whether tests may take minutes.
func soaking() bool { return os.Getenv("ASHLAR_SOAK") != "" }

// descriptors counts those that the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc")
	}
	return len(entries)
}

// Upgrades that fail in every way they can cost no descriptor and no lease, in
// the native server and in the handler (hard test 9: ten thousand of them when
// soaking).
func TestFailedUpgradesLeaveNothingBehind(t *testing.T) {
	rounds := 30
	if soaking() {
		rounds = 10_000 / 5
	}
	for name, native := range map[string]bool{"Server": true, "Proxy": false} {
		before := descriptors(t)
		t.Run(name, func(t *testing.T) {
			p := pool(t, nil, scripted(t, unwilling))
			var addr string
			if native {
				addr, _, _ = serve(t, lbhttp.ServerConfig{Pool: p, Budget: &lb.Budget{Share: -1, Floor: -1}})
			} else {
				addr = handle(t, lbhttp.TransportConfig{Pool: p, Budget: &lb.Budget{Share: -1, Floor: -1}}, lbhttp.ProxyConfig{}, nil).Listener.Addr().String()
			}
			for range rounds {
				for path, status := range map[string]int{"/refused": 403, "/late": 200, "/gone": 502, "/other": 502, "/left": 0} {
					conn, r := dial(t, addr)
					upgrade := "Connection: Upgrade\r\nUpgrade: websocket\r\n"
					if path == "/other" { // which nobody asked for
						upgrade = ""
					}
					say(t, conn, "GET %s HTTP/1.1\r\nHost: e\r\n%s\r\nearly", path, upgrade)
					if status != 0 {
						if resp, _ := response(t, r, "GET"); resp.StatusCode != status {
							t.Fatalf("%s: %d, want %d", path, resp.StatusCode, status)
						}
					} else if head, err := readHead(r); err != nil || !strings.HasPrefix(head, "HTTP/1.1 101 ") {
						t.Fatalf("%s: %q %v", path, head, err)
					}
					conn.Close()
				}
			}
			testnet.Eventually(t, "all leases are given back", func() bool { return p.Nodes()[0].InFlight == 0 })
		})
		testnet.Eventually(t, "all descriptors are closed", func() bool { return descriptors(t) <= before })
	}
}

// unwilling is a backend that upgrades nothing for long.
func unwilling(conn net.Conn, r *bufio.Reader) {
	for {
		head, err := readHead(r)
		if err != nil {
			return
		}
		switch _, path, _ := strings.Cut(head, " "); path[:strings.IndexByte(path, ' ')] {
		case "/refused":
			io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		case "/late":
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nno upgrade")
			return
		case "/gone":
			return
		case "/other":
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			return
		case "/left": // it works, and then one side goes
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			return
		}
	}
}
