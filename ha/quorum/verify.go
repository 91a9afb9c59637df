package quorum

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// enough is how many divisions of the members Verify looks at before it gives
// up: all of 20 members.
const enough = 1 << 20

// SplitError is the counter-example to a rule: two sets of members that do not
// know of each other and both meet it.
type SplitError struct {
	Rule Rule
	A, B []string // disjoint, sorted, together all members
}

func (e *SplitError) Error() string {
	return fmt.Sprintf("quorum: %s: two sides could act at once: %s and %s",
		e.Rule, strings.Join(e.A, ", "), strings.Join(e.B, ", "))
}

// Verify returns nil if the rule suits these members and no two disjoint sets of
// them meet it. Otherwise the error is a *[SplitError] with two such sets, or says
// what is wrong with the rule.
//
// It is exact for up to 20 members, and for more if they are of few kinds: members
// that the rule does not tell apart are of one kind. Else it refuses.
func (r Rule) Verify(members []string) error {
	members = slices.Sorted(slices.Values(members))
	if len(members) == 0 {
		return fmt.Errorf("quorum: %s: there are no members", r)
	}
	for i, name := range members {
		if i > 0 && name == members[i-1] {
			return fmt.Errorf("quorum: member %q is listed twice", name)
		}
	}
	if err := r.check(members); err != nil {
		return err
	}
	if !r.Reached(members, members) {
		return fmt.Errorf("quorum: %s: not even all %d members meet it", r, len(members))
	}
	kinds := r.kinds(members)
	divisions := 1
	for _, same := range kinds {
		if divisions *= len(same) + 1; divisions > enough {
			return fmt.Errorf("quorum: %s: %d members of %d kinds are too many to prove it", r, len(members), len(kinds))
		}
	}
	// A rule never asks for absence, so that it suffices to look at a set and
	// all the rest; and of one kind only the number matters.
	left, right := make(map[string]bool), make(map[string]bool)
	for _, m := range members {
		right[m] = true
	}
	var split func(k int) bool
	split = func(k int) bool {
		if k == len(kinds) {
			return r.met(left, len(members)) && r.met(right, len(members))
		}
		most := len(kinds[k])
		if k == 0 {
			most /= 2 // which side is left and which right does not matter
		}
		for i := 0; ; i++ {
			if split(k + 1) {
				return true
			}
			if i == most {
				break
			}
			delete(right, kinds[k][i])
			left[kinds[k][i]] = true
		}
		for _, m := range kinds[k][:most] {
			delete(left, m)
			right[m] = true
		}
		return false
	}
	if split(0) {
		return &SplitError{Rule: r, A: slices.Sorted(maps.Keys(left)), B: slices.Sorted(maps.Keys(right))}
	}
	return nil
}

// check finds terms that do not suit the members.
func (r Rule) check(members []string) error {
	n := len(members)
	known := func(name string) error {
		if _, ok := slices.BinarySearch(members, name); !ok {
			return fmt.Errorf("quorum: %s: %q is not a member", r, name)
		}
		return nil
	}
	switch r.kind {
	case count:
		switch {
		case r.need < 1:
			return fmt.Errorf("quorum: %s: less than one member is no quorum", r)
		case r.total != 0 && r.total != n:
			return fmt.Errorf("quorum: %s: made for %d members, and there are %d", r, r.total, n)
		case r.need > n:
			return fmt.Errorf("quorum: %s: there are only %d members", r, n)
		}
	case has:
		return known(r.name)
	case votes:
		if r.need < 1 {
			return fmt.Errorf("quorum: %s: less than one vote is no quorum", r)
		}
		for name, v := range r.votes {
			if v < 0 || v > 1<<30 {
				return fmt.Errorf("quorum: %s: %q has %d votes", r, name, v)
			}
			if err := known(name); err != nil {
				return err
			}
		}
	case anyOf, allOf:
		if len(r.rules) == 0 {
			return fmt.Errorf("quorum: %s: there is no rule in it", r)
		}
		for _, part := range r.rules {
			if err := part.check(members); err != nil {
				return err
			}
		}
	}
	return nil
}

// kinds groups members that the rule treats alike.
func (r Rule) kinds(members []string) [][]string {
	by := make(map[string][]string)
	var order []string
	for _, m := range members {
		var b strings.Builder
		r.mark(m, &b)
		sign := b.String()
		if by[sign] == nil {
			order = append(order, sign)
		}
		by[sign] = append(by[sign], m)
	}
	var kinds [][]string
	for _, sign := range order {
		kinds = append(kinds, by[sign])
	}
	return kinds
}

// mark writes down what the rule's terms make of one member.
func (r Rule) mark(member string, b *strings.Builder) {
	switch r.kind {
	case has:
		fmt.Fprintf(b, "%t,", r.name == member)
	case votes:
		fmt.Fprintf(b, "%d,", r.votes[member])
	}
	for _, part := range r.rules {
		part.mark(member, b)
	}
}
