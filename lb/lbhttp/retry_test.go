package lbhttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// gone is a node on whose port nobody listens.
func gone(t testing.TB, id string) lb.Node {
	l := testnet.Listen(t)
	l.Close()
	return lb.Node{ID: id, Addr: l.Addr().String()}
}

func TestNodesThatDoNotAcceptAreReplacedByOthers(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	var mu sync.Mutex
	var attempts []*lbhttp.AttemptError
	addr, s, _ := serve(t, lbhttp.ServerConfig{
		Pool: pool(t, lb.RoundRobin{}, gone(t, "a"), gone(t, "b"), node),
		Trace: &lbhttp.Trace{Attempt: func(err *lbhttp.AttemptError, again bool) {
			mu.Lock()
			defer mu.Unlock()
			attempts = append(attempts, err)
		}},
	})
	conn, r := dial(t, addr)
	for range 20 { // POST too: nothing was sent
		say(t, conn, "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 4\r\n\r\nbody")
		if resp, body := response(t, r, "POST"); resp.StatusCode != 200 || body != "body" {
			t.Fatalf("%d %q", resp.StatusCode, body)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(attempts) == 0 || int64(len(attempts)) != s.Stats().Retries {
		t.Errorf("%d attempts failed, %d retries", len(attempts), s.Stats().Retries)
	}
	for _, a := range attempts {
		if a.Phase != lbhttp.PhaseDial || a.Sent || a.Node.ID == node.ID || a.Attempt < 1 || errors.Unwrap(a) == nil {
			t.Errorf("%+v", a)
		}
	}
}

// What was sent and what the method promises decide (hard test 6).
func TestOnlyIdempotentRequestsAreSentTwice(t *testing.T) {
	for _, tt := range []struct {
		method string
		again  bool
	}{{"GET", true}, {"HEAD", true}, {"PUT", true}, {"DELETE", true}, {"OPTIONS", true}, {"POST", false}, {"PATCH", false}} {
		var sends atomic.Int64
		breaks := func(id string) lb.Node {
			n := scripted(t, func(conn net.Conn, r *bufio.Reader) {
				readHead(r)
				sends.Add(1)
			})
			n.ID = id
			return n
		}
		addr, _, stop := serve(t, lbhttp.ServerConfig{Pool: pool(t, lb.RoundRobin{}, breaks("a"), breaks("b"), breaks("c"), breaks("d"))})
		conn, r := dial(t, addr)
		say(t, conn, "%s / HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\n\r\nhi", tt.method)
		resp, _ := response(t, r, tt.method)
		if resp.StatusCode != 502 || !strings.HasPrefix(resp.Header.Get("Proxy-Status"), "lb; error=connection_terminated") {
			t.Errorf("%s: %d %s", tt.method, resp.StatusCode, resp.Header.Get("Proxy-Status"))
		}
		want := int64(1)
		if tt.again {
			want = 3
		}
		if n := sends.Load(); n != want {
			t.Errorf("%s was sent %d times, want %d", tt.method, n, want)
		}
		stop()
	}
}

func TestRetriesGoToNodesNotTried(t *testing.T) {
	var mu sync.Mutex
	perRequest := map[string][]string{}
	var nodes []lb.Node
	for i := range 3 {
		n := scripted(t, func(conn net.Conn, r *bufio.Reader) {
			head, _ := readHead(r)
			mu.Lock()
			defer mu.Unlock()
			path := strings.Fields(head)[1]
			perRequest[path] = append(perRequest[path], fmt.Sprint(i))
		})
		nodes = append(nodes, n)
	}
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, lb.Random{}, nodes...)})
	conn, r := dial(t, addr)
	for i := range 5 { // more would be beyond the budget
		say(t, conn, "GET /%d HTTP/1.1\r\nHost: e\r\n\r\n", i)
		response(t, r, "GET")
	}
	mu.Lock()
	defer mu.Unlock()
	for path, tried := range perRequest {
		if len(tried) != 3 || tried[0] == tried[1] || tried[1] == tried[2] || tried[0] == tried[2] {
			t.Errorf("%s: tried %v, want three different nodes", path, tried)
		}
	}
}

// A connection that the backend closed while it was idle costs nobody a request,
// and the node is not charged.
func TestKeptConnectionsThatWereClosed(t *testing.T) {
	closed := make(chan struct{}, 1)
	answerOnce := func(conn net.Conn, r *bufio.Reader) {
		readHead(r)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		conn.Close()
		closed <- struct{}{}
	}
	a, b := scripted(t, answerOnce), scripted(t, answerOnce)
	p := pool(t, lb.RoundRobin{}, a, b)
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: p})
	conn, r := dial(t, addr)
	for _, method := range []string{"GET", "GET", "GET", "POST", "POST", "POST"} {
		say(t, conn, "%s / HTTP/1.1\r\nHost: e\r\nContent-Length: 0\r\n\r\n", method)
		if resp, _ := response(t, r, method); resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", method, resp.StatusCode, resp.Header.Get("Proxy-Status"))
		}
		<-closed // and on the loopback the end has arrived
	}
	for _, n := range p.Nodes() {
		if n.Failed > 0 {
			t.Errorf("node %s is charged with %d failures", n.Node.ID, n.Failed)
		}
	}
}

func TestNoNodesIs503(t *testing.T) {
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil)})
	conn, r := dial(t, addr)
	for range 2 {
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
		resp, _ := response(t, r, "GET")
		if resp.StatusCode != 503 || resp.Header.Get("Proxy-Status") != "lb; error=destination_unavailable" || resp.Header.Get("Date") == "" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	}
}
