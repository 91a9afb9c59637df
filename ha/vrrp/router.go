package vrrp

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

// Router takes part in one virtual router. State and Stats are safe for
// concurrent use.
type Router struct {
	cfg Config

	mu    sync.Mutex
	state State // guarded by mu
	stats Stats // guarded by mu
}

// Stats counts since [New].
type Stats struct {
	Sent     int64 // advertisements
	Received int64 // advertisements of this virtual router that were heard
	Refused  int64 // messages for this virtual router, or for none, that were not
	Active   int64 // times it became active
	Failures int64 // of the Plumber and of the network
}

// New checks cfg and returns a Router that does nothing until Run.
func New(cfg Config) (*Router, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Router{cfg: cfg}, nil
}

// State returns what the router is.
func (r *Router) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Stats returns the counters.
func (r *Router) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

func (r *Router) count(n func(*Stats) *int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n(&r.stats)++
}

// heard is a message from the network.
type heard struct {
	adv  Advertisement
	sum  Checksum
	from netip.Addr
	err  error
}

// run is one Run: everything in it belongs to the goroutine of loop.
type run struct {
	*Router
	m       machine
	hands   *hands
	sock    *socket // nil: no network
	sum     Checksum
	carrier bool

	messages chan heard
	broken   chan *socket // it can receive no more
	events   chan ha.PlumberEvent
	reports  chan error
	readers  sync.WaitGroup
}

// Run takes part until ctx ends: then it tells the others, so that they need not
// wait, gives the addresses up, and returns context.Cause(ctx). A network that is
// not there is waited for. It fails only if this host can do no VRRP, or not
// without more rights. A Router runs once at a time.
func (r *Router) Run(ctx context.Context) error {
	sock, err := open(r.cfg)
	if errors.Is(err, errors.ErrUnsupported) || isPermission(err) {
		return err
	}
	c := r.cfg
	x := &run{
		Router: r, sock: sock, sum: c.Checksum, carrier: true,
		m: machine{version: c.Version, priority: c.Priority, interval: c.Interval,
			noPreempt: c.NoPreempt, delay: c.PreemptDelay},
		messages: make(chan heard, 64), broken: make(chan *socket), events: make(chan ha.PlumberEvent), reports: make(chan error),
	}
	if err != nil {
		x.failed(err)
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	x.hands = newHands(c, func(err error) {
		select {
		case x.reports <- err:
		case <-inner.Done():
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() { x.hands.run(inner) })
	if w, ok := c.Plumber.(watcher); ok {
		wg.Go(func() { x.watch(inner, w) })
	}
	x.listen(inner)
	x.loop(ctx, inner)
	x.do(x.m.stop())
	cancel()
	wg.Wait() // hands has detached
	if x.sock != nil {
		x.sock.close()
	}
	x.readers.Wait()
	x.setState(Initialize)
	return context.Cause(ctx)
}

// loop is the driver of the machine.
func (x *run) loop(ctx, inner context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	reopen := time.NewTicker(time.Second)
	defer reopen.Stop()
	for {
		if x.sock != nil && x.carrier {
			x.do(x.m.start(time.Now()))
		}
		if d := x.m.deadline(); d.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(d))
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			x.do(x.m.tick(time.Now()))
		case msg := <-x.messages:
			x.receive(msg)
		case s := <-x.broken:
			if s == x.sock {
				x.unplug()
			}
		case e := <-x.events:
			x.event(inner, e)
		case err := <-x.reports:
			x.failed(err)
			if errors.Is(err, errLost) {
				x.do(x.m.lost(time.Now()))
			} else {
				x.do(x.m.fail(time.Now()))
			}
		case <-reopen.C:
			if x.sock == nil && x.carrier {
				x.plug(inner)
			}
		}
	}
}

// do carries effects out.
func (x *run) do(effects []effect) {
	for _, e := range effects {
		switch e {
		case advertise:
			x.send(x.m.priority)
		case resign:
			x.send(0)
		default:
			x.hands.ask(e)
		}
	}
	x.setState(x.m.state)
}

func (r *Router) setState(s State) {
	r.mu.Lock()
	was := r.state
	r.state = s
	if s == Active && was != Active {
		r.stats.Active++
	}
	r.mu.Unlock()
	if was == s {
		return
	}
	r.cfg.Logger.Info("vrrp state", "from", was, "to", s)
	if f := r.cfg.Trace.State; f != nil {
		f(was, s)
	}
}

func (x *run) send(priority uint8) {
	if x.sock == nil {
		return
	}
	a := x.cfg.advertisement()
	a.Priority = priority
	b, err := a.Marshal(x.sock.src, groupOf(x.sock.src), x.sum)
	if err == nil {
		err = x.sock.send(b)
	}
	if err != nil {
		x.failed(err)
		return
	}
	x.count(func(s *Stats) *int64 { return &s.Sent })
}

func (x *run) failed(err error) {
	x.count(func(s *Stats) *int64 { return &s.Failures })
	x.cfg.Logger.Warn("vrrp", "error", err)
	if f := x.cfg.Trace.Failed; f != nil {
		f(err)
	}
}

func (x *run) receive(h heard) {
	if h.err == nil && h.adv.VRID != x.cfg.VRID {
		return // another virtual router of the same LAN
	}
	if h.err == nil {
		h.err = x.cfg.accept(h.adv)
	}
	if h.err != nil {
		x.count(func(s *Stats) *int64 { return &s.Refused })
		if f := x.cfg.Trace.Refused; f != nil {
			f(h.from, h.err)
		}
		return
	}
	x.count(func(s *Stats) *int64 { return &s.Received })
	if x.cfg.Checksum == AsHeard {
		x.sum = h.sum
	}
	x.do(x.m.receive(time.Now(), h.adv, h.from))
}
