package lb

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Adaptive finds for each node how many requests it may have in flight from
// this pool, by the latencies of those that it has: as many as keep it busy,
// and few more. It is for nodes that get slower the more they have to do.
//
// The limit follows how much slower requests are than on a quiet node. What
// they take there is never taken from requests at the limit, which in a lasting
// overload would let both creep up: it is measured while half of the limit or
// less is used, and for that the limit is halved for a moment now and then, and
// halved again for as long as that makes requests much faster. A node that is
// not used keeps its limit.
//
// Several balancers in front of one node share it: each sees the others only as
// slowness that its own restraint does not cure, and puts up with it.
type Adaptive struct {
	On    bool // default off
	Start int  // limit of a node that nothing is known of; default 16
	Min   int  // default 1
	Max   int  // default Config.Limit, or 1000 if that is 0
}

func (a Adaptive) fill(limit int) (Adaptive, error) {
	if a.Max == 0 {
		if a.Max = limit; limit == 0 {
			a.Max = 1000
		}
	}
	if a.Min == 0 {
		a.Min = 1
	}
	if a.Start == 0 {
		a.Start = max(min(16, a.Max), a.Min)
	}
	if a.Min < 1 || a.Max < a.Min || a.Start < a.Min || a.Start > a.Max {
		return a, errRange("Adaptive", [3]int{a.Min, a.Start, a.Max})
	}
	return a, nil
}

const (
	gaugeWindow  = 100 * time.Millisecond // at least, and two latencies
	gaugeVolume  = 50                     // samples in a window, at least
	gaugeProbe   = 10 * time.Second       // that the quiet latency is believed in overload
	gaugeSlack   = 1.3                    // latency over the quiet one that is no sign of a queue
	gaugeFaster  = 0.75                   // latency over that of before, that makes halving worth while
	gaugeAlarm   = 3.0                    // latency over the quiet one that makes it doubted
	gaugeDropped = 0.1                    // share of failures that lowers the limit
)

// gauge is a node's limit and what it is found by: pure, it is told the time.
type gauge struct {
	Adaptive
	limit float64
	quiet float64 // log of the latency on a quiet node, in ns; 0: unknown
	sure  time.Duration

	// The window: it begins when those are over that were sent before the limit
	// was lowered.
	begin   time.Duration
	sum     float64 // of the logs of latencies
	n       int
	dropped int
	most    int // in flight

	// The search for the quiet latency.
	halving bool
	before  float64 // log of the latency at twice the limit
	back    float64 // limit to go back to
}

func newGauge(a Adaptive) *gauge { return &gauge{Adaptive: a, limit: float64(a.Start)} }

// ended takes in a request that is over: its latency, whether the node did not
// serve it, and how many were in flight with it.
func (g *gauge) ended(now, latency time.Duration, dropped bool, inFlight int) {
	if now < g.begin || latency <= 0 {
		return
	}
	g.most = max(g.most, inFlight)
	if g.n++; dropped {
		g.dropped++
	} else {
		// The mean of the logs is moved less by few long requests.
		g.sum += math.Log(float64(latency))
	}
	good := g.n - g.dropped
	if g.n < gaugeVolume || now-g.begin < gaugeWindow {
		return
	}
	if good > 0 && now-g.begin < min(2*time.Duration(math.Exp(g.sum/float64(good))), 10*gaugeWindow) {
		return
	}
	before := g.limit
	g.judge(now, good)
	g.limit = min(max(g.limit, float64(g.Min)), float64(g.Max))
	g.begin = now
	if g.limit < before && good > 0 { // those of before are over in about one latency
		g.begin += min(time.Duration(math.Exp(g.sum/float64(good))), 10*gaugeWindow)
	}
	g.sum, g.n, g.dropped, g.most = 0, 0, 0, 0
}

// judge decides at the end of a window.
func (g *gauge) judge(now time.Duration, good int) {
	if share := float64(g.dropped) / float64(g.n); share > gaugeDropped || good == 0 {
		g.limit *= max(1-share, 0.5)
		return
	}
	x := g.sum / float64(good)
	used := float64(g.most) > g.limit/2
	switch {
	case g.halving:
		g.halve(now, x)
	case !used: // nobody waits for it
		g.learn(now, x, 0.3)
	case g.quiet == 0 || x > g.quiet+math.Log(gaugeAlarm) || now-g.sure > gaugeProbe:
		g.halving, g.before, g.back = true, x, g.limit
		g.limit /= 2
	default:
		g.follow(x)
	}
}

// follow moves the limit as far as latency is above the quiet one. It grows by
// its root at most, which is the queue that chance needs.
func (g *gauge) follow(x float64) {
	slow := math.Exp(g.quiet-x) * gaugeSlack
	next := g.limit*min(max(slow, 0.5), 1) + math.Sqrt(g.limit)/2
	g.limit = (g.limit + next) / 2
	if slow >= 1 {
		g.limit = next
	}
}

// halve looks at what half the limit brought. When it no longer made requests
// much faster, they take what they take on a quiet node, and the limit goes back
// to where that began.
func (g *gauge) halve(now time.Duration, x float64) {
	if x < g.before+math.Log(gaugeFaster) && g.limit > float64(g.Min) {
		g.before, g.back = x, g.limit
		g.limit /= 2
		return
	}
	g.halving = false
	g.learn(now, (x+g.before)/2, 1) // of both: chance moves each
	g.limit = g.back
}

// learn moves the quiet latency towards x.
func (g *gauge) learn(now time.Duration, x, part float64) {
	if g.quiet == 0 {
		part = 1
	}
	g.quiet += (x - g.quiet) * part
	g.sure = now
}

// adapt is a member's gauge; nil where limits do not adapt.
type adapt struct {
	limit atomic.Int64

	mu    sync.Mutex
	gauge *gauge // guarded by mu
}

func newAdapt(a Adaptive) *adapt {
	g := &adapt{gauge: newGauge(a)}
	g.limit.Store(int64(a.Start))
	return g
}

func (a *adapt) ended(now, latency time.Duration, class Class, inFlight int) {
	if class == Canceled {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gauge.ended(now, latency, class != OK, inFlight)
	a.limit.Store(int64(a.gauge.limit))
}
