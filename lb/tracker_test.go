package lb_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

func TestTrackerFindsTheWorkOfARequest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	tr := lb.NewTracker(1)
	now := time.Duration(0)
	serve := func(n int, mean time.Duration) {
		for range n {
			now += time.Millisecond
			begin := now
			met := tr.Begin(now)
			now += time.Duration(rnd.ExpFloat64() * float64(mean))
			tr.End(now, begin, met)
		}
	}
	serve(2000, 10*time.Millisecond)
	if got := tr.Report(now).Slowness; math.Abs(float64(got)/1e7-1) > 0.15 {
		t.Errorf("slowness %v, want about 10ms", got)
	}
	serve(60, 40*time.Millisecond)
	if got := tr.Report(now).Slowness; got < 22*time.Millisecond {
		t.Errorf("after 60 requests four times as slow: %v", got)
	}
}

// While nothing is finished the report grows slower, and nothing in it runs off.
func TestTrackerSeesAHang(t *testing.T) {
	tr := lb.NewTracker(2)
	now := time.Duration(0)
	for range 500 {
		met := tr.Begin(now)
		begin := now
		now += 10 * time.Millisecond
		tr.End(now, begin, met)
	}
	before := tr.Report(now)
	tr.Begin(now)
	now += 10 * time.Second
	after := tr.Report(now)
	if after.RIF != 1 || after.Slowness < 5*before.Slowness {
		t.Errorf("before a hang of ten seconds %+v, after it %+v", before, after)
	}
	tr.Abort(now)
	tr.Abort(now)
	tr.Drain(true)
	if r := tr.Report(now); r.RIF != 0 || !r.Draining {
		t.Errorf("%+v", r)
	}
}

// What a request may expect is what those had that met as many others, however
// many short ones ended since.
func TestExpectedLatencyIsThatOfEqualCrowds(t *testing.T) {
	tr := lb.NewTracker(4)
	now := time.Duration(0)
	served := func(met int, latency time.Duration) {
		for range met {
			tr.Begin(now)
		}
		got := tr.Begin(now)
		tr.End(now+latency, now, got)
		now += latency
		for range met {
			tr.Abort(now)
		}
	}
	for range 20 {
		served(0, 10*time.Millisecond)
		served(30, 80*time.Millisecond)
	}
	for range 200 {
		served(10, time.Millisecond)
	}
	for met, want := range map[int]time.Duration{0: 10 * time.Millisecond, 10: time.Millisecond, 30: 80 * time.Millisecond, 500: 80 * time.Millisecond} {
		for range met {
			tr.Begin(now)
		}
		if got := tr.Report(now).Latency; got != want {
			t.Errorf("with %d in flight: %v, want %v", met, got, want)
		}
		for range met {
			tr.Abort(now)
		}
	}
}
