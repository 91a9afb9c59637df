package group

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Cause is why a member is, or is no more, in a view.
type Cause string

// Causes.
const (
	Joined    Cause = "joined"    // heard for the first time
	Left      Cause = "left"      // said so
	Failed    Cause = "failed"    // not heard for Config.Misses heartbeats: dead, or cut off
	Restarted Cause = "restarted" // heard with a new epoch, without having been missed
)

// Member is a process in a group.
type Member struct {
	Name  string
	Epoch uint64 // of this life: grows when the process starts again
}

// Change is one member's coming or going.
type Change struct {
	Member Member
	Cause  Cause
}

// View is who is in the group, as this member sees it. Members agree in the
// end, when nothing changes any more and all hear each other; views are not
// ordered against messages, nor among members (Spread's extended virtual
// synchrony did that; this does not).
type View struct {
	ID      uint64   // counts the views of this member
	Members []Member // in order of their names, this one included
	Changes []Change // since the view before
}

// Has reports whether the member of that name is in the view.
func (v View) Has(name string) bool {
	_, ok := v.find(name)
	return ok
}

func (v View) find(name string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(v.Members, name, func(m Member, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return Member{}, false
	}
	return v.Members[i], true
}

// roll is the membership as a pure machine: what was heard, and when.
type roll struct {
	window time.Duration
	self   Member
	heard  map[string]heard // others
	id     uint64
}

type heard struct {
	epoch uint64
	at    time.Duration
}

func newRoll(self Member, window time.Duration) *roll {
	return &roll{window: window, self: self, heard: map[string]heard{}}
}

// beat takes in a heartbeat.
func (r *roll) beat(now time.Duration, m Member) []Change {
	old, known := r.heard[m.Name]
	if known && m.Epoch < old.epoch {
		return nil // an old life's last words
	}
	r.heard[m.Name] = heard{m.Epoch, now}
	switch {
	case !known:
		return []Change{{m, Joined}}
	case m.Epoch > old.epoch:
		return []Change{{m, Restarted}}
	}
	return nil
}

// leave takes in that a member goes.
func (r *roll) leave(m Member) []Change {
	if old, known := r.heard[m.Name]; !known || old.epoch != m.Epoch {
		return nil
	}
	delete(r.heard, m.Name)
	return []Change{{m, Left}}
}

// expire drops those that were not heard for the window.
func (r *roll) expire(now time.Duration) []Change {
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(r.heard)) {
		if h := r.heard[name]; now-h.at > r.window {
			delete(r.heard, name)
			changes = append(changes, Change{Member{name, h.epoch}, Failed})
		}
	}
	return changes
}

// view makes the view that follows from changes.
func (r *roll) view(changes []Change) View {
	r.id++
	v := View{ID: r.id, Members: []Member{r.self}, Changes: changes}
	for name, h := range r.heard {
		v.Members = append(v.Members, Member{name, h.epoch})
	}
	slices.SortFunc(v.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return v
}
