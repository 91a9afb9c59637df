package memcached

import (
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestThreeFailuresInARowEject(t *testing.T) {
	var h health
	fail := func() bool { return h.failed(noon, noon.Add(time.Second), false, time.Second) }
	var ejected []bool
	for range 2 {
		ejected = append(ejected, fail())
	}
	h.succeeded()
	for range 3 {
		ejected = append(ejected, fail())
	}
	if want := []bool{false, false, false, false, true}; !slices.Equal(ejected, want) {
		t.Fatalf("ejected at %t, want %t: at the third failure after a success", ejected, want)
	}
}

// Callers with no patience must not make a healthy server look ill.
func TestCallsCutShortEjectOnlyWhenTheyLastedATimeout(t *testing.T) {
	var h health
	for i := range 50 {
		began := noon.Add(time.Duration(i) * time.Millisecond)
		if h.failed(began, began.Add(time.Millisecond), true, time.Second) {
			t.Fatalf("ejected by call %d, within %d ms of a time-out of a second", i, i)
		}
	}
	if !h.failed(noon, noon.Add(time.Second), true, time.Second) {
		t.Error("not ejected after a whole time-out without an answer")
	}
}

func TestAttemptsToReturnBackOffToHalfAMinute(t *testing.T) {
	var h health
	now := noon
	h.eject(now, 0)
	for _, want := range []time.Duration{500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000} {
		want *= time.Millisecond
		if h.due(now.Add(want - 1)) {
			t.Fatalf("due before %v", want)
		}
		now = now.Add(want)
		if !h.due(now) {
			t.Fatalf("not due after %v", want)
		}
		h.start()
		if h.due(now) {
			t.Fatal("two attempts at once")
		}
		if back, again := h.finish(false, 0, now, 0); back || again {
			t.Fatal("back without a purge")
		}
	}
	// At most a quarter earlier, so that not all clients come at once.
	h = health{}
	h.eject(noon, 0.999)
	if !h.due(noon.Add(376*time.Millisecond)) || h.due(noon.Add(374*time.Millisecond)) {
		t.Error("the jitter is not a quarter")
	}
}

func TestAChangeMissedDuringThePurgeNeedsAnother(t *testing.T) {
	var h health
	h.eject(noon, 0)
	h.start()
	missed := h.answers()
	h.eject(noon, 0) // a change did not reach it
	if back, again := h.finish(true, missed, noon, 0); back || !again {
		t.Fatalf("back %v, again %v", back, again)
	}
	if back, _ := h.finish(true, h.missed, noon, 0); !back || h.out {
		t.Error("not back after the second purge")
	}
}
