package lb

import (
	"cmp"
	"slices"
)

// Subset returns the nodes that balancer number self of so many should use when
// each is to use only size of them, for farms where everybody talking to
// everybody would mean too many connections. Balancers in a row share out all
// nodes before any is used twice, so that each node is used by about equally
// many (deterministic subsetting, Site Reliability Engineering, chapter 20).
// All must give the same nodes. It returns all nodes if size is not less.
func Subset(nodes []Node, self, size int) []Node {
	if size <= 0 || size >= len(nodes) || self < 0 {
		return slices.Clone(nodes)
	}
	sets := len(nodes) / size
	round := uint64(self / sets)
	list := slices.Clone(nodes)
	slices.SortFunc(list, func(a, b Node) int {
		return cmp.Or(cmp.Compare(mix(hashID(a.ID)^mix(round)), mix(hashID(b.ID)^mix(round))), cmp.Compare(a.ID, b.ID))
	})
	at := self % sets * size
	return list[at : at+size : at+size]
}
