package lbhttp_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

func TestPassesRequestsAndResponsesOn(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.URL.String()+" "+r.Host)
		w.WriteHeader(201)
		w.Write(body)
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	for _, tt := range []struct{ request, seen, body string }{
		{"GET /a?b=c HTTP/1.1\r\nHost: example.com\r\n\r\n", "GET /a?b=c example.com", ""},
		{"GET http://other.example/x HTTP/1.1\r\nHost: example.com\r\n\r\n", "GET /x other.example", ""},
		{"GET http://other.example?q HTTP/1.1\r\nHost: example.com\r\n\r\n", "GET /?q other.example", ""},
		{"POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\n\r\nhello", "POST / e", "hello"},
		{"\r\nPUT /p HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n", "PUT /p e", "abcdefg"},
	} {
		say(t, conn, "%s", tt.request)
		resp, body := response(t, r, "GET")
		if resp.StatusCode != 201 || resp.Header.Get("X-Seen") != tt.seen || body != tt.body {
			t.Errorf("%q:\n got %d %q %q\nwant 201 %q %q", tt.request, resp.StatusCode, resp.Header.Get("X-Seen"), body, tt.seen, tt.body)
		}
	}
}

// One client connection, requests sent at once: replies in order, from several
// nodes (hard test 7; book: per-request allocation).
func TestChoosesPerRequestAndAnswersInOrder(t *testing.T) {
	var nodes []lb.Node
	for i := range 4 {
		nodes = append(nodes, backend(t, func(w http.ResponseWriter, r *http.Request) {
			if i == 0 {
				time.Sleep(5 * time.Millisecond)
			}
			fmt.Fprintf(w, "%d %s", i, r.URL.Path)
		}))
	}
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, lb.RoundRobin{}, nodes...)})
	conn, r := dial(t, addr)
	var all strings.Builder
	for i := range 200 {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: e\r\n\r\n", i)
	}
	go io.WriteString(conn, all.String())
	seen := map[string]int{}
	for i := range 200 {
		_, body := response(t, r, "GET")
		node, path, _ := strings.Cut(body, " ")
		if path != fmt.Sprintf("/%d", i) {
			t.Fatalf("reply %d is for %s", i, path)
		}
		seen[node]++
	}
	if len(seen) != 4 {
		t.Errorf("nodes used: %v, want 4", seen)
	}
}

func TestConnectionFieldsStayOnTheirConnection(t *testing.T) {
	got := make(chan string, 1)
	node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		head, _ := readHead(r)
		got <- head
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Drop, keep-alive\r\nX-Drop: 1\r\nKeep-Alive: timeout=5\r\n"+
			"Proxy-Authenticate: Basic\r\nX-Keep: yes\r\nLb-Report: rif=1\r\nLb-Tier: 3\r\nClient-Cert: :abc:\r\n\r\nok")
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), Rules: lbhttp.Rules{Via: "edge", Forwarded: true, Strip: []string{"X-Tenant"}}})
	conn, r := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\nHost: e:80\r\nConnection: close-not, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\n"+
		"TE: trailers, deflate\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"+
		"X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nClient-Cert: :forged:\r\nLb-Report: rif=0\r\nLB_Tier: 9\r\nX-SSL-Client-Verify: SUCCESS\r\nX-Tenant: a\r\nX-Ok: 1\r\n\r\n")
	resp, body := response(t, r, "GET")
	head := <-got
	want := "GET / HTTP/1.1\r\nHost: e:80\r\nX-Ok: 1\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: e:80\r\n" +
		"Forwarded: for=127.0.0.1;host=\"e:80\";proto=http\r\nVia: 1.1 edge\r\nTE: trailers\r\nConnection: TE\r\n\r\n"
	if head != want {
		t.Errorf("the backend saw\n%s\nwant\n%s", head, want)
	}
	if body != "ok" || resp.Header.Get("X-Keep") != "yes" || resp.Header.Get("Via") != "1.1 edge" {
		t.Errorf("client: %q %v", body, resp.Header)
	}
	for _, name := range []string{"X-Drop", "Keep-Alive", "Proxy-Authenticate", "Lb-Report", "Lb-Tier", "Client-Cert", "Connection"} {
		if v := resp.Header.Get(name); v != "" {
			t.Errorf("client got %s: %s", name, v)
		}
	}
}

func TestTrustedProxiesMaySayWhoTheClientIs(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s", strings.Join(r.Header["X-Forwarded-For"], ";"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Lb-Tier"))
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), Rules: lbhttp.Rules{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	conn, r := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\nLb-Tier: 1\r\n\r\n")
	if _, body := response(t, r, "GET"); body != "1.1.1.1, 2.2.2.2, 127.0.0.1|https|" {
		t.Errorf("backend saw %q", body)
	}
}

func TestAnswersToHEADHaveNoBody(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(200)
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	for range 3 {
		say(t, conn, "HEAD / HTTP/1.1\r\nHost: e\r\n\r\n")
		if resp, body := response(t, r, "HEAD"); resp.ContentLength != 1000 || body != "" {
			t.Fatalf("%d %q", resp.ContentLength, body)
		}
	}
}

func TestOldClientsGetWhatTheyUnderstand(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("a"))
		w.(http.Flusher).Flush()
		w.Write([]byte("b"))
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	say(t, conn, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	all, err := io.ReadAll(r)
	if err != nil || strings.Contains(string(all), "chunked") || !strings.HasSuffix(string(all), "\r\n\r\nab") {
		t.Errorf("%v %q", err, all)
	}
}

func TestBodiesWithoutLengthAreChunked(t *testing.T) {
	node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		readHead(r)
		io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nup to the end")
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	for range 2 { // the client's connection goes on
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
		resp, body := response(t, r, "GET")
		if body != "up to the end" || len(resp.TransferEncoding) != 1 {
			t.Errorf("%q %v", body, resp.TransferEncoding)
		}
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "got "+r.Trailer.Get("X-In")+r.Trailer.Get("Lb-Tier"))
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	say(t, conn, "POST / HTTP/1.1\r\nHost: e\r\nTrailer: X-In, Lb-Tier\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-In: 7\r\nLb-Tier: 9\r\nContent-Length: 3\r\n\r\n")
	resp, body := response(t, r, "POST")
	if body != "body" || resp.Trailer.Get("X-Sum") != "got 7" {
		t.Errorf("%q %v", body, resp.Trailer)
	}
}

func TestInterimResponsesPass(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(103)
		body, _ := io.ReadAll(r.Body) // makes net/http send 100 Continue
		w.Write(body)
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	say(t, conn, "POST / HTTP/1.1\r\nHost: e\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	head, _ := readHead(r)
	if !strings.HasPrefix(head, "HTTP/1.1 103 ") || !strings.Contains(head, "preload") {
		t.Fatalf("first: %q", head)
	}
	if head, _ = readHead(r); !strings.HasPrefix(head, "HTTP/1.1 100 ") {
		t.Fatalf("second: %q", head)
	}
	say(t, conn, "body")
	if _, body := response(t, r, "POST"); body != "body" {
		t.Errorf("body %q", body)
	}
}

func TestExpectationRefusedByTheBackend(t *testing.T) {
	node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		readHead(r)
		io.WriteString(conn, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	say(t, conn, "POST / HTTP/1.1\r\nHost: e\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	if resp, _ := response(t, r, "POST"); resp.StatusCode != 417 || !resp.Close {
		t.Errorf("%d, close %v", resp.StatusCode, resp.Close)
	}
}

// Frames sent together with the request, and by the backend together with its
// answer, arrive (hard test 9).
func TestUpgradeLosesNoByte(t *testing.T) {
	node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		head, _ := readHead(r)
		if !strings.Contains(head, "Connection: Upgrade\r\nUpgrade: websocket\r\n") {
			io.WriteString(conn, "HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello ")
		io.Copy(conn, r)
		io.WriteString(conn, "bye")
	})
	p := pool(t, nil, node)
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: p})
	conn, r := dial(t, addr)
	say(t, conn, "GET /chat HTTP/1.1\r\nHost: e\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly ")
	if head, _ := readHead(r); !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, "Upgrade: websocket") {
		t.Fatalf("%q", head)
	}
	if n := p.Nodes()[0].InFlight; n != 1 {
		t.Errorf("in flight during the tunnel: %d, want 1", n)
	}
	say(t, conn, "late ")
	conn.(*net.TCPConn).CloseWrite()
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != "hello early late bye" {
		t.Errorf("%v %q", err, rest)
	}
	testnet.Eventually(t, "the lease is given back", func() bool { return p.Nodes()[0].InFlight == 0 })
}

func TestUpgradesNobodyAskedForAreRefused(t *testing.T) {
	node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		readHead(r)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	resp, _ := response(t, r, "GET")
	if resp.StatusCode != 502 || !strings.Contains(resp.Header.Get("Proxy-Status"), "error=http_upgrade_failed") {
		t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("Proxy-Status"))
	}
}

// Bodies of all kinds and sizes, in both directions at once, arrive unchanged.
func TestBodiesArriveUnchanged(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, _ := io.Copy(h, r.Body)
		w.Header().Set("X-Sum", fmt.Sprintf("%d %x", n, h.Sum(nil)))
		if r.Header.Get("X-Length") != "" {
			w.Header().Set("Content-Length", r.Header.Get("X-Length"))
		}
		var want int64
		fmt.Sscan(r.Header.Get("X-Size"), &want)
		io.Copy(w, io.LimitReader(&pattern{}, want))
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, size := range []int64{0, 1, 1000, 15 << 10, 16 << 10, 17 << 10, 100_000, 5 << 20} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = io.LimitReader(&pattern{}, size)
			req, _ := http.NewRequest("POST", "http://"+addr, body)
			req.Header.Set("X-Size", fmt.Sprint(size))
			if !chunked {
				req.ContentLength = size
				req.Header.Set("X-Length", fmt.Sprint(size))
				if size == 0 {
					req.Body = http.NoBody
				}
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatalf("%d bytes, chunked %v: %v", size, chunked, err)
			}
			h := sha256.New()
			n, err := io.Copy(h, resp.Body)
			resp.Body.Close()
			want := sha256.New()
			io.Copy(want, io.LimitReader(&pattern{}, size))
			sum := fmt.Sprintf("%d %x", size, want.Sum(nil))
			if got := fmt.Sprintf("%d %x", n, h.Sum(nil)); err != nil || got != sum || resp.Header.Get("X-Sum") != sum {
				t.Errorf("%d bytes, chunked %v: %v; response %s, request %s, want %s", size, chunked, err, got, resp.Header.Get("X-Sum"), sum)
			}
		}
	}
}

// pattern is an endless stream in which every place is different.
type pattern struct{ at uint32 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(p.at*2654435761>>24) ^ byte(p.at)
		p.at++
	}
	return len(b), nil
}

func TestTruncatedResponsesAreSeenAsSuch(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
	} {
		node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
			readHead(r)
			io.WriteString(conn, answer)
		})
		addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
		conn, r := dial(t, addr)
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%q: the client takes %q for the whole", answer, body)
		}
	}
}

func TestSlowClientsAreToldSo(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), HeadTimeout: 50 * time.Millisecond})
	conn, r := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\n")
	if resp, _ := response(t, r, "GET"); resp.StatusCode != 408 {
		t.Errorf("%d, want 408", resp.StatusCode)
	}
	addr, s, _ = serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), IdleTimeout: 50 * time.Millisecond})
	_, r = dial(t, addr) // says nothing at all
	if all, err := io.ReadAll(r); err != nil || len(all) > 0 {
		t.Errorf("idle: %v %q", err, all)
	}
	testnet.Eventually(t, "connections are forgotten", func() bool { return s.Stats().Clients == 0 })
}

func TestSlowBackendsAre504(t *testing.T) {
	release := make(chan struct{})
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), ResponseTimeout: 50 * time.Millisecond, Attempts: 1})
	conn, r := dial(t, addr)
	for range 2 {
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
		resp, _ := response(t, r, "GET")
		if resp.StatusCode != 504 || resp.Header.Get("Proxy-Status") != "lb; error=http_response_timeout" {
			t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("Proxy-Status"))
		}
	}
}

// A client that goes away stops the backend's work (hard test 12).
func TestClientAbortStopsTheBackend(t *testing.T) {
	for name, half := range map[string]bool{"waiting for the head": false, "in the middle of the body": true} {
		stopped := make(chan struct{})
		node := backend(t, func(w http.ResponseWriter, r *http.Request) {
			if half {
				io.WriteString(w, "some")
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
			close(stopped)
		})
		p := pool(t, nil, node)
		addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: p})
		conn, r := dial(t, addr)
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
		if half {
			readHead(r)
		} else {
			testnet.Eventually(t, "request in flight", func() bool { return p.Nodes()[0].InFlight == 1 })
		}
		conn.Close()
		select {
		case <-stopped:
		case <-time.After(patience):
			t.Fatalf("%s: the backend goes on", name)
		}
		testnet.Eventually(t, name+": counted as aborted", func() bool { return s.Stats().Aborted == 1 })
		if st := p.Nodes()[0]; st.Failed != 0 {
			t.Errorf("%s: the node is charged with %d failures", name, st.Failed)
		}
	}
}

func TestSlowReaderSlowsTheBackend(t *testing.T) {
	var written atomic.Int64
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 64<<10)
		for {
			n, err := w.Write(buf)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	conn, r := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	readHead(r)
	// It stops when all buffers of the kernel are full.
	last := int64(-1)
	testnet.Eventually(t, "the backend has to wait", func() bool {
		time.Sleep(50 * time.Millisecond)
		now := written.Load()
		defer func() { last = now }()
		return now > 0 && now == last
	})
	if n := written.Load(); n > 64<<20 {
		t.Errorf("%d bytes are on their way to a client that reads none", n)
	}
	conn.Close()
}

func TestDrainLetsRequestsEnd(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		io.WriteString(w, "done")
	})
	addr, _, stop := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	idle, idleR := dial(t, addr)
	conn, r := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	<-begun
	var wg sync.WaitGroup
	wg.Go(stop)
	if _, err := idleR.ReadByte(); err != io.EOF { // idle connections are closed first
		t.Errorf("idle connection: %v", err)
	}
	idle.Close()
	close(release)
	resp, body := response(t, r, "GET")
	if body != "done" || !resp.Close {
		t.Errorf("%q, close %v", body, resp.Close)
	}
	wg.Wait()
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("accepts after the end")
	}
}

func TestDrainEndsWithForce(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p := pool(t, nil, node)
	addr, _, stop := serve(t, lbhttp.ServerConfig{Pool: p, Drain: 30 * time.Millisecond})
	conn, _ := dial(t, addr)
	say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
	testnet.Eventually(t, "request in flight", func() bool { return p.Nodes()[0].InFlight == 1 })
	stop()
}
