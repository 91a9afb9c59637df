package lbhttp_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// reader connects as somebody with a certificate, or without one.
func reader(t *testing.T, ca *testnet.Authority, addr, name string) (*tls.Conn, *bufio.Reader) {
	t.Helper()
	cfg := &tls.Config{RootCAs: ca.Pool, ServerName: "e"}
	if name != "" {
		cfg.Certificates = []tls.Certificate{ca.Issue(t, name)}
	}
	conn, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn, bufio.NewReader(conn)
}

// tiered is the book's news site: one URL, three classes of readers, and a
// queue in which the classes take turns.
func tiered(t *testing.T, ca *testnet.Authority, cfg lb.Config) (addr string, p *lb.Pool) {
	t.Helper()
	cfg.Queue = lb.Queue{Len: 1000, Wait: time.Minute}
	p, err := lb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	addr, _, _ = serve(t, lbhttp.ServerConfig{Pool: p, Identify: identify,
		TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "server")}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.Pool}})
	return addr, p
}

const asForged = "GET / HTTP/1.1\r\nHost: e\r\nX-Reader: premium\r\nLb-Tier: 1\r\n\r\n"

// However many free readers wait, a premium or paying one is next but one, a
// revoked one waits like the free, and what a client says of itself counts for
// nothing (hard test 15).
func TestFreeReadersDoNotHoldPremiumOnesUp(t *testing.T) {
	const free = 20
	ca := testnet.NewAuthority(t)
	served, release := make(chan string, 100), make(chan struct{})
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		served <- r.Header.Get("X-Reader")
		<-release
	})
	addr, p := tiered(t, ca, lb.Config{Nodes: []lb.Node{node}, Limit: 1})
	var wg sync.WaitGroup
	ask := func(name string, waiting int64) {
		conn, r := reader(t, ca, addr, name)
		wg.Go(func() {
			io.WriteString(conn, asForged)
			http.ReadResponse(r, nil)
		})
		testnet.Eventually(t, "it waits", func() bool { return p.Stats().Waiting == waiting && p.Stats().InFlight == 1 })
	}
	for i := range free + 1 { // the first does not wait
		ask("", int64(i))
	}
	ask("revoked", free+1)
	ask("premium", free+2)
	ask("paying", free+3)
	var order []string
	for range free + 4 {
		order = append(order, <-served)
		release <- struct{}{}
	}
	wg.Wait()
	if i := slices.Index(order, "premium"); i > 2 {
		t.Errorf("premium is number %d of %v", i, order)
	}
	if i := slices.Index(order, "paying"); i > 3 {
		t.Errorf("paying is number %d of %v", i, order)
	}
	if n := free + 2; len(slices.DeleteFunc(order, func(s string) bool { return s != "free" })) != n {
		t.Errorf("%v: want %d as free, the revoked one among them", order, n)
	}
}

// Free readers ask for ten times of what the farm can do: premium readers get
// every answer. How much slower they are is logged when soaking; on a machine
// that does other things too it is no reason to fail.
func TestPremiumReadersInAnOverload(t *testing.T) {
	const limit = 4
	nodes, requests, work := 2, 20, 10*time.Millisecond
	if soaking() {
		nodes, requests, work = 8, 500, 50*time.Millisecond
	}
	ca := testnet.NewAuthority(t)
	var farm []lb.Node
	for range nodes {
		farm = append(farm, backend(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(work) }))
	}
	addr, p := tiered(t, ca, lb.Config{Nodes: farm, Limit: limit})
	premium := func() []time.Duration {
		conn, r := reader(t, ca, addr, "premium")
		conn.SetDeadline(time.Now().Add(time.Duration(requests) * patience))
		var took []time.Duration
		for range requests {
			begin := time.Now()
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
			if resp, _ := response(t, r, "GET"); resp.StatusCode != 200 {
				t.Fatalf("premium: %d %s", resp.StatusCode, resp.Header.Get("Proxy-Status"))
			}
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		return took
	}
	alone := premium()

	var stop atomic.Bool
	var freeServed atomic.Int64
	var wg sync.WaitGroup
	for range 10 * nodes * limit {
		conn, r := reader(t, ca, addr, "")
		conn.SetDeadline(time.Time{})
		wg.Go(func() {
			for !stop.Load() {
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
				resp, err := http.ReadResponse(r, nil)
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("free: %v %v", resp, err)
					return
				}
				freeServed.Add(1)
			}
		})
	}
	testnet.Eventually(t, "the queue is long", func() bool { return p.Stats().Waiting > int64(8*nodes*limit) })
	crowded := premium()
	waiting := p.Stats().Waiting
	stop.Store(true)
	wg.Wait()
	if freeServed.Load() == 0 || waiting == 0 {
		t.Errorf("%d free requests served, %d waiting: no overload", freeServed.Load(), waiting)
	}
	for _, percent := range []int{50, 99} {
		a, c := alone[requests*percent/100], crowded[requests*percent/100]
		t.Logf("premium p%d: %v alone, %v in the overload (%.2f)", percent, a, c, float64(c)/float64(a))
	}
}
