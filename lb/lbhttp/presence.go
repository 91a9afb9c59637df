package lbhttp

import (
	"context"
	"sync"
	"time"
)

// presence is the context of what a request waits for before a node has it: its
// turn in the pool's queue, a new connection. It ends, for good, when the client
// has gone or the server gives its requests up. Since nearly no request waits,
// its channel is made only when somebody asks for it.
type presence struct {
	mu    sync.Mutex
	ended bool          // guarded by mu
	done  chan struct{} // guarded by mu
}

// end is called by the ticker, for a client whose alarm it holds.
func (p *presence) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended && p.done != nil {
		close(p.done)
	}
	p.ended = true
}

func (p *presence) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
		if p.ended {
			close(p.done)
		}
	}
	return p.done
}

func (p *presence) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return context.Canceled
	}
	return nil
}

func (*presence) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*presence) Value(any) any               { return nil }
