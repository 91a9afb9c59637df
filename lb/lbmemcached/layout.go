package lbmemcached

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ashlar-go/ashlar/lb"
)

// Segment keeps all keys with a prefix on some of the nodes: the artificial
// segmentation of the book, by which a client that needs only some kinds of keys
// talks to few servers. The longest prefix that fits decides. Keys that fit none
// live on the nodes that no segment names, or on all when every node is named.
// All clients must use the same segments.
type Segment struct {
	Prefix string   // of the keys; not empty
	IDs    []string // of its nodes, members or not yet
}

// layout is what does not change while nodes come and go, except states, which
// is guarded by the Selector's mu.
type layout struct {
	segments []Segment         // longest prefix first
	states   map[string]*state // by ID
}

// state is what the checks know of a node at one address; only that and the ID
// of node are looked at.
type state struct {
	node lb.Node
	out  atomic.Bool
}

// mostSegments: bit 0 of an entry is for keys without one.
const mostSegments = 63

func newLayout(segments []Segment) (*layout, error) {
	if len(segments) > mostSegments {
		return nil, fmt.Errorf("lbmemcached: %d segments, want at most %d", len(segments), mostSegments)
	}
	l := &layout{states: make(map[string]*state)}
	seen := make(map[string]bool)
	for _, s := range segments {
		switch {
		case s.Prefix == "":
			return nil, errors.New("lbmemcached: a segment has no prefix")
		case len(s.IDs) == 0:
			return nil, fmt.Errorf("lbmemcached: segment %q has no nodes", s.Prefix)
		case seen[s.Prefix]:
			return nil, fmt.Errorf("lbmemcached: two segments have the prefix %q", s.Prefix)
		}
		seen[s.Prefix] = true
		l.segments = append(l.segments, Segment{s.Prefix, slices.Clone(s.IDs)})
	}
	slices.SortStableFunc(l.segments, func(a, b Segment) int { return len(b.Prefix) - len(a.Prefix) })
	return l, nil
}

// segmentOf returns the number of the key's segment, 0 without one.
func (l *layout) segmentOf(key string) uint8 {
	for i, s := range l.segments {
		if strings.HasPrefix(key, s.Prefix) {
			return uint8(i + 1)
		}
	}
	return 0
}

// segmentsOf returns the bits of the segments that a node belongs to.
func (l *layout) segmentsOf(id string) uint64 {
	var bits uint64
	for i, s := range l.segments {
		if slices.Contains(s.IDs, id) {
			bits |= 1 << (i + 1)
		}
	}
	if bits == 0 || l.allNamed() {
		bits |= 1
	}
	return bits
}

// allNamed reports whether every node is in a segment.
func (l *layout) allNamed() bool {
	for id := range l.states {
		if !slices.ContainsFunc(l.segments, func(s Segment) bool { return slices.Contains(s.IDs, id) }) {
			return false
		}
	}
	return true
}
