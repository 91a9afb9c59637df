package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// Two cores of speed 2 share equally among three requests, and a timer that
// comes late takes nothing from the others.
func TestTheEngineSharesItsCores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(2, 2, 1)
		begin := time.Now()
		// Two alone: 40 ms of work take 20 ms. With a third from 10 ms on, each
		// gets two thirds of a core of speed 2.
		a, b := e.serve(40*time.Millisecond), e.serve(80*time.Millisecond)
		time.Sleep(10 * time.Millisecond)
		c := e.serve(20 * time.Millisecond)
		if r := e.report(); r.RIF != 3 || r.Cores != 2 {
			t.Errorf("%+v", r)
		}
		for _, one := range []struct {
			done <-chan struct{}
			want time.Duration
		}{{a, 25 * time.Millisecond}, {c, 25 * time.Millisecond}, {b, 45 * time.Millisecond}} {
			<-one.done
			if got := time.Since(begin).Round(time.Millisecond); got != one.want {
				t.Errorf("done after %v, want %v", got, one.want)
			}
		}
		e.timer.Stop()
	})
}
