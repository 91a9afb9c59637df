package lb

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Tracker counts the requests of one node, on the node, and makes its reports.
// It is made by [NewTracker] and safe for concurrent use. Times are since any
// moment, as long as it is the same for all calls.
//
// Slowness is the time that cores spent at work divided by the requests that
// were finished, so that a node that hangs grows slower in its reports while
// nothing is finished. It is measured over a long window; a short one takes
// over as far as the two differ by more than chance allows, going by how much
// the requests differ among themselves. So neither heavy tails make it nervous,
// nor does it sleep while the node is throttled.
type Tracker struct {
	mu       sync.Mutex
	cores    float64       // constant
	n        int           // guarded by mu, like the rest: requests in flight
	at       time.Duration // when the windows were brought up to date
	long     window
	short    window
	mean     float64    // moving average of the work of a request, and of its square
	square   float64    //
	by       [64]recent // requests by how many others they met
	draining bool
}

// recent is a ring of latencies in ns.
type recent struct {
	n  uint32 // so many are or were in ns
	ns [8]float32
}

func (r *recent) add(d time.Duration) {
	r.ns[r.n%uint32(len(r.ns))] = float32(d)
	r.n++
}

func (r *recent) all() []float32 { return r.ns[:min(int(r.n), len(r.ns))] }

// window is core time over finished requests, both forgotten by each request.
type window struct {
	busy, done float64
}

const (
	longGain  = 0.005
	shortGain = 0.04
	// doubt is how many standard deviations apart the windows are when each is
	// believed by half.
	doubt = 2.5
)

// NewTracker returns a tracker for a node that serves as many requests side by
// side at full speed as cores says.
func NewTracker(cores float64) *Tracker {
	return &Tracker{cores: max(cores, 1e-3)}
}

// Begin notes a request that has come, and returns how many it met.
func (t *Tracker) Begin(now time.Duration) (met int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	t.n++
	return t.n - 1
}

// End notes that a request which came at begin and met so many others is
// served; one that failed or was given up ends with Abort.
func (t *Tracker) End(now, begin time.Duration, met int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	crowd := max((float64(met+1)+float64(t.n))/2, 1)
	t.n = max(t.n-1, 0)
	for _, w := range []struct {
		*window
		gain float64
	}{{&t.long, longGain}, {&t.short, shortGain}} {
		w.busy *= 1 - w.gain
		w.done = w.done*(1-w.gain) + 1
	}
	x := float64(now-begin) * min(1, t.cores/crowd)
	if t.mean == 0 {
		t.mean, t.square = x, x*x
	}
	t.mean += (x - t.mean) * longGain
	t.square += (x*x - t.square) * longGain
	t.by[t.place(met)].add(now - begin)
}

// Abort notes that a request is over and says nothing about speed.
func (t *Tracker) Abort(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	t.n = max(t.n-1, 0)
}

// Drain makes the reports ask for no new requests, or for requests again.
func (t *Tracker) Drain(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draining = on
}

// Report returns what the node has to say now.
func (t *Tracker) Report(now time.Duration) Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	return Report{
		RIF:      uint32(t.n),
		Cores:    float32(t.cores),
		Slowness: time.Duration(t.slowness()),
		Latency:  t.expect(),
		Draining: t.draining,
	}
}

func (t *Tracker) advance(now time.Duration) {
	if now > t.at {
		busy := float64(now-t.at) * min(float64(t.n), t.cores)
		t.long.busy += busy
		t.short.busy += busy
		t.at = now
	}
}

// slowness weighs the two windows.
func (t *Tracker) slowness() float64 {
	if t.long.done < 1 {
		return 0
	}
	long, short := t.long.busy/t.long.done, t.short.busy/t.short.done
	if long <= 0 || short <= 0 {
		return max(long, short)
	}
	cv2 := min(max(t.square/(t.mean*t.mean)-1, 0.02), 25)
	apart := math.Log(short / long)
	chance := cv2 / t.short.done * doubt * doubt
	w := apart * apart / (apart*apart + chance)
	return long * math.Exp(w*apart)
}

// expect is the median latency of recent requests that met as many others as
// one would meet now, or nearly as many: of eight at least, if there are so
// many (Prequal's estimate).
//
// They are kept by what they met and not by when they ended. Of those that
// ended last on a node that fills up, most were short: they make it look
// quick, and all balancers go there.
func (t *Tracker) expect() time.Duration {
	var found [3 * len(t.by[0].ns)]float32
	n, here := 0, t.place(t.n)
	for d := 0; d < len(t.by) && n < len(t.by[0].ns); d++ {
		if here-d >= 0 {
			n += copy(found[n:], t.by[here-d].all())
		}
		if d > 0 && here+d < len(t.by) {
			n += copy(found[n:], t.by[here+d].all())
		}
	}
	if n == 0 {
		return 0
	}
	slices.Sort(found[:n])
	return time.Duration(found[n/2])
}

// place is where requests are kept that met so many others. Sixteen places or
// more are for what the cores can take.
func (t *Tracker) place(met int) int {
	return min(int(float64(met)/max(1, t.cores/16)), len(t.by)-1)
}
