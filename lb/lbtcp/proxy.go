package lbtcp

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy carries TCP connections to the nodes of a pool. Its methods may be
// called concurrently.
type Proxy struct {
	cfg   Config
	mu    sync.Mutex
	begun map[net.Conn]struct{} // guarded by mu: clients' connections that are in no loop
	wg    sync.WaitGroup        // clients' connections
	loops []*loop               // written before connections are accepted
	turn  atomic.Uint32         // the loop that is next

	draining                           atomic.Bool
	open                               atomic.Int64
	accepted, refused, failed, retries atomic.Int64
	sent, received                     atomic.Int64
}

// Stats counts since the start.
type Stats struct {
	Open     int64 // clients' connections now
	Accepted int64 // clients' connections ever
	Refused  int64 // closed because of how they begin, or by Route
	Failed   int64 // closed because no node accepted
	Retries  int64 // attempts to connect beyond a connection's first
	Sent     int64 // bytes to nodes, of connections that have ended
	Received int64 // bytes from nodes, likewise
}

// New checks cfg and returns a Proxy that does nothing until Run.
func New(cfg Config) (*Proxy, error) {
	cfg, err := cfg.fill()
	if err != nil {
		return nil, err
	}
	return &Proxy{cfg: cfg, begun: make(map[net.Conn]struct{})}, nil
}

// Stats returns the counters.
func (p *Proxy) Stats() Stats {
	return Stats{
		Open:     p.open.Load(),
		Accepted: p.accepted.Load(),
		Refused:  p.refused.Load(),
		Failed:   p.failed.Load(),
		Retries:  p.retries.Load(),
		Sent:     p.sent.Load(),
		Received: p.received.Load(),
	}
}

// Run serves the listeners, and closes them, until ctx ends or one of them
// fails. Then it accepts no more connections and waits for those there are, for
// as long as Config.Drain says, before it closes them. It returns
// context.Cause(ctx), or the listener's error. Run is called once.
func (p *Proxy) Run(ctx context.Context, listeners ...net.Listener) error {
	if len(listeners) == 0 {
		return errors.New("lbtcp: Run needs a listener")
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stopLoops, err := p.startLoops(stop)
	if err != nil {
		return err
	}
	defer stopLoops()
	hard, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() {
			if err := p.accept(hard, l); err != nil {
				stop(err)
			}
		})
	}
	<-ctx.Done()
	p.draining.Store(true)
	for _, l := range listeners {
		l.Close()
	}
	accepting.Wait()
	done := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(done)
	}()
	limit := time.NewTimer(p.cfg.Drain)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		giveUp()
		p.cfg.Logger.Warn("connections are given up", "connections", p.open.Load())
		p.mu.Lock()
		for c := range p.begun {
			c.Close()
		}
		p.mu.Unlock()
		stopLoops()
		<-done
	}
	return context.Cause(ctx)
}

// startLoops starts as many loops as there are processors to run them. The
// function that it returns ends them, and waits; fatal hears of one that fails.
func (p *Proxy) startLoops(fatal func(error)) (stop func(), err error) {
	var wg sync.WaitGroup
	stop = sync.OnceFunc(func() {
		for _, l := range p.loops {
			l.stop()
		}
		wg.Wait()
	})
	for range runtime.GOMAXPROCS(0) {
		l, err := newLoop(p.cfg.IdleTimeout)
		if err != nil {
			stop()
			return nil, err
		}
		p.loops = append(p.loops, l)
		wg.Go(func() {
			if err := l.run(); err != nil {
				fatal(err)
			}
		})
	}
	return stop, nil
}

// accept returns nil only after draining began.
func (p *Proxy) accept(ctx context.Context, l net.Listener) error {
	const first = 5 * time.Millisecond
	wait := first
	for {
		conn, err := l.Accept()
		if err != nil {
			if p.draining.Load() {
				return nil
			}
			//lint:ignore SA1019 out of descriptors: later there are some, and net has no other word for it
			if t, ok := errors.AsType[net.Error](err); ok && t.Temporary() {
				p.cfg.Logger.Warn("accept", "err", err)
				time.Sleep(wait)
				wait = min(2*wait, time.Second)
				continue
			}
			return err
		}
		wait = first
		p.accepted.Add(1)
		p.open.Add(1)
		p.mu.Lock()
		p.begun[conn] = struct{}{}
		p.mu.Unlock()
		p.wg.Add(1)
		go p.serve(ctx, conn)
	}
}
