package lbsim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// Entry is a policy that takes part, with what it is given besides replies.
type Entry struct {
	Name   string
	Policy lb.Policy
	// Oracle replaces Policy by a rule that sees the servers themselves.
	Oracle Oracle
	// Tokens makes servers tell a balancer drawn at random of each core that gets
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
	nodes    []lb.Node
	index    map[string]int32
	begun    int
	over     int
	measured []int64
	shares   []int
	sent     [][]int // by window and server
	failed   int
	probes   int
	interval float64 // mean ns between arrivals
	total    int
	ctx      context.Context // Run's
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
		f.index[id] = int32(i)
		nodes[i].ID = id
		if e.Weighted {
			nodes[i].Weight = s.speed(i)
		}
		f.servers[i] = server{
			id:    int32(i),
			speed: s.speed(i), usual: s.speed(i), cores: float64(s.Cores),
			tracker: lb.NewTracker(float64(s.Cores)),
		}
		switch {
		case i < s.Fast:
			f.servers[i].fault = fast
		case i < s.Fast+s.Silent:
			f.servers[i].fault = silent
		}
		if s.Noise.Every > 0 {
			f.events.push(event{at: f.quiet(), kind: slows, who: int32(i)})
		}
		if e.Every > 0 {
			f.events.push(event{at: int64(f.rnd.Float64() * float64(e.Every)), kind: tells, who: int32(i)})
		}
	}
	f.nodes = nodes
	if s.Newcomer.At > 0 {
		nodes = nodes[:len(nodes)-1]
		f.events.push(event{at: int64(s.Newcomer.At), kind: joins})
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
		if f.fault(m.server) == silent {
			f.freeReps = append(f.freeReps, e.who)
			return nil
		}
		m.report = f.servers[m.server].tracker.Report(time.Duration(f.now))
		f.events.push(event{at: f.hop(), kind: answered, who: e.who})
	case answered:
		m := f.reports[e.who]
		f.freeReps = append(f.freeReps, e.who)
		return f.pools[m.balancer].Report(f.nodes[m.server].ID, m.report)
	case slows, recovers:
		f.change(&f.servers[e.who], e.kind == slows)
	case joins, warms:
		return f.newcomer(e.kind == joins)
	case tells:
		for b := range f.pools {
			f.tell(e.who, int32(b))
		}
		f.events.push(event{at: f.now + int64(f.entry.Every), kind: tells, who: e.who})
	}
	return nil
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

// newcomer makes the last server join, or warm.
func (f *farm) newcomer(joins bool) error {
	s := &f.servers[len(f.servers)-1]
	s.advance(f.now)
	s.usual = f.Scenario.speed(int(s.id))
	if joins {
		s.usual *= f.Newcomer.Factor
		f.events.push(event{at: f.now + int64(f.Newcomer.For), kind: warms})
		for _, p := range f.pools {
			if err := p.Set(f.nodes); err != nil {
				return err
			}
		}
	}
	s.speed = s.usual
	f.schedule(s)
	return nil
}

// fault is what is wrong with a server now.
func (f *farm) fault(server int32) fault {
	if f.now < int64(f.Fall) || f.Heal > 0 && f.now >= int64(f.Heal) {
		return sound
	}
	return f.servers[server].fault
}
