package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

const (
	window = 10  // seconds over which rates and latencies are taken
	chart  = 120 // seconds that the charts show
)

// watch sees what becomes of requests, for the status page. Its hooks run
// beside every request: they add to counters and lock nothing.
type watch struct {
	pool  *lb.Pool // set before Run
	began time.Time
	nodes sync.Map // *lb.Node to *nodeWatch: a member's node changes when its address does

	mu    sync.Mutex
	byID  map[string]*nodeWatch // guarded by mu
	past  []moment              // guarded by mu: the last ones, a second apart
	chart []point               // guarded by mu: the last ones, a second apart
}

// nodeWatch is what is known about one backend.
type nodeWatch struct {
	latencies latencies
	failure   atomic.Pointer[string] // the last one of a request
	check     atomic.Pointer[string] // what the last check found wrong; nil: nothing
	drained   atomic.Bool            // by the operator
}

// moment is what had been counted at some time, by backend.
type moment struct {
	at    time.Time
	nodes map[string]counted
}

type counted struct {
	requests, failed int64
	latencies        *tally
}

// point is one second of the charts.
type point struct {
	rate, failed float64 // a second
	p50, p99     time.Duration
}

func newWatch() *watch { return &watch{began: time.Now(), byID: make(map[string]*nodeWatch)} }

func (w *watch) of(n *lb.Node) *nodeWatch {
	if nw, ok := w.nodes.Load(n); ok {
		return nw.(*nodeWatch)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	nw := w.byID[n.ID]
	if nw == nil {
		nw = new(nodeWatch)
		w.byID[n.ID] = nw
	}
	w.nodes.Store(n, nw)
	return nw
}

// done is the pool's hook.
func (w *watch) done(n *lb.Node, o lb.Outcome) {
	switch {
	case o.Class == lb.OK && o.Latency > 0:
		w.of(n).latencies.add(o.Latency)
	case o.Class == lb.Rejected:
		w.of(n).failure.Store(&overloaded)
	}
}

var overloaded = "it answered 429 or 503"

// attempt is the hook of HTTP.
func (w *watch) attempt(err *lbhttp.AttemptError, _ bool) { w.failed(err.Node, err.Err) }

// connect is the hook of TCP, where the time to connect is the only latency.
func (w *watch) connect(n *lb.Node, _ int, took time.Duration, err error) {
	if err != nil {
		w.failed(n, err)
		return
	}
	w.of(n).latencies.add(took)
}

func (w *watch) failed(n *lb.Node, err error) {
	if !errors.Is(err, context.Canceled) {
		text := err.Error()
		w.of(n).failure.Store(&text)
	}
}

// drain keeps new requests from a backend, or lets them in again. It reports
// whether there is such a backend.
func (w *watch) drain(id string, on bool) bool {
	if w.pool.SetDraining(id, on) != nil {
		return false
	}
	for _, n := range w.pool.Nodes() {
		if n.Node.ID == id {
			w.of(n.Node).drained.Store(on)
		}
	}
	return true
}

// checked remembers what checks find wrong.
func (w *watch) checked(check func(context.Context, *lb.Node) error) func(context.Context, *lb.Node) error {
	return func(ctx context.Context, n *lb.Node) error {
		err := check(ctx, n)
		if err == nil {
			w.of(n).check.Store(nil)
		} else {
			text := err.Error()
			w.of(n).check.Store(&text)
		}
		return err
	}
}

// run looks at the counters every second until ctx ends.
func (w *watch) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	w.look(time.Now())
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-tick.C:
			w.look(now)
		}
	}
}

// look takes in the moment now.
func (w *watch) look(now time.Time) {
	m := moment{now, make(map[string]counted)}
	current := make(map[*lb.Node]bool)
	for _, n := range w.pool.Nodes() {
		m.nodes[n.Node.ID] = w.count(n)
		current[n.Node] = true
	}
	w.nodes.Range(func(n, _ any) bool {
		if !current[n.(*lb.Node)] {
			w.nodes.Delete(n)
		}
		return true
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.byID {
		if _, ok := m.nodes[id]; !ok {
			delete(w.byID, id)
		}
	}
	if len(w.past) > 0 {
		w.chart = last(append(w.chart, between(w.past[len(w.past)-1], m)), chart)
	}
	w.past = last(append(w.past, m), window)
}

func (w *watch) count(n lb.NodeStats) counted {
	t := w.of(n.Node).latencies.tally()
	return counted{n.Acquired, n.Failed, &t}
}

// between sums up what happened from one moment to another.
func between(a, b moment) (p point) {
	var all tally
	seconds := b.at.Sub(a.at).Seconds()
	for id, n := range b.nodes {
		was, ok := a.nodes[id]
		if !ok {
			was.latencies = new(tally)
		}
		p.rate += float64(max(n.requests-was.requests, 0)) / seconds
		p.failed += float64(max(n.failed-was.failed, 0)) / seconds
		all.add(n.latencies, was.latencies)
	}
	p.p50, p.p99 = all.quantile(0.5), all.quantile(0.99)
	return p
}

// last keeps the last n of a list.
func last[T any](list []T, n int) []T { return list[max(len(list)-n, 0):] }

// why says what keeps a backend from its full share, in words.
func (nw *nodeWatch) why(n lb.NodeStats) string {
	text := ""
	switch n.State {
	case "down":
		text = "its check fails"
		if c := nw.check.Load(); c != nil {
			text = *c
		}
	case "ejected":
		text = fmt.Sprintf("it failed too often; tried again in %v", n.Remains.Round(time.Second))
		if f := nw.failure.Load(); f != nil {
			text += ": " + *f
		}
	case "draining":
		text = "it asks for no more itself"
		if nw.drained.Load() {
			text = "as asked for here"
		}
	case "starting":
		return fmt.Sprintf("it came back, and has its full share in %v", n.Remains.Round(time.Second))
	}
	if n.Usable && text != "" {
		text += "; used all the same, since too few are well"
	}
	return text
}
