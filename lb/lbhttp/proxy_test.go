package lbhttp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// handle runs a Proxy on net/http until the test ends.
func handle(t testing.TB, tc lbhttp.TransportConfig, pc lbhttp.ProxyConfig, protocols *http.Protocols) *httptest.Server {
	t.Helper()
	tr, err := lbhttp.NewTransport(tc)
	if err != nil {
		t.Fatal(err)
	}
	pc.Transport = tr
	p, err := lbhttp.NewProxy(pc)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(p)
	s.Config.Protocols = protocols
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(func() {
		s.Close()
		tr.CloseIdleConnections()
		testnet.Eventually(t, "all leases are given back", func() bool {
			for _, n := range tc.Pool.Nodes() {
				if n.InFlight != 0 {
					return false
				}
			}
			return true
		})
	})
	return s
}

func TestHandlerFollowsTheSameRules(t *testing.T) {
	got := make(chan http.Header, 1)
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Clone()
		w.Header().Set("Lb-Report", "rif=5;cores=2;slow=100")
		w.Header().Set("Client-Cert", "x")
		w.Header().Set("Connection", "X-Drop")
		w.Header().Set("X-Drop", "1")
		io.WriteString(w, r.Host)
	})
	p := pool(t, nil, node)
	s := handle(t, lbhttp.TransportConfig{Pool: p}, lbhttp.ProxyConfig{Rules: lbhttp.Rules{Via: "edge", Forwarded: true}}, nil)
	conn, r := dial(t, s.Listener.Addr().String())
	say(t, conn, "GET / HTTP/1.1\r\nHost: e:80\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\nUpgrade: h2c\r\n"+
		"X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nClient-Cert: x\r\nLB_Tier: 9\r\nX-Ok: 1\r\n\r\n")
	resp, body := response(t, r, "GET")
	h := <-got
	for name, want := range map[string]string{
		"X-Hop": "", "Keep-Alive": "", "Upgrade": "", "X_forwarded_for": "", "Client-Cert": "", "Lb_tier": "", "User-Agent": "",
		"X-Ok": "1", "Te": "trailers", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "e:80",
		"Forwarded": `for=127.0.0.1;host="e:80";proto=http`, "Via": "1.1 edge",
	} {
		if v := strings.Join(h[name], ";"); v != want {
			t.Errorf("backend saw %s: %q, want %q", name, v, want)
		}
	}
	if body != "e:80" || resp.Header.Get("Lb-Report")+resp.Header.Get("Client-Cert")+resp.Header.Get("X-Drop") != "" || resp.Header.Get("Via") != "1.1 edge" {
		t.Errorf("client got %q %v", body, resp.Header)
	}
	if rep := p.Nodes()[0].Report; rep == nil || rep.RIF != 5 || rep.Slowness != 100*time.Microsecond {
		t.Errorf("the pool's report: %+v", rep)
	}
}

func TestHandlerUpgradeLosesNoByte(t *testing.T) {
	node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		readHead(r)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello ")
		part := make([]byte, 11)
		io.ReadFull(r, part)
		conn.Write(part)
	})
	s := handle(t, lbhttp.TransportConfig{Pool: pool(t, nil, node)}, lbhttp.ProxyConfig{}, nil)
	conn, r := dial(t, s.Listener.Addr().String())
	say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly ")
	if head, _ := readHead(r); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("%q", head)
	}
	say(t, conn, "late ")
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "hello early late " {
		t.Errorf("%v %q", err, rest)
	}
}

func TestHandlerPassesInterimResponses(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a>; rel=preload")
		w.WriteHeader(103)
		w.Header().Del("Link")
		io.WriteString(w, "ok")
	})
	s := handle(t, lbhttp.TransportConfig{Pool: pool(t, nil, node)}, lbhttp.ProxyConfig{}, nil)
	var hints atomic.Int64
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if code == 103 && h.Get("Link") != "" {
			hints.Add(1)
		}
		return nil
	}})
	req, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if hints.Load() != 1 || string(body) != "ok" || resp.Header.Get("Link") != "" {
		t.Errorf("%d hints, %q, %v", hints.Load(), body, resp.Header)
	}
}

func TestHandlerRefusesTargetsThatAreNone(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the backend sees %s %s", r.Method, r.RequestURI)
	})
	s := handle(t, lbhttp.TransportConfig{Pool: pool(t, nil, node)}, lbhttp.ProxyConfig{}, nil)
	for line, status := range map[string]int{"CONNECT e:443": 405, "GET *": 400, "GET e:80": 400, "GET gopher://e/": 400} {
		conn, r := dial(t, s.Listener.Addr().String())
		say(t, conn, "%s HTTP/1.1\r\nHost: e\r\n\r\n", line)
		resp, _ := response(t, r, "GET")
		if resp.StatusCode != status || resp.Header.Get("Proxy-Status") != "lb; error=http_request_error" || (resp.Header.Get("Allow") != "") != (status == 405) {
			t.Errorf("%s: %d %v", line, resp.StatusCode, resp.Header)
		}
	}
}

func TestHandlerErrors(t *testing.T) {
	hang := backend(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for _, tt := range []struct {
		pool   *lb.Pool
		status int
		code   string
	}{
		{pool(t, nil), 503, "destination_unavailable"},
		{pool(t, nil, gone(t, "a"), gone(t, "b")), 502, "connection_refused"},
		{pool(t, nil, hang), 504, "http_response_timeout"},
	} {
		s := handle(t, lbhttp.TransportConfig{Pool: tt.pool, ResponseTimeout: 50 * time.Millisecond, Attempts: 2}, lbhttp.ProxyConfig{Name: "edge"}, nil)
		resp, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != tt.status || got != "edge; error="+tt.code {
			t.Errorf("%d %q, want %d %s", resp.StatusCode, got, tt.status, tt.code)
		}
	}
}

func TestHandlerBreaksOffWhenTheBackendDoes(t *testing.T) {
	node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		readHead(r)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n")
	})
	s := handle(t, lbhttp.TransportConfig{Pool: pool(t, nil, node)}, lbhttp.ProxyConfig{}, nil)
	resp, err := http.Get(s.URL)
	if err == nil {
		if body, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%q is taken for the whole", body)
		}
		resp.Body.Close()
	}
}

func TestTransportRetriesByTheSameRules(t *testing.T) {
	for _, tt := range []struct {
		method  string
		getBody bool
		sends   int64
	}{{"GET", true, 3}, {"PUT", true, 3}, {"PUT", false, 1}, {"POST", true, 1}} {
		var sends atomic.Int64
		var nodes []lb.Node
		for range 4 {
			nodes = append(nodes, scripted(t, func(conn net.Conn, r *bufio.Reader) {
				if _, err := readHead(r); err == nil {
					io.ReadFull(r, make([]byte, 4))
					sends.Add(1)
				}
			}))
		}
		tr, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: pool(t, lb.RoundRobin{}, nodes...)})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest(tt.method, "http://service/", strings.NewReader("body"))
		if !tt.getBody {
			req.GetBody = nil
		}
		_, err = tr.RoundTrip(req)
		ae, ok := errors.AsType[*lbhttp.AttemptError](err)
		if !ok || !ae.Sent || int64(ae.Attempt) != tt.sends || ae.Phase != lbhttp.PhaseHeader {
			t.Errorf("%s: %v", tt.method, err)
		}
		if n := sends.Load(); n != tt.sends {
			t.Errorf("%s, GetBody %v: sent %d times, want %d", tt.method, tt.getBody, n, tt.sends)
		}
		tr.CloseIdleConnections()
	}
}

// In an outage of everything, retries add at most a fifth to the requests (hard
// test 6).
func TestBudgetBoundsRetriesInAnOutage(t *testing.T) {
	const requests = 500
	var sends atomic.Int64
	var nodes []lb.Node
	for range 4 {
		nodes = append(nodes, scripted(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := readHead(r); err == nil {
				sends.Add(1)
			}
		}))
	}
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, nodes...), Budget: &lb.Budget{Floor: -1}})
	conn, r := dial(t, addr)
	for range requests {
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
		if resp, _ := response(t, r, "GET"); resp.StatusCode != 502 {
			t.Fatalf("%d", resp.StatusCode)
		}
	}
	if n := sends.Load(); n > requests*12/10+1 || n <= requests {
		t.Errorf("%d sends for %d requests", n, requests)
	}
}
