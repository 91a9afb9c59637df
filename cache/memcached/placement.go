package memcached

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Placement is the rule by which keys are spread over servers. All clients of
// a cluster must use the same.
type Placement int

const (
	// Rendezvous places a key by its hash and the names of the servers, in
	// proportion to their weights: adding or removing a server moves that
	// server's keys and no others (Thaler and Ravishankar, 1998; weights after
	// Schindelhauer and Schomaker, 2005).
	Rendezvous Placement = iota
	// Ketama places a key on the continuum that libmemcached calls
	// KETAMA_WEIGHTED, so that clients in other languages find the same server:
	// md5 of the server's address as it is written, without the port when that
	// is 11211. Names do not matter.
	Ketama
)

// Server is one memcached server.
type Server struct {
	// Name places keys, and stands for the server in errors, traces and
	// statistics. It may stay when the address changes; empty takes Addr.
	Name string
	// Addr is host:port, or the path of a unix socket when it has a slash.
	// Names are resolved when a connection is made, and the resolver's error
	// is that of the call that needed the connection.
	Addr string
	// Weight is the server's share relative to the others'; zero is 1, and
	// at most 65535 is allowed.
	Weight int
}

// Segment keeps all keys with a prefix on some of the servers: the artificial
// segmentation of the book, by which a client that needs only some kinds of
// keys has links to few servers. The longest prefix that fits decides. Keys
// that fit no segment are placed on the servers that no segment names, or on
// all of them when every server is named. All clients of a cluster must use the
// same segments.
type Segment struct {
	Prefix  string   // of the caller's keys; not empty
	Servers []string // names
}

// layout is one immutable answer to the question which server holds a key.
type layout struct {
	servers  []Server
	segments []group // the longest prefix first
	rest     group
}

// group is a set of servers over which keys are spread.
type group struct {
	prefix  string
	members []member
	even    bool    // all weights are equal
	points  []point // of the ketama continuum, in order of at; nil for Rendezvous
}

type member struct {
	index  int    // in layout.servers
	hash   uint64 // of the server's name
	weight uint64
}

type point struct {
	at    uint32
	index int
}

const maxWeight = math.MaxUint16

// newLayout checks its arguments and copies them.
func newLayout(p Placement, servers []Server, segments []Segment) (*layout, error) {
	if p != Rendezvous && p != Ketama {
		return nil, fmt.Errorf("memcached: unknown placement %d", p)
	}
	if len(servers) == 0 {
		return nil, ErrNoServers
	}
	l := &layout{servers: slices.Clone(servers)}
	index := make(map[string]int)
	addrs := make(map[string]bool)
	for i := range l.servers {
		s := &l.servers[i]
		if s.Addr == "" {
			return nil, errors.New("memcached: server without address")
		}
		s.Name = cmp.Or(s.Name, s.Addr)
		if s.Weight = cmp.Or(s.Weight, 1); s.Weight < 0 || s.Weight > maxWeight {
			return nil, fmt.Errorf("memcached: weight %d of server %s is not between 1 and %d", s.Weight, s.Name, maxWeight)
		}
		if !strings.Contains(s.Addr, "/") {
			if _, _, err := net.SplitHostPort(s.Addr); err != nil {
				return nil, fmt.Errorf("memcached: server %s: %w", s.Name, err)
			}
		}
		if _, twice := index[s.Name]; twice || addrs[s.Addr] {
			return nil, fmt.Errorf("memcached: server %s is listed twice", s.Name)
		}
		index[s.Name], addrs[s.Addr] = i, true
	}

	named := make(map[int]bool)
	for _, seg := range segments {
		if seg.Prefix == "" || len(seg.Servers) == 0 {
			return nil, errors.New("memcached: segment without prefix or servers")
		}
		var in []int
		for _, name := range seg.Servers {
			i, ok := index[name]
			if !ok || slices.Contains(in, i) {
				return nil, fmt.Errorf("memcached: segment %q names server %s, which is not listed once", seg.Prefix, name)
			}
			in, named[i] = append(in, i), true
		}
		l.segments = append(l.segments, l.group(p, seg.Prefix, in))
	}
	slices.SortFunc(l.segments, func(a, b group) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	for i := 1; i < len(l.segments); i++ {
		for _, before := range l.segments[:i] {
			if before.prefix == l.segments[i].prefix {
				return nil, fmt.Errorf("memcached: segment %q is listed twice", before.prefix)
			}
		}
	}
	var rest []int
	for i := range l.servers {
		if !named[i] || len(named) == len(l.servers) {
			rest = append(rest, i)
		}
	}
	l.rest = l.group(p, "", rest)
	return l, nil
}

func (l *layout) group(p Placement, prefix string, in []int) group {
	g := group{prefix: prefix, even: true}
	for _, i := range in {
		s := l.servers[i]
		g.members = append(g.members, member{index: i, hash: hash64(s.Name), weight: uint64(s.Weight)})
		g.even = g.even && g.members[0].weight == uint64(s.Weight)
	}
	if p == Ketama {
		g.points = continuum(l.servers, in)
	}
	return g
}

// pick returns the index of the server that holds key among those that out
// does not exclude, or -1; a nil out excludes none.
func (l *layout) pick(key string, out func(index int) bool) int {
	g := &l.rest
	for i := range l.segments {
		if strings.HasPrefix(key, l.segments[i].prefix) {
			g = &l.segments[i]
			break
		}
	}
	switch {
	case len(g.members) == 1 && out == nil:
		return g.members[0].index
	case g.points != nil:
		return g.onContinuum(key, out)
	case g.even:
		return g.highest(hash64(key), out)
	default:
		return g.heaviest(hash64(key), out)
	}
}

// highest is rendezvous hashing with equal weights.
func (g *group) highest(key uint64, out func(int) bool) int {
	best, score := -1, uint64(0)
	for i := range g.members {
		m := &g.members[i]
		if s := mix(key, m.hash); best < 0 || s > score {
			if out != nil && out(m.index) {
				continue
			}
			best, score = m.index, s
		}
	}
	return best
}

// heaviest is rendezvous hashing with weights: the smallest -log(u)/weight
// wins, where u in (0,1] comes from the hash. Integers only, so that all
// machines agree; with equal weights it agrees with highest.
func (g *group) heaviest(key uint64, out func(int) bool) int {
	best, cost, weight := -1, uint64(0), uint64(1)
	var score uint64
	for i := range g.members {
		m := &g.members[i]
		if out != nil && out(m.index) {
			continue
		}
		h := mix(key, m.hash)
		c := negLog(h)
		// c/m.weight < cost/weight, without division
		hi1, lo1 := bits.Mul64(c, weight)
		hi2, lo2 := bits.Mul64(cost, m.weight)
		order := cmp.Or(cmp.Compare(hi1, hi2), cmp.Compare(lo1, lo2), cmp.Compare(score, h))
		if best < 0 || order < 0 {
			best, cost, weight, score = m.index, c, m.weight, h
		}
	}
	return best
}

const (
	fixed    = 56 // fraction bits of logarithms
	logSteps = 10 // log2 of the number of pieces between 1 and 2
)

// negLog returns -log2(h / 2^64) as a fixed-point number, by straight lines
// between exact points; the error is below 2e-7.
func negLog(h uint64) uint64 {
	if h == 0 {
		return 64 << fixed
	}
	table := logTable()
	zeros := bits.LeadingZeros64(h)
	fraction := h << zeros << 1 // of the mantissa in [1,2), without its leading one
	piece := fraction >> (64 - logSteps)
	from, to := table[piece], table[piece+1]
	along, _ := bits.Mul64(to-from, fraction<<logSteps)
	return uint64(zeros+1)<<fixed - (from + along)
}

// logTable holds log2(1 + i/2^logSteps), computed by squaring.
var logTable = sync.OnceValue(func() *[1<<logSteps + 1]uint64 {
	var table [1<<logSteps + 1]uint64
	for i := range table {
		x := uint64(1)<<63 + uint64(i)<<(63-logSteps)
		if i == 1<<logSteps {
			table[i] = 1 << fixed
			break
		}
		for bit := fixed - 1; bit >= fixed-32; bit-- {
			hi, lo := bits.Mul64(x, x) // x*x in [1,4), with 126 fraction bits
			if hi>>63 == 1 {
				table[i] |= 1 << bit
				x = hi
			} else {
				x = hi<<1 | lo>>63
			}
		}
	}
	return &table
})

// onContinuum returns the server of the first point at or after the key's.
func (g *group) onContinuum(key string, out func(int) bool) int {
	sum := md5.Sum([]byte(key))
	at := binary.LittleEndian.Uint32(sum[:])
	start, _ := slices.BinarySearchFunc(g.points, at, func(p point, at uint32) int { return cmp.Compare(p.at, at) })
	for i := range g.points {
		p := g.points[(start+i)%len(g.points)]
		if out == nil || !out(p.index) {
			return p.index
		}
	}
	return -1
}

// continuum lays out the points as libmemcached does, down to its arithmetic
// in single precision, which decides how many points a server gets.
func continuum(servers []Server, in []int) []point {
	var total int
	for _, i := range in {
		total += servers[i].Weight
	}
	var points []point
	for _, i := range in {
		share := float32(servers[i].Weight) / float32(total)
		quads := float32(float32(float32(share*160)/4) * float32(len(in)))
		host, port, err := net.SplitHostPort(servers[i].Addr)
		if err != nil || port != "11211" {
			host = servers[i].Addr
		}
		for n := range int(float32(float64(quads) + 1e-10)) {
			sum := md5.Sum([]byte(host + "-" + strconv.Itoa(n)))
			for part := 0; part < len(sum); part += 4 {
				points = append(points, point{binary.LittleEndian.Uint32(sum[part:]), i})
			}
		}
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	return points
}
