package lb

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// Policy is a way to choose, as a value: RoundRobin{}, PowerOfD{D: 3}. A pool
// asks it once for a picker, which holds what the policy remembers.
type Policy interface {
	// Picker returns a new picker for one pool, or an error if the policy's
	// fields make no sense.
	Picker() (Picker, error)
}

// Picker chooses nodes for one pool. Pick is called concurrently. It must not
// block and must not keep v or q. Everything it needs is in its arguments: it
// reads no clock and draws no random numbers.
type Picker interface {
	// Pick returns the place in v of the chosen member, from 0 to v.Len()-1,
	// or -1 to choose none. v is not empty.
	Pick(v *View, q Query) int
}

// Learner is an optional ability of a Picker: to see what happens.
type Learner interface {
	// Done is called for each lease that ends.
	Done(m *Member, e Event)
	// Reported is called for each report of a node, before the Done of the
	// reply that carried it. asked says that it came by itself or because the
	// node was asked, not with a reply.
	Reported(m *Member, r Report, now time.Duration, asked bool)
}

// briefPicker is an optional ability of our own pickers: to choose without
// looking at the request, which need not be copied then.
type briefPicker interface {
	brief(v *View, now time.Duration, r uint64) int
}

// sender is an optional ability of our own pickers: to hear of each lease that
// is given.
type sender interface {
	sent(m *Member, now time.Duration)
}

// Joiner is an optional ability of a Picker: to prepare for a membership.
type Joiner interface {
	// Members is called with all members, in order of their IDs, before they
	// are in a View; never concurrently with itself. The slice is constant.
	Members(all []*Member)
}

// Prober is an optional ability of a Picker: to want reports of nodes besides
// those that come with replies.
type Prober interface {
	// ProbeRate returns how many nodes should be asked for each request.
	ProbeRate() float64
}

// Query is what a Picker decides on besides the nodes.
type Query struct {
	Now     time.Duration // since some moment; never goes back, and may lag a few milliseconds
	Rand    uint64        // all bits random
	Request Request
}

// Event is how a lease ended, for a Learner.
type Event struct {
	Now     time.Duration
	Latency time.Duration // 0: unknown
	Class   Class
}

// View is the members that a Picker chooses from: those that may take the
// request. It does not change.
type View struct {
	members []*Member
	slots   []int32 // of members
	dense   bool    // slot i is place i
	// all says that these are all members of the pool.
	all bool
	// level says that all weights are equal, and heaviest is the largest.
	level    bool
	heaviest float64
	// ramping says that some of them get less than their share.
	ramping bool
	// byPriority counts the pool's nodes for Overflow, in order of priority.
	byPriority []level
	// until is when time alone changes who may be chosen; 0: never.
	until time.Duration
}

// Len returns the number of candidates.
func (v *View) Len() int { return len(v.members) }

// At returns candidate i.
func (v *View) At(i int) *Member { return v.members[i] }

// Find returns the place of m, or -1 if m is not a candidate.
func (v *View) Find(m *Member) int {
	for i, o := range v.members {
		if o == m {
			return i
		}
	}
	return -1
}

// counts notes the nodes by priority: those that may be chosen, out of all that
// do not drain.
func (v *View) counts(staying []*Member) {
	at := func(m *Member) *level {
		n := m.priority()
		i, ok := slices.BinarySearchFunc(v.byPriority, n, func(l level, n int) int { return cmp.Compare(l.priority, n) })
		if !ok {
			v.byPriority = slices.Insert(v.byPriority, i, level{priority: n})
		}
		return &v.byPriority[i]
	}
	for _, m := range staying {
		at(m).nodes++
	}
	for _, m := range v.members {
		at(m).usable++
	}
}

// changes notes that time alone changes who may be chosen, at t.
func (v *View) changes(t time.Duration) {
	if v.until == 0 || t < v.until {
		v.until = t
	}
}

// weigh fills in what depends on the weights.
func (v *View) weigh() {
	v.level, v.heaviest = true, 0
	v.slots, v.dense = v.slots[:0], true
	for i, m := range v.members {
		v.dense = v.dense && m.slot == i
		v.slots = append(v.slots, int32(m.slot))
		v.heaviest = max(v.heaviest, m.Weight())
		v.level = v.level && m.Weight() == v.members[0].Weight()
	}
}

// below maps a random word to 0..n-1.
func below(r uint64, n int) int {
	hi, _ := bits.Mul64(r, uint64(n))
	return int(hi)
}

// mix makes another random word out of one (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
