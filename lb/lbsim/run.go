package lbsim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// Entry is a policy that takes part, with what it is given besides replies.
type Entry struct {
	Name   string
	Policy lb.Policy
	// Oracle replaces Policy by a rule that sees the servers themselves.
	Oracle Oracle
	// Tokens makes servers tell a balancer drawn at random when a core gets
	// free, as join-idle-queue wants it, instead of reporting with replies.
	Tokens bool
	// Weighted gives the nodes their true speeds as weights.
	Weighted bool
	// Every makes each server tell all balancers its state so often, instead of
	// reporting with replies; default not.
	Every time.Duration
	// Config is what else the pools are made with; Nodes, Policy, Now and Rand
	// are the simulator's.
	Config lb.Config
}

// Result is what came out of a run. Latencies are those of measured requests
// from the balancer's decision to the reply's arrival there.
type Result struct {
	Entry, Scenario      string
	Mean, P50, P99, P999 time.Duration
	Failed               float64   // share of measured requests that failed
	Shares               []float64 // of the measured requests, by server
	Probes               float64   // for each request
	Max                  time.Duration
}

// farm is a run in progress.
type farm struct {
	Scenario
	entry    Entry
	now      int64
	events   queue
	rnd      *rand.Rand // traffic
	choice   *rand.Rand // policies
	servers  []server
	pools    []*lb.Pool
	credit   []float64 // probes owed, by balancer
	rate     float64   // probes for each request
	requests []request
	free     []int32 // of requests
	reports  []message
	freeReps []int32
	ids      []string
	index    map[string]int32
	begun    int
	over     int
	measured []int64
	shares   []int
	failed   int
	probes   int
	interval float64 // mean ns between arrivals
	total    int
	ctx      context.Context // Run's
}

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

// message is a probe on its way, or a report that comes without a reply.
type message struct {
	server, balancer int32
	report           lb.Report
}

// Run plays the scenario with the entry. The same arguments give the same
// result. It ends early with the cause when ctx ends.
func Run(ctx context.Context, s Scenario, e Entry) (Result, error) {
	f, err := newFarm(ctx, s, e)
	if err != nil {
		return Result{}, err
	}
	for f.over < f.Requests {
		if err := f.step(); err != nil {
			return Result{}, err
		}
	}
	return f.result(), nil
}

func newFarm(ctx context.Context, s Scenario, e Entry) (*farm, error) {
	s, err := s.fill()
	if err != nil {
		return nil, err
	}
	f := &farm{
		Scenario: s, entry: e, ctx: ctx,
		rnd:      rand.New(rand.NewPCG(s.Seed, 1)),
		choice:   rand.New(rand.NewPCG(s.Seed, 2)),
		servers:  make([]server, s.Servers),
		credit:   make([]float64, s.Balancers),
		shares:   make([]int, s.Servers),
		index:    make(map[string]int32),
		total:    s.Warmup + s.Requests,
		interval: float64(s.Work) / (s.capacity() * s.Load),
	}
	nodes := make([]lb.Node, s.Servers)
	for i := range f.servers {
		id := fmt.Sprintf("s%05d", i)
		f.ids = append(f.ids, id)
		f.index[id] = int32(i)
		nodes[i].ID = id
		if e.Weighted {
			nodes[i].Weight = s.speed(i)
		}
		f.servers[i] = server{
			id: int32(i), fast: i < s.Fast,
			speed: s.speed(i), usual: s.speed(i), cores: float64(s.Cores),
			tracker: lb.NewTracker(float64(s.Cores)),
		}
		if s.Noise.Every > 0 {
			f.events.push(event{at: f.quiet(), kind: slows, who: int32(i)})
		}
		if e.Every > 0 {
			f.events.push(event{at: int64(f.rnd.Float64() * float64(e.Every)), kind: tells, who: int32(i)})
		}
	}
	cfg := e.Config
	cfg.Nodes, cfg.Policy = nodes, e.Policy
	if e.Oracle != nil {
		cfg.Policy = oraclePolicy{f, e.Oracle}
	}
	cfg.Now = func() time.Duration { return time.Duration(f.now) }
	cfg.Rand = f.choice.Uint64
	for range s.Balancers {
		p, err := lb.New(cfg)
		if err != nil {
			return nil, err
		}
		f.pools = append(f.pools, p)
		f.rate = p.ProbeRate()
	}
	f.events.push(event{kind: arrival})
	return f, nil
}

// quiet draws the time from the end of one slow phase to the next.
func (f *farm) quiet() int64 {
	return int64(f.rnd.ExpFloat64() * float64(f.Noise.Every-f.Noise.For))
}

// hop is when something that is sent now arrives.
func (f *farm) hop() int64 {
	d := float64(f.Delay)
	if f.Jitter > 0 {
		d *= 1 + f.Jitter*f.rnd.Float64()
	}
	return f.now + int64(d)
}

var errStuck = errors.New("lbsim: nothing happens any more")

func (f *farm) step() error {
	if len(f.events) == 0 {
		return errStuck
	}
	e := f.events.pop()
	f.now = e.at
	switch e.kind {
	case arrival:
		return f.arrive()
	case reaches:
		f.reach(e.who)
	case finishes:
		if s := &f.servers[e.who]; s.version == e.seq {
			s.advance(f.now)
			f.reply(s, s.pop().req)
			f.schedule(s)
		}
	case returns:
		f.finish(e.who)
	case asked:
		m := &f.reports[e.who]
		m.report = f.servers[m.server].tracker.Report(time.Duration(f.now))
		f.events.push(event{at: f.hop(), kind: answered, who: e.who})
	case answered:
		m := f.reports[e.who]
		f.freeReps = append(f.freeReps, e.who)
		return f.pools[m.balancer].Report(f.ids[m.server], m.report)
	case slows, recovers:
		f.change(&f.servers[e.who], e.kind == slows)
	case tells:
		for b := range f.pools {
			f.tell(e.who, int32(b))
		}
		f.events.push(event{at: f.now + int64(f.entry.Every), kind: tells, who: e.who})
	}
	return nil
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

// probe sends what the policy wants for one request.
func (f *farm) probe(b int32) {
	if f.rate == 0 {
		return
	}
	for f.credit[b] += f.rate; f.credit[b] >= 1; f.credit[b]-- {
		n := f.pools[b].ProbeTarget()
		f.events.push(event{at: f.hop(), kind: asked, who: f.message(f.index[n.ID], b)})
		f.probes++
	}
}

// tell sends a server's state to a balancer, unasked.
func (f *farm) tell(server, balancer int32) {
	i := f.message(server, balancer)
	f.reports[i].report = f.servers[server].tracker.Report(time.Duration(f.now))
	f.events.push(event{at: f.hop(), kind: answered, who: i})
}

func (f *farm) message(server, balancer int32) int32 {
	m := message{server: server, balancer: balancer}
	if n := len(f.freeReps); n > 0 {
		i := f.freeReps[n-1]
		f.freeReps = f.freeReps[:n-1]
		f.reports[i] = m
		return i
	}
	f.reports = append(f.reports, m)
	return int32(len(f.reports) - 1)
}

func (f *farm) reach(i int32) {
	r := &f.requests[i]
	s := &f.servers[r.server]
	r.reached = f.now
	r.met = s.tracker.Begin(time.Duration(f.now))
	s.token = false
	if s.fast {
		r.failed = true
		s.sent--
		s.tracker.Abort(time.Duration(f.now))
		f.events.push(event{at: f.hop() + int64(200*time.Microsecond), kind: returns, who: i})
		return
	}
	s.advance(f.now)
	s.push(job{ends: s.served + r.work, req: i})
	f.schedule(s)
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
	if f.entry.Tokens && !s.token && len(s.jobs) < f.Cores {
		s.token = true
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

// change makes a server slow, or itself again.
func (f *farm) change(s *server, slow bool) {
	s.advance(f.now)
	next := event{kind: slows, who: s.id, at: f.now + f.quiet()}
	s.speed = s.usual
	if slow {
		s.speed *= f.Noise.Factor
		next = event{kind: recovers, who: s.id, at: f.now + int64(f.Noise.For)}
	}
	f.events.push(next)
	f.schedule(s)
}

func (f *farm) result() Result {
	slices.Sort(f.measured)
	r := Result{Entry: f.entry.Name, Scenario: f.Name, Probes: float64(f.probes) / float64(f.begun)}
	sum := 0.0
	for _, ns := range f.measured {
		sum += float64(ns)
	}
	n := len(f.measured)
	at := func(q float64) time.Duration { return time.Duration(f.measured[min(int(q*float64(n)), n-1)]) }
	r.Mean = time.Duration(sum / float64(n))
	r.P50, r.P99, r.P999, r.Max = at(0.5), at(0.99), at(0.999), at(1)
	r.Failed = float64(f.failed) / float64(n)
	for _, k := range f.shares {
		r.Shares = append(r.Shares, float64(k)/float64(n))
	}
	return r
}
