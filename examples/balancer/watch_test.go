package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// watched is a watch on backends that need not exist.
func watched(t *testing.T, cfg lb.Config) *watch {
	w := newWatch()
	cfg.Trace = &lb.Trace{Done: w.done}
	pool, err := lb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.pool = pool
	return w
}

func nodes(ids ...string) (list []lb.Node) {
	for _, id := range ids {
		list = append(list, lb.Node{ID: id, Addr: id})
	}
	return list
}

// Each backend that does not get its share has a reason, in words.
func TestThePageSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, lb.Config{
			Nodes: nodes("asked", "checked", "fails", "says", "well"), Policy: lb.RoundRobin{}, Panic: -1, SlowStart: time.Minute,
			Outlier: lb.Outlier{Eject: 20 * time.Second},
		})
		p := w.pool
		w.drain("asked", true)
		_ = p.Report("says", lb.Report{Cores: 1, Draining: true})
		for _, n := range p.Nodes() {
			switch n.Node.ID {
			case "checked":
				check := w.checked(func(context.Context, *lb.Node) error { return errors.New("status 500") })
				if check(t.Context(), n.Node) != nil {
					_ = p.SetHealthy("checked", false)
				}
			case "fails":
				w.attempt(&lbhttp.AttemptError{Node: n.Node, Err: errors.New("connection reset")}, true)
			}
		}
		for range 50 {
			l, err := p.Acquire(t.Context(), lb.Request{})
			if err != nil {
				t.Fatal(err)
			}
			o := lb.Outcome{Latency: 3 * time.Millisecond}
			if l.Node().ID == "fails" {
				o.Class = lb.Failed
			}
			l.Done(o)
		}
		if err := p.Set(append(nodes("asked", "checked", "fails", "says", "well"), lb.Node{ID: "new", Addr: "new"})); err != nil {
			t.Fatal(err)
		}
		want := map[string][2]string{
			"asked": {"draining", "as asked for here"}, "says": {"draining", "it asks for no more itself"}, "checked": {"down", "status 500"},
			"fails": {"ejected", "it failed too often; tried again in 20s: connection reset"},
			"new":   {"starting", "it came back, and has its full share in 1m0s"}, "well": {"up", ""},
		}
		a := &admin{watch: w, front: &front{stats: func() frontStats { return frontStats{} }}, mode: "http", policy: "round-robin"}
		page := httptest.NewRecorder()
		a.page(page, nil)
		for _, n := range w.report().NodeStatus {
			if got := [2]string{n.State, n.Why}; got != want[n.ID] {
				t.Errorf("%s: %q, want %q", n.ID, got, want[n.ID])
			}
			if !strings.Contains(page.Body.String(), "<small>"+want[n.ID][1]+"</small>") && want[n.ID][1] != "" {
				t.Errorf("%s: the page does not say %q", n.ID, want[n.ID][1])
			}
		}
	})
}

// Rates, shares and latencies are of the last ten seconds, charts of the last
// two minutes.
func TestTheWindowMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, lb.Config{Nodes: nodes("a", "b"), Policy: lb.RoundRobin{}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.run(ctx) }()
		send := func(latency time.Duration) {
			for range 10 {
				time.Sleep(100 * time.Millisecond)
				l, err := w.pool.Acquire(t.Context(), lb.Request{})
				if err != nil {
					t.Fatal(err)
				}
				l.Done(lb.Outcome{Latency: latency})
			}
		}
		for range 20 {
			send(time.Second)
		}
		for range 12 {
			send(10 * time.Millisecond)
		}
		r := w.report()
		if r.Rate < 9 || r.Rate > 11 || r.P99 < 0.01 || r.P99 > 0.012 || r.NodeStatus[0].Share < 0.49 || r.NodeStatus[0].Share > 0.51 || len(r.points) < 31 {
			t.Errorf("%+v", r)
		}
		slow := r.points[len(r.points)-14]
		if slow.p50 < time.Second || slow.rate < 8 {
			t.Errorf("the chart, 14 seconds ago: %+v", slow)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if r := w.report(); r.Rate != 0 || r.P99 != 0 || r.Requests != 320 || len(r.points) != chart {
			t.Errorf("after a pause: %+v, %d points", r, len(r.points))
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A backend's name is the operator's, but what it is told by others is not.
func TestThePageEscapes(t *testing.T) {
	w := watched(t, lb.Config{Nodes: nodes("a"), Panic: -1})
	n := w.pool.Nodes()[0].Node
	evil := `<script>alert("x")</script>`
	_ = w.checked(func(context.Context, *lb.Node) error { return errors.New(evil) })(t.Context(), n)
	_ = w.pool.SetHealthy("a", false)
	a := &admin{watch: w, front: &front{stats: func() frontStats { return frontStats{} }}}
	page := httptest.NewRecorder()
	a.live(page, nil)
	if strings.Contains(page.Body.String(), "<script>") || !strings.Contains(page.Body.String(), "alert(") {
		t.Error(page.Body)
	}
}
