package lbtcp

import (
	"errors"
	"sync"
)

// errGivenUp is the error of connections that have not ended within Config.Drain.
var errGivenUp = errors.New("lbtcp: given up when Config.Drain was over")

// pair is a client's connection and its node's, in a loop: two descriptors that
// nobody else knows. It belongs to the loop's goroutine.
type pair struct {
	client, server int
	up, down       stream
	upWaits        next
	downWaits      next
	quiet          uint8 // checks since something moved
	seen           int64 // what had moved then
	done           func(sent, received int64, err error)
}

// table gives pairs numbers, by which the kernel reports about them. A number is
// used again at once: a report that comes late makes its new owner look in vain,
// and nothing else.
type table struct {
	mu     sync.Mutex
	pairs  []*pair // guarded by mu
	free   []int32 // guarded by mu
	closed bool    // guarded by mu: no more are taken
}

// get returns nil for a pair that has ended.
func (t *table) get(i int32) *pair {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pairs[i]
}

func (t *table) remove(i int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pairs[i] = nil
	t.free = append(t.free, i)
}

// add calls enter with p's number, before anybody else can get p.
func (t *table) add(p *pair, enter func(i int32) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errGivenUp
	}
	i := int32(len(t.pairs))
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		t.pairs = append(t.pairs, nil)
	}
	err := enter(i)
	if err != nil {
		t.free = append(t.free, i)
		return err
	}
	t.pairs[i] = p
	return nil
}

// all returns the numbers of those there are.
func (t *table) all() []int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []int32
	for i, p := range t.pairs {
		if p != nil {
			all = append(all, int32(i))
		}
	}
	return all
}

// isQuiet is asked idleChecks times within the time for which nothing may move
// at most, and reports when it is over.
func (p *pair) isQuiet() bool {
	if moved := p.up.moved + p.down.moved; moved != p.seen {
		p.seen, p.quiet = moved, 0
		return false
	}
	p.quiet++
	return p.quiet >= idleChecks
}
