package ha

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Assign says who should own which group: a pure function, equal on every member
// that knows the same, whatever the order of its arguments. owner says who owns
// the groups now; owners that are not among the members count as gone. The result
// names all groups that a member may own.
//
// Groups go to their first preferred member. Others stay where they are, except
// that groups without an owner go to the member with the least load, and that
// groups move until no move makes the load of two members more equal. If all
// weights are 1 and all members allowed, the numbers of these groups then differ
// by at most 1 among members that own no preferred ones, and no smaller number of
// moves reaches that. Failback times are not looked at, except that a negative
// one keeps a group where it is.
//
// Chapters 4 and 6 of the book: 50 groups on 10 members are 5 each; an eleventh
// member gets 4 of them, and nothing else moves.
func Assign(groups []Group, members []string, owner map[string]string) map[string]string {
	p := newPlan(groups, members)
	for i := range p.items {
		it := &p.items[i]
		it.owner = p.index(owner[it.group.Name])
		it.pin = p.pin(it.group)
		if it.owner >= 0 && it.group.Failback < 0 {
			it.pin = -1
		}
		if it.pin >= 0 {
			it.owner = it.pin // first of all, so that orphans find what room there will be
		}
	}
	p.urgent()
	p.balance()
	result := make(map[string]string, len(groups))
	for _, it := range p.items {
		if it.owner >= 0 {
			result[it.group.Name] = p.ids[it.owner]
		}
	}
	return result
}

// plan is an assignment being made.
type plan struct {
	ids   []string // members that may own, sorted
	keys  []uint64 // hashes of ids
	load  []int
	items []item // sorted by name
}

type item struct {
	group Group
	key   uint64
	may   []bool // by member; nil: all
	owner int    // index of a member; -1 none
	pin   int    // the member it belongs on; -1 any
	fixed bool   // it is not moved to balance the load
	at    uint64 // Core only: the key of the member that serves it, also if it may not own it; 0 none
}

func newPlan(groups []Group, members []string) *plan {
	p := &plan{ids: slices.Compact(slices.Sorted(slices.Values(members)))}
	p.keys = make([]uint64, len(p.ids))
	p.load = make([]int, len(p.ids))
	for i, id := range p.ids {
		p.keys[i] = hashOf(id)
	}
	p.items = make([]item, len(groups))
	for i, g := range groups {
		p.items[i] = item{group: g, key: g.key(), owner: -1, pin: -1}
		if len(g.Allowed) > 0 {
			may := make([]bool, len(p.ids))
			for j, id := range p.ids {
				may[j] = g.allows(id)
			}
			p.items[i].may = may
		}
	}
	slices.SortFunc(p.items, func(a, b item) int { return strings.Compare(a.group.Name, b.group.Name) })
	return p
}

func (p *plan) index(id string) int {
	if i, ok := slices.BinarySearch(p.ids, id); ok {
		return i
	}
	return -1
}

// pin is the first preferred member that may own the group, -1 if there is none.
func (p *plan) pin(g Group) int {
	for _, id := range g.Prefer {
		if i := p.index(id); i >= 0 && g.allows(id) {
			return i
		}
	}
	return -1
}

func (it *item) allows(m int) bool { return it.may == nil || it.may[m] }

// affinity is the same on every member, and spreads groups without a common
// order (rendezvous hashing).
func (p *plan) affinity(it *item, m int) uint64 { return mix(it.key ^ p.keys[m]) }

// urgent finds owners for the groups that have none; no other group moves.
func (p *plan) urgent() {
	clear(p.load)
	var orphans []*item
	for i := range p.items {
		it := &p.items[i]
		if it.owner >= 0 && !it.allows(it.owner) {
			it.owner = -1
		}
		if it.owner < 0 {
			it.owner = it.pin
		}
		if it.owner < 0 {
			orphans = append(orphans, it)
			continue
		}
		p.load[it.owner] += it.group.weight()
	}
	// The heavy ones first: the light ones then even out what they left.
	slices.SortStableFunc(orphans, func(a, b *item) int { return cmp.Compare(b.group.weight(), a.group.weight()) })
	for _, it := range orphans {
		best := -1
		for m := range p.ids {
			if !it.allows(m) {
				continue
			}
			if best < 0 || p.load[m] < p.load[best] ||
				p.load[m] == p.load[best] && p.affinity(it, m) > p.affinity(it, best) {
				best = m
			}
		}
		if best >= 0 {
			it.owner = best
			p.load[best] += it.group.weight()
		}
	}
}

// balance moves groups to the members they belong on, and then from loaded
// members to others while that makes their loads more equal. What is moved first
// reduces a surplus or fills a need, and often both, so that the number of moves
// is the least possible where all weights and members are alike.
//
// Where members are not allowed everything, a surplus may have to travel over
// several members: the way is searched breadth first, and a plan without such a
// way has the most equal loads there are (cost-reducing paths in semi-matchings,
// Harvey, Ladner, Lovász and Tamir 2006).
func (p *plan) balance() {
	movable := make([][]*item, len(p.ids))
	for i := range p.items {
		it := &p.items[i]
		if it.pin >= 0 && it.owner != it.pin {
			p.move(it, it.pin)
		}
		if it.owner >= 0 && it.pin < 0 && !it.fixed {
			movable[it.owner] = append(movable[it.owner], it)
		}
	}
	order := make([]int, len(p.ids))
	for i := range order {
		order[i] = i
	}
	for moved := true; moved; {
		moved = false
		slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(p.load[b], p.load[a]), cmp.Compare(a, b)) })
		for _, from := range order {
			if moved = p.relieve(movable, from, order[len(order)-1]); moved {
				break
			}
		}
	}
}

// relieve finds a way to move load away from a member, and does so. The member
// with the least load is tried first.
func (p *plan) relieve(movable [][]*item, from, least int) bool {
	if len(movable[from]) == 0 || p.load[from]-p.load[least] < 2 {
		return false
	}
	if it := p.best(movable[from], least, p.load[from]-p.load[least]); it != nil {
		p.shift(movable, it, least)
		return true
	}
	type step struct {
		it   *item
		prev int
	}
	came := make([]step, len(p.ids))
	seen := make([]bool, len(p.ids))
	seen[from] = true
	queue := []int{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for to := range p.ids {
			if seen[to] {
				continue
			}
			// Only groups of one weight travel on: all members on the way keep
			// their load.
			limit := p.load[from] - p.load[to]
			it := p.best(movable[at], to, limit)
			arrives := it != nil
			if it == nil {
				it = p.best(movable[at], to, math.MaxInt)
			}
			if it == nil || at != from && it.group.weight() != came[at].it.group.weight() {
				continue
			}
			seen[to] = true
			came[to] = step{it, at}
			if arrives {
				for to != from {
					s := came[to]
					p.shift(movable, s.it, to)
					to = s.prev
				}
				return true
			}
			queue = append(queue, to)
		}
	}
	return false
}

// best chooses the group that is moved: the heaviest that makes the loads more
// equal, of equals the one that is most at home there.
func (p *plan) best(items []*item, to, difference int) *item {
	var best *item
	for _, it := range items {
		switch {
		case !it.allows(to) || it.group.weight() >= difference:
		case best == nil, it.group.weight() > best.group.weight(),
			it.group.weight() == best.group.weight() && p.affinity(it, to) > p.affinity(best, to):
			best = it
		}
	}
	return best
}

func (p *plan) shift(movable [][]*item, it *item, to int) {
	i := slices.Index(movable[it.owner], it)
	movable[it.owner] = slices.Delete(movable[it.owner], i, i+1)
	movable[to] = append(movable[to], it)
	p.move(it, to)
}

func (p *plan) move(it *item, to int) {
	if it.owner >= 0 {
		p.load[it.owner] -= it.group.weight()
	}
	it.owner = to
	p.load[to] += it.group.weight()
}
