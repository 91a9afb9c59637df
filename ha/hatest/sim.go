package hatest

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

// Sim is a cluster of real machines on a simulated network and clock. It is
// deterministic: the same Sim runs the same way again.
type Sim struct {
	Seed    uint64
	Members int        // default 3; named n0, n1...
	Groups  []ha.Group // default four with an address on eth0 each, a to d
	Timing  ha.Timing  // default of a few milliseconds
	Quorum  ha.Quorum  // default none
	Faults  []Fault
	Length  time.Duration // of the faults; default the end of the last one
	// Each is called after each step of a member, in simulated time; an error
	// ends the run. Default: nothing but what Run checks.
	Each func(s *State) error
}

// State is a simulated cluster at one moment.
type State struct {
	Now   time.Duration
	Nodes []*SimNode
	sim   *Sim
	rnd   *rand.Rand
	queue events
	order int
	takes int
	last  map[string]uint64 // highest epoch of a group
	trace []string
	err   error
}

// SimNode is one simulated member.
type SimNode struct {
	ID     string
	Core   *ha.Core           // nil while it is down
	Serves map[string]ha.Term // between Take and Detach
	Paused bool

	index   int
	boot    uint64
	life    int // counts starts
	mayOwn  time.Duration
	stopped time.Duration
	held    []event // while paused
	refuses bool
	tick    int // the only timer that counts
}

type event struct {
	at    time.Duration
	order int
	node  int // -1: the world
	life  int
	in    ha.Input
	tick  int // of a timer, 0: none
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop are for container/heap.
func (q *events) Push(x any) { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// SimTiming is the default of [Sim]: a cluster in a hurry.
func SimTiming() ha.Timing {
	return ha.Timing{
		Heartbeat: 10 * time.Millisecond, Misses: 5, Maturity: 150 * time.Millisecond, Settle: 100 * time.Millisecond,
		Pace: 50 * time.Millisecond, Moves: 2, Hook: 100 * time.Millisecond, Backoff: 50 * time.Millisecond,
	}
}

// Run runs the schedule, lets the cluster come to rest, and checks after each step
// that
//
//   - no member takes a group before its Maturity is over, nor after it was not
//     run for a time that others take for its death;
//   - with a quorum, no two members that are run serve a group, and the epochs of
//     its terms rise;
//
// and at the end that exactly one member serves each group, that the load is
// balanced, and that nothing moves any more. The error has the last steps of the
// run.
func (s Sim) Run() error {
	if s.Members == 0 {
		s.Members = 3
	}
	if s.Groups == nil {
		for i, name := range []string{"a", "b", "c", "d"} {
			vip := ha.VIP{Iface: "eth0", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 32)}
			s.Groups = append(s.Groups, ha.Group{Name: name, VIPs: []ha.VIP{vip}})
		}
	}
	if s.Timing == (ha.Timing{}) {
		s.Timing = SimTiming()
	}
	if s.Timing.Lease == 0 {
		s.Timing.Lease = s.Timing.Heartbeat * time.Duration(s.Timing.Misses)
	}
	st := &State{sim: &s, rnd: rand.New(rand.NewPCG(s.Seed, 5)), last: make(map[string]uint64)}
	for i := range s.Members {
		n := &SimNode{ID: fmt.Sprint("n", i), index: i}
		st.Nodes = append(st.Nodes, n)
		st.at(time.Duration(st.rnd.Int64N(int64(20*time.Millisecond))), func() { st.start(n) })
	}
	for _, f := range s.Faults {
		s.Length = max(s.Length, f.At+f.For)
		st.inject(f)
	}
	t := s.Timing
	last := s.Length + 2*t.Maturity + 20*t.Lease + 4*t.Hook + t.Settle + time.Duration(len(s.Groups)+s.Members)*(t.Pace+20*t.Heartbeat) + 64*t.Backoff
	if err := st.until(s.Length + t.Maturity); err != nil {
		return err
	}
	for {
		why := st.rested()
		if why == nil {
			break
		}
		if st.Now >= last {
			return st.fail(why.Error())
		}
		if err := st.until(st.Now + 5*t.Heartbeat); err != nil {
			return err
		}
	}
	if st.placed() { // how balanced such a cluster becomes is not checked, only that it ends
		if err := st.until(last); err != nil {
			return err
		}
	}
	takes := st.takes
	if err := st.until(st.Now + 4*t.Lease + t.Settle + 2*t.Pace); err != nil {
		return err
	}
	if st.takes != takes {
		return st.fail(fmt.Sprintf("%d groups moved after the cluster came to rest", st.takes-takes))
	}
	if most := len(s.Groups) * (2 + 3*s.Members + 6*len(s.Faults)*s.Members); st.takes > most {
		return st.fail(fmt.Sprintf("%d moves, more than the %d that so many faults explain", st.takes, most))
	}
	return nil
}

// Shrink removes faults from a schedule that fails as long as it still fails.
func (s Sim) Shrink() Sim {
	for i := 0; i < len(s.Faults); {
		less := s
		less.Length = 0
		less.Faults = append(append([]Fault(nil), s.Faults[:i]...), s.Faults[i+1:]...)
		if less.Run() != nil {
			s = less
		} else {
			i++
		}
	}
	return s
}

func (st *State) at(at time.Duration, do func()) { st.push(event{at: at, node: -1, do: do}) }

func (st *State) push(e event) {
	st.order++
	e.order = st.order
	heap.Push(&st.queue, e)
}

func (st *State) until(end time.Duration) error {
	for len(st.queue) > 0 && st.queue[0].at <= end && st.err == nil {
		e := heap.Pop(&st.queue).(event)
		st.Now = e.at
		if e.node < 0 {
			e.do()
			continue
		}
		n := st.Nodes[e.node]
		switch {
		case n.Core == nil || e.life != n.life, e.tick != 0 && e.tick != n.tick:
		case n.Paused:
			n.held = append(n.held, e)
		default:
			st.step(n, e.in)
		}
	}
	return st.err
}

func (st *State) start(n *SimNode) {
	if n.Core != nil {
		return
	}
	n.life++
	n.boot = uint64(1e18) + uint64(st.Now) + uint64(n.index)
	n.mayOwn = st.Now + st.sim.Timing.Maturity
	n.Serves = make(map[string]ha.Term)
	n.held = nil
	n.refuses = false
	cfg := ha.Config{Self: n.ID, Groups: st.sim.Groups, Timing: st.sim.Timing, Quorum: st.sim.Quorum}
	for _, m := range st.Nodes {
		cfg.Members = append(cfg.Members, m.ID)
	}
	for i := len(st.Nodes); i < st.sim.Members; i++ {
		cfg.Members = append(cfg.Members, fmt.Sprint("n", i))
	}
	core, err := ha.NewCore(cfg, n.boot, st.Now)
	if err != nil {
		st.err = err
		return
	}
	n.Core = core
	st.step(n, ha.Input{Kind: ha.Tick})
}

func (st *State) stop(n *SimNode) { n.Core, n.Serves, n.Paused = nil, nil, false }

// step is one input of one member, and what follows from it.
func (st *State) step(n *SimNode, in ha.Input) {
	t := st.sim.Timing
	for _, e := range n.Core.Step(st.Now, in) {
		var err error
		delay := 100*time.Microsecond + time.Duration(st.rnd.Int64N(int64(2*time.Millisecond)))
		switch e.Kind {
		case ha.Send:
			st.send(n, e.Heartbeat)
			continue
		case ha.Take:
			st.note("%s takes %v", n.ID, e.Term)
			st.takes++
			n.Serves[e.Group.Name] = e.Term
			if st.Now < n.mayOwn {
				st.err = st.fail(fmt.Sprintf("%s takes %s %v before it may", n.ID, e.Group.Name, n.mayOwn-st.Now))
			}
			if st.sim.Quorum != nil {
				if e.Term.Epoch <= st.last[e.Group.Name] {
					st.err = st.fail(fmt.Sprintf("%v follows epoch %d", e.Term, st.last[e.Group.Name]))
				}
				st.last[e.Group.Name] = e.Term.Epoch
			}
			if n.refuses {
				err = fmt.Errorf("hatest: refused")
				delay += time.Duration(st.rnd.Int64N(int64(t.Hook)))
			}
		case ha.Detach:
			st.note("%s gives up %v", n.ID, e.Term)
			delete(n.Serves, e.Group.Name)
		case ha.Report:
			st.note("%s: %s %s %s %s %v", n.ID, e.Event.Kind, e.Event.Member, e.Event.Group, e.Event.Reason, e.Event.Err)
			continue
		}
		if e.Op != 0 {
			group := e.Group.Name
			take := e.Kind == ha.Take
			life := n.life
			st.push(event{at: st.Now + delay, node: n.index, life: n.life, in: ha.Input{Kind: ha.Done, Op: e.Op, Err: err}})
			if take && err != nil {
				term := e.Term
				st.at(st.Now+delay, func() {
					if n.life == life && n.Serves[group] == term {
						delete(n.Serves, group)
					}
				})
			}
		}
	}
	n.tick++
	st.push(event{at: n.Core.Next(), node: n.index, life: n.life, tick: n.tick, in: ha.Input{Kind: ha.Tick}})
	if st.err == nil && st.sim.Quorum != nil {
		st.oneTerm(n)
	}
	if st.err == nil && st.sim.Each != nil {
		st.err = st.sim.Each(st)
	}
}

// oneTerm checks the groups of the member that moved.
func (st *State) oneTerm(n *SimNode) {
	for group, term := range n.Serves {
		for _, m := range st.Nodes {
			if other, serves := m.Serves[group]; serves && m != n && !m.Paused {
				st.err = st.fail(fmt.Sprintf("two terms at once: %v and %v", term, other))
			}
		}
	}
}

func (st *State) note(format string, args ...any) {
	if len(st.trace) >= 400 {
		st.trace = append(st.trace[:0], st.trace[200:]...)
	}
	st.trace = append(st.trace, fmt.Sprintf("%10.3fms ", float64(st.Now)/1e6)+fmt.Sprintf(format, args...))
}

func (st *State) fail(why string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "hatest: seed %d, %d members: at %v: %s\n", st.sim.Seed, st.sim.Members, st.Now, why)
	for _, f := range st.sim.Faults {
		fmt.Fprintln(&b, f)
	}
	b.WriteString(strings.Join(st.trace, "\n"))
	return fmt.Errorf("%s", b.String())
}

// rested checks the cluster after all faults have ended.
func (st *State) rested() error {
	load := make(map[string]int)
	for _, g := range st.sim.Groups {
		var owners []string
		for _, n := range st.Nodes {
			if _, serves := n.Serves[g.Name]; serves {
				owners = append(owners, n.ID)
				load[n.ID]++
			}
		}
		if len(owners) != 1 {
			return fmt.Errorf("%s is served by %v", g.Name, owners)
		}
	}
	least, most := 1<<30, 0
	for _, n := range st.Nodes {
		least, most = min(least, load[n.ID]), max(most, load[n.ID])
		if n.Core == nil {
			return fmt.Errorf("%s is down", n.ID)
		}
		if s := n.Core.Snapshot(); !s.Eligible || !s.Agreed {
			return fmt.Errorf("%s is not at rest: %+v", n.ID, s)
		}
		for _, g := range n.Core.Snapshot().Groups {
			if g.Changing {
				return fmt.Errorf("%s is not at rest: %+v", n.ID, g)
			}
		}
	}
	if !st.placed() && most-least > 1 {
		return fmt.Errorf("loads differ: %v", load)
	}
	return nil
}

// placed reports whether an operator's moves, preferences or weights explain loads
// that differ.
func (st *State) placed() bool {
	return slices.ContainsFunc(st.sim.Faults, func(f Fault) bool { return f.What == MoveIt }) ||
		slices.ContainsFunc(st.sim.Groups, func(g ha.Group) bool { return len(g.Prefer)+len(g.Allowed)+g.Weight > 0 })
}

// Owners returns the members that serve the group and are run.
func (st *State) Owners(group string) []string {
	var list []string
	for _, n := range st.Nodes {
		if _, serves := n.Serves[group]; serves && !n.Paused {
			list = append(list, n.ID)
		}
	}
	return list
}

// Takes is how often a group was taken until now.
func (st *State) Takes() int { return st.takes }
