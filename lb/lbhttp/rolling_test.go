package lbhttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// worker is a backend that can be restarted: two requests at a time, each of
// which takes the work's time.
type worker struct {
	t    *testing.T
	work time.Duration
	seen *atomic.Int64
	node lb.Node
	srv  *http.Server
}

func newWorker(t *testing.T, work time.Duration, seen *atomic.Int64) *worker {
	w := &worker{t: t, work: work, seen: seen}
	w.start(testnet.Listen(t))
	return w
}

func (w *worker) start(l net.Listener) {
	w.node = lb.Node{ID: l.Addr().String(), Addr: l.Addr().String()}
	slots := make(chan struct{}, 2)
	w.srv = &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.seen.Add(1)
		slots <- struct{}{}
		time.Sleep(w.work)
		<-slots
		io.WriteString(rw, "ok")
	})}
	go w.srv.Serve(l)
}

// Rolling restart of all eight backends at 80 % load, every other one without
// any warning: no idempotent request is lost, and not many are sent twice (hard
// test 13).
func TestRollingRestartLosesNoRequest(t *testing.T) {
	const backends, work = 8, 20 * time.Millisecond
	rounds := 1
	if soaking() {
		rounds = 10
	}
	var seen, answered, lost atomic.Int64
	var farm []*worker
	var nodes []lb.Node
	for range backends {
		w := newWorker(t, work, &seen)
		farm, nodes = append(farm, w), append(nodes, w.node)
	}
	p := pool(t, nil, nodes...)
	addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: p})
	tr := &http.Transport{MaxIdleConnsPerHost: 1000}
	defer tr.CloseIdleConnections()

	// Open loop: whoever is late does not slow the others down.
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(work * 10 / (backends * 2 * 8)) // 80 % of what they can do
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			wg.Go(func() {
				req, _ := http.NewRequest("GET", "http://"+addr, nil)
				resp, err := tr.RoundTrip(req)
				if err != nil {
					lost.Add(1)
					t.Errorf("lost: %v", err)
					return
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
					lost.Add(1)
					t.Errorf("lost: %d %v %s", resp.StatusCode, err, resp.Header.Get("Proxy-Status"))
				}
				resp.Body.Close()
				answered.Add(1)
			})
		}
	})
	for round := range rounds {
		for i, w := range farm {
			before := answered.Load()
			if announced := (i+round)%2 == 0; announced {
				if err := p.SetDraining(w.node.ID, true); err != nil {
					t.Fatal(err)
				}
				testnet.Eventually(t, "the node is drained", func() bool {
					for _, n := range p.Nodes() {
						if n.Node.ID == w.node.ID {
							return n.InFlight == 0
						}
					}
					return false
				})
			}
			w.srv.Close()
			testnet.Eventually(t, "requests go on without it", func() bool { return answered.Load() > before+20 })
			w.start(testnet.ListenOn(t, w.node.Addr))
			p.SetDraining(w.node.ID, false)
			before = answered.Load()
			testnet.Eventually(t, "requests go on with it", func() bool { return answered.Load() > before+20 })
		}
	}
	stop()
	wg.Wait()
	for _, w := range farm {
		w.srv.Close()
	}
	sends := seen.Load()
	t.Logf("%d requests, %d lost, %d sends (%.3f), %d retries", answered.Load(), lost.Load(), sends, float64(sends)/float64(answered.Load()), s.Stats().Retries)
	if sends*10 > answered.Load()*12 {
		t.Errorf("%d sends for %d requests", sends, answered.Load())
	}
}

// In an outage of everything retries add at most a fifth to what is sent (hard
// test 6), in the handler as in the native server.
func TestHandlerBudgetBoundsRetriesInAnOutage(t *testing.T) {
	const requests = 200
	var sends atomic.Int64
	var nodes []lb.Node
	for range 4 {
		nodes = append(nodes, scripted(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := readHead(r); err == nil {
				sends.Add(1)
			}
		}))
	}
	s := handle(t, lbhttp.TransportConfig{Pool: pool(t, nil, nodes...), Budget: &lb.Budget{Floor: -1}}, lbhttp.ProxyConfig{}, nil)
	conn, r := dial(t, s.Listener.Addr().String())
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
