package lbsim

import (
	"context"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

type request struct {
	begin    int64 // at the balancer
	reached  int64
	met      int
	balancer int32
	server   int32
	measured bool
	failed   bool
	work     float64
	lease    lb.Lease
	report   lb.Report
}

// arrive gives a request to a balancer and sends it on.
func (f *farm) arrive() error {
	if f.begun%4096 == 0 && f.ctx.Err() != nil {
		return context.Cause(f.ctx)
	}
	f.begun++
	// Traffic goes on while measured requests are served, but not for ever: a
	// server that was given more than it can do would never get rid of them.
	if f.begun < f.total+f.total/8 {
		f.events.push(event{at: f.now + int64(f.rnd.ExpFloat64()*f.interval) + 1, kind: arrival})
	}
	b := int32(f.rnd.IntN(len(f.pools)))
	work := f.Dist.sample(f.rnd) * float64(f.Work)
	l, err := f.pools[b].Acquire(f.ctx, lb.Request{})
	if err != nil {
		return err
	}
	i := f.take()
	r := &f.requests[i]
	*r = request{
		begin: f.now, balancer: b, server: f.index[l.Node().ID], work: work, lease: l,
		measured: f.begun > f.Warmup && f.begun <= f.total,
	}
	f.servers[r.server].sent++
	f.count(r.server)
	f.events.push(event{at: f.hop(), kind: reaches, who: i})
	f.probe(b)
	return nil
}

func (f *farm) take() int32 {
	if n := len(f.free); n > 0 {
		i := f.free[n-1]
		f.free = f.free[:n-1]
		return i
	}
	f.requests = append(f.requests, request{})
	return int32(len(f.requests) - 1)
}

func (f *farm) reach(i int32) {
	r := &f.requests[i]
	s := &f.servers[r.server]
	s.tokens = max(s.tokens-1, 0)
	switch f.fault(r.server) {
	case fast:
		f.lose(r, f.hop()+int64(200*time.Microsecond), i)
		return
	case silent:
		f.lose(r, max(r.begin+int64(f.Timeout), f.now), i)
		return
	}
	r.reached = f.now
	r.met = s.tracker.Begin(time.Duration(f.now))
	s.advance(f.now)
	s.push(job{ends: s.served + r.work, req: i})
	f.schedule(s)
}

// lose makes request i fail at the balancer then.
func (f *farm) lose(r *request, then int64, i int32) {
	r.failed = true
	f.servers[r.server].sent--
	f.events.push(event{at: then, kind: returns, who: i})
}

// count notes that a request is sent to the server now.
func (f *farm) count(server int32) {
	if f.Window == 0 {
		return
	}
	for w := int(f.now / int64(f.Window)); len(f.sent) <= w; {
		f.sent = append(f.sent, make([]int, len(f.servers)))
	}
	f.sent[len(f.sent)-1][server]++
}

// schedule makes the event of the server's next end.
func (f *farm) schedule(s *server) {
	s.version++
	if len(s.jobs) > 0 {
		f.events.push(event{at: s.next(), kind: finishes, who: s.id, seq: s.version})
	}
}

func (f *farm) reply(s *server, i int32) {
	r := &f.requests[i]
	s.sent--
	s.tracker.End(time.Duration(f.now), time.Duration(r.reached), r.met)
	r.report = s.tracker.Report(time.Duration(f.now))
	f.events.push(event{at: f.hop(), kind: returns, who: i})
	if f.entry.Tokens && len(s.jobs)+s.tokens < f.Cores {
		s.tokens++
		f.tell(s.id, int32(f.rnd.IntN(len(f.pools))))
	}
}

func (f *farm) finish(i int32) {
	r := &f.requests[i]
	o := lb.Outcome{Latency: time.Duration(f.now - r.begin)}
	switch {
	case r.failed:
		o.Class = lb.Failed
	case !f.entry.Tokens && f.entry.Every == 0:
		o.Report = &r.report
	}
	r.lease.Done(o)
	if r.measured {
		f.measured = append(f.measured, f.now-r.begin)
		f.shares[r.server]++
		if r.failed {
			f.failed++
		}
		f.over++
	}
	f.free = append(f.free, i)
}
