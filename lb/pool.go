package lb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how a [Pool] works. The zero value is a pool that decides by
// itself.
type Config struct {
	// Nodes are the first members; Set changes them. Default none.
	Nodes []Node
	// Policy chooses among them; default Marginal{}.
	Policy Policy
	// Panic is the share of nodes below which health is not believed: when
	// fewer than that can be used, all that do not drain are (Envoy's panic
	// threshold). Default 0.5; negative never.
	Panic float64
	// Steps narrow down the nodes for each request before the policy chooses;
	// default none. See [Step].
	Steps []Step
	// Limit is how many requests a node may have in flight from this pool;
	// default any number.
	Limit int
	// Adaptive finds each node's limit by itself, at most Limit if that is set;
	// default off.
	Adaptive Adaptive
	// Queue holds requests while all nodes are at their limit; default none:
	// they fail with ErrQueueFull.
	Queue Queue
	// SlowStart is how long a node that joins, or comes back, gets less than
	// its share, from a tenth of it upwards; default none. Nodes of New are not
	// new.
	SlowStart time.Duration
	// Outlier takes nodes out that fail more than others; default after five
	// failures in a row.
	Outlier Outlier
	// Check finds out which nodes can serve; Run calls it. Default none.
	Check Check
	// Probe asks a node for its report, within ctx; Run calls it as often as the
	// policy wants. Default none: there are only the reports that come with
	// replies.
	Probe func(ctx context.Context, n *Node) (Report, error)
	// FindLeaks makes leases that are never given back count in Stats.Lost
	// once the collector sees them, and finds double Done also on copies. Each
	// Acquire allocates then: for tests.
	FindLeaks bool

	// Now replaces the clock, for simulations: the time since some moment,
	// which never goes back. Called concurrently.
	Now func() time.Duration
	// Rand replaces the random numbers, for simulations: 64 random bits.
	// Called concurrently.
	Rand func() uint64

	// Logger hears of state changes, never of single requests; default none.
	Logger *slog.Logger
	// Trace is called as things happen; default none.
	Trace *Trace
}

// Pool is a set of nodes that requests are spread over. All methods are safe
// for concurrent use. Acquire takes no lock and allocates nothing while all
// nodes may be used.
type Pool struct {
	policy  Picker
	learner Learner     // policy, if it learns
	joiner  Joiner      // policy, if it prepares for members
	brief   briefPicker // policy, if it is one
	sender  sender      // policy, if it is one
	now     func() time.Duration
	random  func() uint64
	log     *slog.Logger
	trace   Trace
	panicAt float64
	leaks   bool
	picky   bool // each request has candidates of its own
	steps   []Step
	limit   int
	adapts  bool // members have gauges
	gauge   Adaptive
	ramp    time.Duration // Config.SlowStart
	outlier Outlier
	check   Check
	ask     func(ctx context.Context, n *Node) (Report, error)
	queue   waitQueue
	changed chan struct{} // holds a token when members changed, for Run

	view    atomic.Pointer[View] // who may be chosen; replaced, never changed
	scratch sync.Pool            // *View: candidates of a request that may not have all

	doubleDone, badReports, lost, panics, ejections atomic.Int64

	closing atomic.Bool
	empty   chan struct{} // closed when Shutdown began and the last lease ended
	once    sync.Once     // closes empty

	mu      sync.Mutex
	members []*Member // guarded by mu: in order of their IDs
	gone    []*Member // guarded by mu: left the pool with requests in flight
	inPanic bool      // guarded by mu
	deck    []int     // guarded by mu: order in which members are probed
	dealt   int       // guarded by mu: so many of deck had their turn
}

// New checks cfg and returns a pool. It starts nothing.
func New(cfg Config) (*Pool, error) {
	if cfg.Policy == nil {
		cfg.Policy = Marginal{}
	}
	picker, err := cfg.Policy.Picker()
	switch {
	case err != nil:
		return nil, err
	case cfg.Panic > 1 || cfg.Panic != cfg.Panic:
		return nil, errRange("Config.Panic", cfg.Panic)
	case cfg.Limit < 0:
		return nil, errRange("Config.Limit", cfg.Limit)
	case cfg.Queue.Len < 0:
		return nil, errRange("Config.Queue.Len", cfg.Queue.Len)
	case cfg.Queue.Len > 0 && cfg.Limit == 0 && !cfg.Adaptive.On:
		return nil, errors.New("lb: Config.Queue requires Config.Limit or Config.Adaptive")
	}
	p := &Pool{
		policy:  picker,
		now:     cfg.Now,
		random:  cfg.Rand,
		log:     cfg.Logger,
		leaks:   cfg.FindLeaks,
		picky:   len(cfg.Steps) > 0 || cfg.Limit > 0 || cfg.Adaptive.On,
		steps:   slices.Clone(cfg.Steps),
		limit:   cfg.Limit,
		adapts:  cfg.Adaptive.On,
		ramp:    max(cfg.SlowStart, 0),
		ask:     cfg.Probe,
		changed: make(chan struct{}, 1),
		empty:   make(chan struct{}),
	}
	if p.outlier, err = cfg.Outlier.fill(); err != nil {
		return nil, err
	}
	if p.check, err = cfg.Check.fill(); err != nil {
		return nil, err
	}
	if p.gauge, err = cfg.Adaptive.fill(cfg.Limit); err != nil {
		return nil, err
	}
	p.queue.init(cfg.Queue)
	p.learner, _ = picker.(Learner)
	p.joiner, _ = picker.(Joiner)
	p.brief, _ = picker.(briefPicker)
	p.sender, _ = picker.(sender)
	if p.now == nil {
		p.now = newHand(p.moves).now
	}
	if p.random == nil {
		p.random = rand.Uint64
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Trace != nil {
		p.trace = *cfg.Trace
	}
	switch {
	case cfg.Panic == 0:
		p.panicAt = 0.5
	case cfg.Panic > 0:
		p.panicAt = cfg.Panic
	}
	p.scratch.New = func() any { return new(View) }
	p.view.Store(&View{all: true})
	if err := p.Set(cfg.Nodes); err != nil {
		return nil, err
	}
	p.change(func() {
		for _, m := range p.members {
			m.begin(0, 0)
		}
	})
	return p, nil
}

// Acquire chooses a node. It waits only where Config.Queue lets it. The error
// is [ErrNoNodes] when no node may be used, [ErrQueueFull] or [ErrQueueTimeout]
// when all are at their limit, [ErrClosed] after Shutdown, or the context's.
func (p *Pool) Acquire(ctx context.Context, r Request) (Lease, error) {
	v := p.view.Load()
	if p.picky || len(r.Exclude) > 0 || len(v.members) == 0 || v.until != 0 && (v.ramping || p.now() >= v.until) || p.closing.Load() {
		return p.acquire(ctx, r)
	}
	var now time.Duration
	if p.brief == nil || p.learner != nil {
		now = p.now()
	}
	var i int
	if p.brief != nil {
		i = p.brief.brief(v, now, p.random())
	} else {
		i = p.policy.Pick(v, Query{Now: now, Rand: p.random(), Request: r})
	}
	if i < 0 {
		return Lease{}, ErrNoNodes
	}
	return p.lease(v.members[i], now)
}

func (p *Pool) lease(m *Member, now time.Duration) (Lease, error) {
	m.begun()
	return p.granted(m, now)
}

// granted makes the lease for a request that counts already.
func (p *Pool) granted(m *Member, now time.Duration) (Lease, error) {
	if p.closing.Load() { // Shutdown counted leases before or after this one
		m.acquired.Add(^uint64(0))
		p.left()
		return Lease{}, ErrClosed
	}
	if p.sender != nil {
		p.sender.sent(m, now)
	}
	l := Lease{pool: p, m: m}
	if p.leaks {
		l.leak = p.watch()
	}
	return l, nil
}

// Do acquires a node, calls f with it, measures how long that takes and gives
// the lease back, also when f panics. The error's class is found as for
// [Outcome]. It does not try again.
func (p *Pool) Do(ctx context.Context, r Request, f func(ctx context.Context, n *Node) error) error {
	l, err := p.Acquire(ctx, r)
	if err != nil {
		return err
	}
	o := Outcome{Class: Failed}
	begin := time.Now()
	defer func() {
		o.Latency = time.Since(begin)
		l.Done(o)
	}()
	err = f(ctx, l.Node())
	o = Outcome{Err: err}
	return err
}

// Set makes nodes the members. What is known about a node that stays is kept,
// by its ID, its requests in flight included; its address, attributes and weight
// may change. Leases of nodes that leave stay valid. An error changes nothing. Set does not wait for
// Acquire, nor Acquire for Set.
func (p *Pool) Set(nodes []Node) error {
	sorted := slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
	for i := range sorted {
		if err := sorted[i].check(); err != nil {
			return err
		}
		if i > 0 && sorted[i].ID == sorted[i-1].ID {
			return fmt.Errorf("lb: two nodes have the ID %q", sorted[i].ID)
		}
	}
	p.change(func() { p.replace(sorted) })
	return nil
}

// replace builds the members for sorted nodes; p.mu is held.
func (p *Pool) replace(sorted []Node) {
	old := make(map[string]*Member, len(p.members))
	used := make([]bool, len(p.members)+len(p.gone)+len(sorted))
	take := func(m *Member) {
		if m.slot < len(used) {
			used[m.slot] = true
		}
	}
	p.gone = slices.DeleteFunc(p.gone, func(m *Member) bool { return m.InFlight() == 0 })
	for _, m := range p.gone {
		take(m)
	}
	for _, m := range p.members {
		old[m.id()] = m
		take(m)
	}
	next := make([]*Member, len(sorted))
	for i := range sorted {
		n := &sorted[i]
		m := old[n.ID]
		delete(old, n.ID)
		switch {
		case m == nil:
			m = newMember(n, used)
			if p.adapts {
				m.adapt = newAdapt(p.gauge)
			}
			m.begin(max(p.now(), 1), p.ramp)
			m.state.unchecked = p.check.First
		case !reflect.DeepEqual(*m.Node(), *n):
			if m.Node().Addr != n.Addr {
				m.state.unchecked = p.check.First
			}
			m.become(n)
		}
		next[i] = m
	}
	for _, m := range old {
		p.gone = append(p.gone, m)
	}
	p.members = next
	if p.joiner != nil {
		p.joiner.Members(slices.Clone(next))
	}
}

// change changes members under the lock and publishes who may be chosen then.
func (p *Pool) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	now := p.now()
	v := &View{members: make([]*Member, 0, len(p.members))}
	staying := make([]*Member, 0, len(p.members))
	for _, m := range p.members {
		if m.state.drain || m.state.unchecked {
			continue
		}
		if m.saysDrain(now) {
			v.changes(time.Duration(m.drainTill.Load()))
			continue
		}
		staying = append(staying, m)
		switch {
		case m.state.down:
		case now < m.state.ejected:
			v.changes(m.state.ejected)
		default:
			v.members = append(v.members, m)
			if m.ramps(now) {
				v.ramping = true
				v.changes(time.Duration(m.over.Load()))
			}
		}
	}
	inPanic := float64(len(v.members)) < p.panicAt*float64(len(staying))
	if inPanic {
		v.members = staying
	}
	if inPanic != p.inPanic {
		p.inPanic = inPanic
		if inPanic {
			p.panics.Add(1)
			p.log.Warn("lb: too few healthy nodes, all are used", "nodes", len(staying))
		} else {
			p.log.Info("lb: enough healthy nodes again", "healthy", len(v.members), "nodes", len(staying))
		}
	}
	v.all = len(v.members) == len(p.members)
	v.counts(staying)
	v.weigh()
	p.view.Store(v)
	select {
	case p.changed <- struct{}{}:
	default:
	}
	p.queue.next(true)
}

// errUnknown is the error for an ID that is no member's.
func errUnknown(id string) error { return fmt.Errorf("lb: no node has the ID %q", id) }

// find returns the member of that ID; p.mu is held.
func (p *Pool) find(id string) (*Member, bool) {
	i, ok := slices.BinarySearchFunc(p.members, id, func(m *Member, id string) int { return strings.Compare(m.id(), id) })
	if !ok {
		return nil, false
	}
	return p.members[i], true
}

// Report takes in what a node said about itself, by a probe or a message. It
// fails if id is no member's.
func (p *Pool) Report(id string, r Report) error {
	p.mu.Lock()
	m, ok := p.find(id)
	p.mu.Unlock()
	if !ok {
		return errUnknown(id)
	}
	p.reported(m, r, p.now(), true)
	return nil
}

// SetHealthy says whether a node can serve, as a check found. New nodes count
// as healthy unless Check.First is set. It fails if id is no member's.
func (p *Pool) SetHealthy(id string, healthy bool) error {
	now := p.now()
	return p.mark(id, "healthy", healthy, func(m *Member) {
		// A node of New that waited for its first check is not new.
		if healthy && (m.state.down || m.state.unchecked && m.from.Load() != 0) {
			m.begin(max(now, 1), p.ramp)
		}
		m.state.down, m.state.unchecked = !healthy, false
	})
}

// SetDraining keeps new requests from a node, whatever its health and also in
// a panic, until it is called again with false. Requests in flight end as
// ever. It fails if id is no member's.
func (p *Pool) SetDraining(id string, drain bool) error {
	return p.mark(id, "draining", drain, func(m *Member) { m.state.drain = drain })
}

func (p *Pool) mark(id, what string, value bool, set func(*Member)) error {
	err := errUnknown(id)
	p.change(func() {
		m, ok := p.find(id)
		if !ok {
			return
		}
		err = nil
		before := m.state
		set(m)
		if m.state != before {
			p.log.Info("lb: node changed", "node", id, what, value)
		}
	})
	return err
}

// Shutdown makes Acquire fail with [ErrClosed] and waits until all leases are
// given back, or until ctx ends; then it returns the context's cause.
func (p *Pool) Shutdown(ctx context.Context) error {
	p.closing.Store(true)
	p.left()
	select {
	case <-p.empty:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// left closes empty if no lease is out.
func (p *Pool) left() {
	if p.inFlight() == 0 {
		p.once.Do(func() { close(p.empty) })
	}
}

func (p *Pool) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, list := range [][]*Member{p.members, p.gone} {
		for _, m := range list {
			n += m.InFlight()
		}
	}
	return n
}

// moves differs whenever leases were given or ended.
func (p *Pool) moves() uint64 {
	var n uint64
	for _, m := range p.view.Load().members {
		n += m.acquired.Load() + m.ended.Load()
	}
	return n
}
