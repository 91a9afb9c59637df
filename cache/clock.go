package cache

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tick = 10 * time.Millisecond
	// slack is how far the coarse clock may lag before a value could be served
	// too long; values closer to their end than that are judged by the precise
	// clock. Ticks come late on a busy machine, so it is many ticks.
	slack = 100 * time.Millisecond
	// idleTicks without a hit stop the coarse clock.
	idleTicks = 10
)

// clock is a monotonic clock with a coarse hand that costs a reader one load
// instead of a system call. The coarse hand moves only while the cache is in
// use, so that an idle cache holds no timer and needs no Close.
type clock struct {
	base   time.Time
	coarse atomic.Int64 // MaxInt64 while it stands still: then nothing is certain

	mu   sync.Mutex
	idle int          // guarded by mu: ticks since the last use
	seen int64        // guarded by mu: uses at the last tick
	uses func() int64 // counts readers; constant
}

func newClock(uses func() int64) *clock {
	c := &clock{base: time.Now(), uses: uses}
	c.coarse.Store(math.MaxInt64)
	return c
}

// now reads the precise time.
func (c *clock) now() int64 { return int64(time.Since(c.base)) }

// at converts a wall time, which may lie before the clock's start.
func (c *clock) at(t time.Time) int64 { return int64(t.Sub(c.base)) }

// time converts back.
func (c *clock) time(ns int64) time.Time { return c.base.Add(time.Duration(ns)) }

// wind starts the coarse hand if it stands still.
func (c *clock) wind() {
	if c.coarse.Load() != math.MaxInt64 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.coarse.Load() != math.MaxInt64 {
		return
	}
	c.idle, c.seen = 0, c.uses()
	c.coarse.Store(c.now())
	var timer *time.Timer
	timer = time.AfterFunc(tick, func() {
		if c.move() {
			timer.Reset(tick)
		}
	})
}

// move advances the coarse hand and reports whether it should go on.
func (c *clock) move() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.uses(); n != c.seen {
		c.idle, c.seen = 0, n
	} else if c.idle++; c.idle >= idleTicks {
		c.coarse.Store(math.MaxInt64)
		return false
	}
	c.coarse.Store(c.now())
	return true
}
