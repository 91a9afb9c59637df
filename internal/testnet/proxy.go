package testnet

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy forwards TCP connections to one server until it is told to fail. Its
// methods are safe for concurrent use.
type Proxy struct {
	target string
	ln     net.Listener
	ctx    context.Context // ends with the proxy
	stop   context.CancelFunc
	wg     sync.WaitGroup // the goroutines

	mu     sync.Mutex
	links  map[*link]bool
	closed bool
	paused chan struct{} // closed by Resume; nil if not paused
	delay  time.Duration
	chunks int
	before int // the number of the chunk that is not forwarded, or 0
	after  int // the number of the chunk whose reply is lost, or 0
}

// NewProxy starts a proxy to the server at target, host:port, which ends with
// the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testnet: %v", err)
	}
	p := &Proxy{target: target, ln: ln, links: map[*link]bool{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr returns where clients connect to, host:port.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Chunks returns how many chunks came from clients and were forwarded since the
// proxy began.
func (p *Proxy) Chunks() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chunks
}

// Conns returns how many connections are not at their end on both sides.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// CutAfter cuts the connection of the n-th chunk from now once that chunk was
// forwarded and the server replied, or did not within a tenth of a second. The
// reply is lost. It takes the place of an earlier CutAfter; 0 takes it back.
func (p *Proxy) CutAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.after = 0; n > 0 {
		p.after = p.chunks + n
	}
}

// CutBefore cuts the connection of the n-th chunk from now instead of forwarding
// it. It takes the place of an earlier CutBefore; 0 takes it back.
func (p *Proxy) CutBefore(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.before = 0; n > 0 {
		p.before = p.chunks + n
	}
}

// Cut cuts all connections that there are now.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Pause holds everything back in both directions, also of new connections, like
// a network that swallows all packets.
func (p *Proxy) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused == nil {
		p.paused = make(chan struct{})
	}
}

// Resume ends Pause and forwards what was held back.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != nil {
		close(p.paused)
		p.paused = nil
	}
}

// Delay holds each later read from either side back by d, one after the other.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.abandon()
	}
	p.mu.Unlock()
	p.stop()
	_ = p.ln.Close()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			if p.ctx.Err() != nil {
				return
			}
			// Too many open files, or a client that was gone already.
			select {
			case <-time.After(10 * time.Millisecond):
				continue
			case <-p.ctx.Done():
				return
			}
		}
		l := newLink(p, c.(*net.TCPConn))
		p.mu.Lock()
		if p.closed {
			l.cut() // and run finds it so
		}
		p.links[l] = true
		p.mu.Unlock()
		p.wg.Go(l.run)
	}
}

// forget is called when a link's goroutines are done.
func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// fate is what becomes of a chunk.
type fate uint8

const (
	forwarded fate = iota
	dropped        // the connection is to be cut instead
	replyLost      // it is to be cut afterwards
)

// next counts a chunk of a client and decides its fate.
func (p *Proxy) next() fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.chunks + 1 {
	case p.before:
		p.before = 0
		return dropped
	case p.after:
		p.chunks++
		p.after = 0
		return replyLost
	}
	p.chunks++
	return forwarded
}

// hold waits as Delay and Pause say. It returns false if the link was cut
// meanwhile.
func (p *Proxy) hold(l *link) bool {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.done:
			return false
		}
	}
	for {
		p.mu.Lock()
		paused := p.paused
		p.mu.Unlock()
		if paused == nil {
			break
		}
		select {
		case <-paused:
		case <-l.done:
			return false
		}
	}
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}
