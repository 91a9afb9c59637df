package cache

import (
	"math"
	"sync"
	"sync/atomic"
)

// maxTags bounds the memory of invalidated tags. Beyond it they are forgotten
// and everything with a tag that was loaded before counts as invalidated.
const maxTags = 1 << 16

// tags remembers when each tag was last invalidated, by a clock that counts
// invalidations. A value is valid if none of its tags was invalidated after
// its load began; a hit needs to look only when something was invalidated
// since the last look.
type tags struct {
	clock atomic.Uint64

	mu    sync.RWMutex
	marks map[string]uint64 // guarded by mu: tag to the clock of its invalidation
	floor uint64            // guarded by mu: clock before which every tag counts as invalidated
}

// untagged is the clock of values that no tag invalidates.
const untagged = math.MaxUint64

// invalidate voids what carries one of names and was loaded so far.
func (t *tags) invalidate(names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Load() + 1
	if len(t.marks)+len(names) > maxTags {
		clear(t.marks)
		t.floor = now
	}
	if t.marks == nil {
		t.marks = make(map[string]uint64)
	}
	for _, name := range names {
		t.marks[name] = now
	}
	t.clock.Store(now)
}

// valid reports whether none of names was invalidated after began, leaving
// aside invalidations after until.
func (t *tags) valid(names []string, began, until uint64) bool {
	if len(names) == 0 || began >= t.clock.Load() {
		return true
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if began < t.floor && t.floor <= until {
		return false
	}
	for _, name := range names {
		if m := t.marks[name]; began < m && m <= until {
			return false
		}
	}
	return true
}
