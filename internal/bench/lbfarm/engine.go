package main

import (
	"container/heap"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsim"
)

// engine shares its cores equally among its requests, as the simulator's
// servers do, but in real time. It computes when each request should have
// ended: a timer that is late delays one answer, and takes nothing from the
// requests after it.
type engine struct {
	epoch   time.Time
	tracker *lb.Tracker

	mu     sync.Mutex
	rnd    *rand.Rand // guarded by mu, like the rest
	cores  float64
	usual  float64
	speed  float64 // now
	noise  lbsim.Noise
	turn   time.Duration // when it gets slow, or well again; 0: never
	jobs   jobs
	served float64       // what a request that is there from the beginning has got, in ns of speed 1
	at     time.Duration // when served was brought up to date
	timer  *time.Timer   // when the next request ends
}

type job struct {
	ends  float64 // it is done when served has come so far
	begin time.Duration
	met   int
	done  chan struct{}
}

type jobs []job

func (j jobs) Len() int           { return len(j) }
func (j jobs) Less(a, b int) bool { return j[a].ends < j[b].ends }
func (j jobs) Swap(a, b int)      { j[a], j[b] = j[b], j[a] }
func (j *jobs) Push(x any)        { *j = append(*j, x.(job)) }
func (j *jobs) Pop() any {
	n := len(*j) - 1
	x := (*j)[n]
	*j = (*j)[:n]
	return x
}

func newEngine(speed float64, cores int, seed uint64) *engine {
	e := &engine{
		epoch: time.Now(), tracker: lb.NewTracker(float64(cores)), rnd: rand.New(rand.NewPCG(seed, 3)),
		cores: float64(cores), usual: speed, speed: speed,
	}
	e.timer = time.AfterFunc(time.Hour, e.expire)
	return e
}

// quiet draws how long it stays well.
func (e *engine) quiet() time.Duration {
	return time.Duration(e.rnd.ExpFloat64() * float64(e.noise.Every-e.noise.For))
}

// serve takes a request in, and returns what is closed when it is done.
func (e *engine) serve(work time.Duration) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Since(e.epoch)
	e.advance(now)
	j := job{ends: e.served + float64(work), begin: now, met: e.tracker.Begin(now), done: make(chan struct{})}
	heap.Push(&e.jobs, j)
	e.schedule(now)
	return j.done
}

func (e *engine) report() lb.Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Since(e.epoch)
	e.advance(now)
	e.schedule(now)
	return e.tracker.Report(now)
}

func (e *engine) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Since(e.epoch)
	e.advance(now)
	e.schedule(now)
}

// rate is how fast each request is served now.
func (e *engine) rate() float64 {
	return e.speed * min(1, e.cores/float64(max(len(e.jobs), 1)))
}

// next is when the first request ends, if nothing changes before.
func (e *engine) next() time.Duration {
	return e.at + time.Duration(max(e.jobs[0].ends-e.served, 0)/e.rate()) + 1
}

// advance lets everything happen, in order, that was due before now.
func (e *engine) advance(now time.Duration) {
	for {
		to, ends, turns := now, false, false
		if len(e.jobs) > 0 && e.next() <= to {
			to, ends = e.next(), true
		}
		if e.turn > 0 && e.turn <= to {
			to, ends, turns = e.turn, false, true
		}
		e.served += float64(to-e.at) * e.rate()
		e.at = to
		switch {
		case ends:
			j := heap.Pop(&e.jobs).(job)
			e.tracker.End(to, j.begin, j.met)
			close(j.done)
		case turns && e.speed == e.usual:
			e.speed *= e.noise.Factor
			e.turn += e.noise.For
		case turns:
			e.speed = e.usual
			e.turn += e.quiet()
		default:
			return
		}
	}
}

func (e *engine) schedule(now time.Duration) {
	if len(e.jobs) > 0 {
		e.timer.Reset(e.next() - now)
	}
}
