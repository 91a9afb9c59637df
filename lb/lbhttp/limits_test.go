package lbhttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

func TestBodiesThatAreTooLongAre413(t *testing.T) {
	var reached atomic.Int64
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})
	p := pool(t, nil, node)
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: p, MaxBody: 1000})
	chunk := func(n int) string { return fmt.Sprintf("%x\r\n%s\r\n", n, strings.Repeat("x", n)) }
	for _, tt := range []struct {
		framing, body string
		status        int
	}{
		{"Content-Length: 1000", strings.Repeat("x", 1000), 200},
		{"Content-Length: 1001", "", 413},
		{"Transfer-Encoding: chunked", chunk(600) + chunk(400) + "0\r\n\r\n", 200},
		{"Transfer-Encoding: chunked", chunk(600) + chunk(401) + "0\r\n\r\n", 413},
		{"Transfer-Encoding: chunked", "fffffffffffffff\r\n", 413},
	} {
		conn, r := dial(t, addr)
		say(t, conn, "POST / HTTP/1.1\r\nHost: e\r\n%s\r\n\r\n%s", tt.framing, tt.body)
		if resp, body := response(t, r, "POST"); resp.StatusCode != tt.status || tt.status == 200 && body != "1000 <nil>" {
			t.Errorf("%s %.20q: %d %q", tt.framing, tt.body, resp.StatusCode, body)
		}
	}
	if n := reached.Load(); n != 2 {
		t.Errorf("%d requests reached the backend, want 2", n)
	}
	// What is too long only later is broken off, and never taken for a whole.
	conn, r := dial(t, addr)
	say(t, conn, "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n%s", chunk(600))
	testnet.Eventually(t, "the backend has some of it", func() bool { return reached.Load() == 3 })
	say(t, conn, "%s0\r\n\r\n", chunk(600))
	if resp, _ := response(t, r, "POST"); resp.StatusCode != 413 {
		t.Errorf("later: %d", resp.StatusCode)
	}
	if n := p.Nodes()[0].Failed; n != 0 {
		t.Errorf("the node is charged with %d failures", n)
	}
}

// A client that sends a body drop by drop, or stops, holds nothing for long.
func TestSlowBodiesAre408(t *testing.T) {
	for _, framing := range []string{"Content-Length: 1000", "Content-Length: 1000000", "Transfer-Encoding: chunked"} {
		node := backend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		p := pool(t, nil, node)
		addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: p, BodyTimeout: 50 * time.Millisecond})
		conn, r := dial(t, addr)
		say(t, conn, "POST / HTTP/1.1\r\nHost: e\r\n%s\r\n\r\n3\r\nabc", framing)
		if resp, _ := response(t, r, "POST"); resp.StatusCode != 408 || !resp.Close {
			t.Errorf("%s: %d", framing, resp.StatusCode)
		}
		testnet.Eventually(t, "the lease is given back", func() bool { return p.Nodes()[0].InFlight == 0 })
		if n := p.Nodes()[0].Failed; n != 0 {
			t.Errorf("%s: the node is charged with %d failures", framing, n)
		}
	}
}

// Heads that come drop by drop: the time limit is for all of it.
func TestHeadsDropByDropAre408(t *testing.T) {
	addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil), HeadTimeout: 100 * time.Millisecond})
	conn, r := dial(t, addr)
	go func() {
		io.WriteString(conn, "GET / HTTP/1.1\r\nX: ")
		for {
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if resp, _ := response(t, r, "GET"); resp.StatusCode != 408 {
		t.Errorf("%d", resp.StatusCode)
	}
	conn.Close()
	testnet.Eventually(t, "it is forgotten", func() bool { return s.Stats().Clients == 0 })
}

func TestClientsBeyondTheLimitWait(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), MaxClients: 2})
	var conns []net.Conn
	var readers []*bufio.Reader
	for range 4 {
		conn, r := dial(t, addr)
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
		conns, readers = append(conns, conn), append(readers, r)
	}
	for i := range conns { // in the order in which they came
		response(t, readers[i], "GET")
		if n := s.Stats().Clients; n > 2 {
			t.Errorf("%d clients", n)
		}
		if left := s.Stats().Requests; left > int64(i+2) {
			t.Errorf("%d requests while %d connections have ended", left, i)
		}
		conns[i].Close()
	}
}

// The rest of RFC 9110 and 9112 that a proxy meets, by what the client gets.
func TestResponsesThatAreSpecial(t *testing.T) {
	for name, tt := range map[string]struct {
		request, answer, want string
	}{
		"204 has no body, whatever it says": {
			"GET / HTTP/1.1\r\nHost: e\r\n\r\n", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
			"HTTP/1.1 204 No Content\r\n\r\n"},
		"304 keeps the length of what it stands for": {
			"GET / HTTP/1.1\r\nHost: e\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
			"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
		"OPTIONS *": {
			"OPTIONS * HTTP/1.1\r\nHost: e\r\n\r\n", "HTTP/1.1 200 OPTIONS *\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 OPTIONS *\r\nContent-Length: 0\r\n\r\n"},
		"a reason that is missing": {
			"GET / HTTP/1.1\r\nHost: e\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"},
		"an HTTP/1.0 client that wants to stay": {
			"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"},
		"an HTTP/1.0 client that does not": {
			"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"},
		"no interim responses for HTTP/1.0": {
			"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		"chunks for HTTP/1.0": {
			"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n",
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"},
		"chunks to a HEAD": {
			"HEAD / HTTP/1.1\r\nHost: e\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"many interim responses": {
			"GET / HTTP/1.1\r\nHost: e\r\n\r\n", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 3) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 3) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		"a client that closes": {
			"GET / HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
	} {
		node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
			head, _ := readHead(r)
			if tt.request[:4] == "OPTI" && !strings.HasPrefix(head, "OPTIONS * HTTP/1.1\r\n") {
				t.Errorf("%s: the backend sees %q", name, head)
			}
			io.WriteString(conn, tt.answer)
			io.Copy(io.Discard, r)
		})
		addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
		conn, r := dial(t, addr)
		say(t, conn, "%s", tt.request)
		got := make([]byte, len(tt.want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != tt.want {
			t.Errorf("%s: %v\n got %q\nwant %q", name, err, got, tt.want)
		}
		conn.Close()
	}
}
