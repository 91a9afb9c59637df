package quorum

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Rule says which sets of members are quorums. The zero value is Majority(). A
// Rule never changes and may be used concurrently.
type Rule struct {
	kind  kind
	need  int            // count, votes
	total int            // count: size of the cluster, 0 for any
	name  string         // has
	votes map[string]int // votes
	rules []Rule         // any, all
}

type kind uint8

const (
	majority kind = iota
	count
	has
	votes
	anyOf
	allOf
)

// Majority is met by more than half of the members.
func Majority() Rule { return Rule{} }

// AtLeast is met by n members, of however many there are.
func AtLeast(n int) Rule { return Rule{kind: count, need: n} }

// Of is met by n members of a cluster of exactly total: Verify refuses another
// size, which the rule was not made for.
func Of(n, total int) Rule { return Rule{kind: count, need: n, total: total} }

// Has is met if the named member is there.
func Has(name string) Rule { return Rule{kind: has, name: name} }

// Votes is met by members whose votes sum up to at least need. Members without
// an entry have none.
func Votes(need int, of map[string]int) Rule {
	return Rule{kind: votes, need: need, votes: maps.Clone(of)}
}

// Any is met if one of the rules is.
func Any(rules ...Rule) Rule { return Rule{kind: anyOf, rules: slices.Clone(rules)} }

// All is met if each of the rules is.
func All(rules ...Rule) Rule { return Rule{kind: allOf, rules: slices.Clone(rules)} }

// Reached reports whether the present members are a quorum of all members.
// Strangers among the present do not count. Its cost is that of a pass over the
// lists for each term of the rule.
func (r Rule) Reached(present, members []string) bool {
	here := make(map[string]bool, len(present))
	for _, m := range members {
		if slices.Contains(present, m) {
			here[m] = true
		}
	}
	return r.met(here, len(members))
}

func (r Rule) met(here map[string]bool, n int) bool {
	switch r.kind {
	case majority:
		return 2*len(here) > n
	case count:
		return len(here) >= r.need
	case has:
		return here[r.name]
	case votes:
		sum := 0
		for name := range here {
			sum += r.votes[name]
		}
		return sum >= r.need
	case anyOf:
		return slices.ContainsFunc(r.rules, func(r Rule) bool { return r.met(here, n) })
	default:
		return !slices.ContainsFunc(r.rules, func(r Rule) bool { return !r.met(here, n) })
	}
}

// String writes the rule as [Parse] reads it.
func (r Rule) String() string {
	switch r.kind {
	case majority:
		return "majority"
	case count:
		if r.total == 0 {
			return "at least " + strconv.Itoa(r.need)
		}
		return strconv.Itoa(r.need) + " of " + strconv.Itoa(r.total)
	case has:
		return quote(r.name)
	case votes:
		var list []string
		for _, name := range slices.Sorted(maps.Keys(r.votes)) {
			list = append(list, quote(name)+"="+strconv.Itoa(r.votes[name]))
		}
		return strconv.Itoa(r.need) + " votes of (" + strings.Join(list, ", ") + ")"
	}
	if r.kind == allOf && len(r.rules) == 2 && r.rules[1].kind == has {
		switch first := r.rules[0]; first.kind {
		case majority, count:
			return first.String() + " with " + quote(r.rules[1].name)
		}
	}
	var list []string
	for _, part := range r.rules {
		list = append(list, part.String())
	}
	word := "any"
	if r.kind == allOf {
		word = "all"
	}
	return word + " of (" + strings.Join(list, ", ") + ")"
}

// MarshalText writes the rule as String does.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the rule as [Parse] does, so that flag.TextVar takes it.
func (r *Rule) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err == nil {
		*r = parsed
	}
	return err
}
