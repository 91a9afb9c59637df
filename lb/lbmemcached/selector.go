package lbmemcached

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// ErrNoServer is returned by PickServer when no node may hold the key now. It
// wraps lb.ErrNoNodes.
var ErrNoServer = fmt.Errorf("lbmemcached: no server for the key: %w", lb.ErrNoNodes)

// Config says how a [Selector] works.
type Config struct {
	// Nodes are the first servers; SetNodes changes them. ID places the keys,
	// Addr is host:port, resolved for each connection, or the path of a unix
	// socket when it has a slash. They are used at once, and not emptied: a
	// client that starts must not empty the cache.
	Nodes []lb.Node
	// Segments are the same for all clients. Default none.
	Segments []Segment
	// NoFailover leaves keys whose node is out without one, instead of moving
	// them; see the package's comment on what moving costs.
	NoFailover bool
	// Keep takes a node back without emptying it. Only for values that never
	// change, or clients that can live with old ones.
	Keep bool
	// Over, if it is not 0, bounds the picks of each node in a Window to that
	// much above its share, such as 0.25: a hot key spills to the next nodes.
	// The selector is not told when an operation ends, so it can count picks
	// only, not what is in flight, and it does not know reads from writes:
	// copies of a spilled key are not changed or deleted with it, and live
	// until they expire. For values that may be as old as their expiry. Not
	// together with NoFailover.
	Over float64
	// Window is over which time picks are counted. Default 100 ms.
	Window time.Duration

	// Interval is how often a node is asked for its version. Default 1 s.
	Interval time.Duration
	// Timeout is how long it may take to answer, and to connect. Default half
	// an Interval.
	Timeout time.Duration
	// Rise is how many answers in a row bring a node back; default 2. Fall is
	// how many checks in a row must fail before it is out; default 2.
	Rise, Fall int

	// Logger hears when a node goes out and comes back; default none.
	Logger *slog.Logger
	// Trace is called on events; optional.
	Trace *Trace
}

// Trace is called on events, in the goroutine of the node's checks. Any field
// may be nil.
type Trace struct {
	Out  func(id string, err error) // a node is not used any more
	Back func(id string)            // it is used again, or for the first time after SetNodes
}

// Stats are counters since New.
type Stats struct {
	Picks    int64 // calls of PickServer
	NoServer int64 // of these, failed with ErrNoServer
	Checks   int64 // of nodes
	Failures int64 // of these, failed
	Outs     int64 // times that a node went out
	Purges   int64 // times that a node was emptied
	Out      int64 // nodes that are out now
	Nodes    int64 // of so many
}

// Selector is a gomemcache ServerSelector. All methods are safe for concurrent
// use.
type Selector struct {
	cfg  Config
	pool *lb.Pool

	picks, noServer, checks, failures, outs, purges atomic.Int64

	addrs   atomic.Pointer[map[*lb.Node]net.Addr] // of the members
	running atomic.Bool
	mu      sync.Mutex
	layout  *layout
	changed chan struct{} // guarded by mu: closed when the nodes change
}

// New checks cfg and returns a Selector. It starts nothing.
func New(cfg Config) (*Selector, error) {
	if cfg.Window == 0 {
		cfg.Window = 100 * time.Millisecond
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = cfg.Interval / 2
	}
	for _, n := range []*int{&cfg.Rise, &cfg.Fall} {
		if *n == 0 {
			*n = 2
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Trace == nil {
		cfg.Trace = new(Trace)
	}
	switch {
	case cfg.Window < 0 || cfg.Interval < 0 || cfg.Timeout < 0 || cfg.Rise < 0 || cfg.Fall < 0:
		return nil, errors.New("lbmemcached: Config has a negative time or number")
	case !(cfg.Over >= 0):
		return nil, fmt.Errorf("lbmemcached: Config.Over is %v, want at least 0", cfg.Over)
	case cfg.Over > 0 && cfg.NoFailover:
		return nil, errors.New("lbmemcached: Config.Over moves keys, and NoFailover forbids it")
	}
	l, err := newLayout(cfg.Segments)
	if err != nil {
		return nil, err
	}
	s := &Selector{cfg: cfg, layout: l, changed: make(chan struct{})}
	p := &placement{cluster: l, stay: cfg.NoFailover, window: cfg.Window}
	if cfg.Over > 0 {
		p.times = 1 + cfg.Over
	}
	// Panic must not be: a cache that does not answer is not better than none.
	s.pool, err = lb.New(lb.Config{Policy: p, Panic: -1, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	return s, s.set(cfg.Nodes, false)
}

// SetNodes replaces the nodes; after an error the old ones stay. A node that is
// new, or whose address is, is used when the checks have found that it answers,
// and emptied it.
func (s *Selector) SetNodes(nodes []lb.Node) error { return s.set(nodes, true) }

func (s *Selector) set(nodes []lb.Node, checkFirst bool) error {
	for _, n := range nodes {
		if n.Addr == "" {
			return fmt.Errorf("lbmemcached: node %q has no address", n.ID)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.layout.states
	next := make(map[string]*state, len(nodes))
	for _, n := range nodes {
		st := before[n.ID]
		if st == nil || st.node.Addr != n.Addr { // another server, with who knows what in it
			st = &state{node: n}
			st.out.Store(checkFirst)
		}
		next[n.ID] = st
	}
	s.layout.states = next
	if err := s.pool.Set(nodes); err != nil {
		s.layout.states = before
		return err
	}
	addrs := make(map[*lb.Node]net.Addr)
	for _, n := range s.pool.Nodes() {
		addrs[n.Node] = addressOf(n.Node.Addr)
	}
	s.addrs.Store(&addrs)
	for id, st := range next {
		if err := s.pool.SetHealthy(id, !st.out.Load()); err != nil {
			return err
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// PickServer returns the address of the node that the key lives on. It does no
// I/O and allocates nothing.
func (s *Selector) PickServer(key string) (net.Addr, error) {
	n, err := s.Pick(key)
	if err != nil {
		return nil, err
	}
	if a, ok := (*s.addrs.Load())[n]; ok { // made once: a pick allocates nothing
		return a, nil
	}
	return addressOf(n.Addr), nil // the members are being changed
}

// Pick is PickServer for the node itself.
func (s *Selector) Pick(key string) (*lb.Node, error) {
	s.picks.Add(1)
	lease, err := s.pool.Acquire(context.Background(), lb.Request{Key: hash(key), Any: s.layout.segmentOf(key)})
	if err != nil {
		s.noServer.Add(1)
		return nil, ErrNoServer
	}
	// Nobody will tell when the operation ends.
	lease.Done(lb.Outcome{})
	return lease.Node(), nil
}

// Each calls f with the address of every node that is used now, also after an
// error, and joins the errors.
func (s *Selector) Each(f func(net.Addr) error) error {
	var errs []error
	for _, n := range s.pool.Nodes() {
		if !n.Usable {
			continue
		}
		if err := f(addressOf(n.Node.Addr)); err != nil {
			errs = append(errs, fmt.Errorf("lbmemcached: %s: %w", n.Node.ID, err))
		}
	}
	return errors.Join(errs...)
}

// Pool returns the pool of the nodes, for its statistics and for SetDraining.
// Its health and its members are the Selector's.
func (s *Selector) Pool() *lb.Pool { return s.pool }

// Stats returns the counters.
func (s *Selector) Stats() Stats {
	st := Stats{
		Picks: s.picks.Load(), NoServer: s.noServer.Load(), Checks: s.checks.Load(),
		Failures: s.failures.Load(), Outs: s.outs.Load(), Purges: s.purges.Load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Nodes = int64(len(s.layout.states))
	for _, n := range s.layout.states {
		if n.out.Load() {
			st.Out++
		}
	}
	return st
}

// address is one that is resolved when it is dialled.
type address struct{ network, addr string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.addr }

func addressOf(addr string) address {
	if strings.Contains(addr, "/") {
		return address{"unix", addr}
	}
	return address{"tcp", addr}
}
