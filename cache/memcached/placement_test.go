package memcached_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ashlar-go/ashlar/cache/memcached"
)

func selector(t testing.TB, p memcached.Placement, list []memcached.Server, segments ...memcached.Segment) *memcached.Selector {
	t.Helper()
	s, err := memcached.NewSelector(p, list, segments...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func named(n int) []memcached.Server {
	var list []memcached.Server
	for i := range n {
		list = append(list, memcached.Server{Name: fmt.Sprint("cache", i), Addr: fmt.Sprintf("10.0.0.%d:11211", i+1)})
	}
	return list
}

// The vectors were made by this package and fix its placement: a change here
// makes every running cluster cold.
func TestPlacementIsTheSameInEveryProcessAndGoVersion(t *testing.T) {
	weighted := named(5)
	for i := range weighted {
		weighted[i].Weight = i + 1
	}
	for _, c := range []struct {
		list []memcached.Server
		want string // the servers of key:0, key:1 and so on
	}{
		{named(5), "3111220231"},
		{weighted, "31114224"},
	} {
		s := selector(t, memcached.Rendezvous, c.list)
		var got strings.Builder
		for i := range len(c.want) {
			got.WriteString(strings.TrimPrefix(s.Pick(fmt.Sprint("key:", i)).Name, "cache"))
		}
		if got.String() != c.want {
			t.Errorf("placement %s, want %s", got.String(), c.want)
		}
	}
}

func TestPlacementIsByNameAndNotByAddressOrOrder(t *testing.T) {
	a := selector(t, memcached.Rendezvous, named(7))
	moved := named(7)
	for i := range moved {
		moved[i].Addr = fmt.Sprintf("192.168.7.%d:4000", i)
	}
	slices.Reverse(moved)
	b := selector(t, memcached.Rendezvous, moved)
	for i := range 1000 {
		key := fmt.Sprint("key", i)
		if a.Pick(key).Name != b.Pick(key).Name {
			t.Fatalf("%s is on %s and on %s", key, a.Pick(key).Name, b.Pick(key).Name)
		}
	}
}

func TestKetamaAgreesWithLibmemcached(t *testing.T) {
	f, err := os.Open("testdata/ketama.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s *memcached.Selector
	vectors := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case fields[0] == "#" && strings.Contains(lines.Text(), ":"):
			if fields[1] != "weighted" && fields[1] != "equal" {
				continue
			}
			var list []memcached.Server
			for server := range strings.SplitSeq(strings.Join(fields[2:], " "), ",") {
				addr, weight, _ := strings.Cut(server, " ")
				n, _ := strconv.Atoi(weight)
				list = append(list, memcached.Server{Addr: addr, Weight: n})
			}
			s = selector(t, memcached.Ketama, list)
		case fields[0] != "#":
			vectors++
			if got := s.Pick(fields[0]).Addr; got != fields[1] {
				t.Errorf("%s is on %s, libmemcached has it on %s", fields[0], got, fields[1])
			}
		}
	}
	if vectors < 800 {
		t.Errorf("only %d vectors", vectors)
	}
}

const manyKeys = 50_000

// moved returns the shares of keys that are on another server in b than in a:
// from any server, and those of them that went between two that are in both.
func movedShares(a, b *memcached.Selector, in func(name string) bool) (all, between float64) {
	for i := range manyKeys {
		key := fmt.Sprint("article:", i)
		from, to := a.Pick(key).Name, b.Pick(key).Name
		if from != to {
			all++
			if in(from) && in(to) {
				between++
			}
		}
	}
	return all / manyKeys, between / manyKeys
}

func TestAddingOrRemovingAServerMovesLittle(t *testing.T) {
	for _, p := range []memcached.Placement{memcached.Rendezvous, memcached.Ketama} {
		for _, n := range []int{2, 3, 5, 10, 30} {
			small, large := selector(t, p, named(n-1)), selector(t, p, named(n))
			last := fmt.Sprint("cache", n-1)
			all, between := movedShares(small, large, func(name string) bool { return name != last })
			limit := 1.15 / float64(n)
			if p == memcached.Ketama {
				limit = 1.5 / float64(n) // its shares are uneven by nature
			}
			if all > limit || between > 0 && p == memcached.Rendezvous {
				t.Errorf("placement %v, %d servers: %.4f of the keys move, %.4f between others; want at most %.4f", p, n, all, between, limit)
			}
		}
	}
}

func TestSharesFollowWeights(t *testing.T) {
	for _, weights := range [][]int{{1, 1, 1, 1}, {1, 2, 3, 4}, {100, 1, 1}, {65535, 65535, 32768}, {3}} {
		list, total := named(len(weights)), 0
		for i, w := range weights {
			list[i].Weight = w
			total += w
		}
		s := selector(t, memcached.Rendezvous, list)
		count := make(map[string]int)
		for i := range manyKeys {
			count[s.Pick(fmt.Sprint(i)).Name]++
		}
		for i, w := range weights {
			want := float64(w) / float64(total)
			got := float64(count[list[i].Name]) / manyKeys
			if math.Abs(got-want) > 4*math.Sqrt(want/manyKeys) {
				t.Errorf("weights %v: server %d has a share of %.4f, want %.4f", weights, i, got, want)
			}
		}
	}
}

func TestAWeightChangeMovesOnlyWhatItMust(t *testing.T) {
	list := named(10)
	before := selector(t, memcached.Rendezvous, list)
	list[3].Weight = 2
	after := selector(t, memcached.Rendezvous, list)
	all, between := movedShares(before, after, func(name string) bool { return name != "cache3" })
	if all > 1.15*(2.0/11-1.0/10) || between > 0 {
		t.Errorf("%.4f of the keys move, %.4f between others", all, between)
	}
}

func TestSegmentsKeepKindsOfKeysOnFewServers(t *testing.T) {
	s := selector(t, memcached.Rendezvous, named(6),
		memcached.Segment{Prefix: "nav:", Servers: []string{"cache0", "cache1"}},
		memcached.Segment{Prefix: "nav:admin:", Servers: []string{"cache2"}})
	on := func(format string) []string {
		names := make(map[string]bool)
		for i := range 500 {
			names[s.Pick(fmt.Sprintf(format, i)).Name] = true
		}
		return slices.Sorted(maps.Keys(names))
	}
	for format, want := range map[string][]string{
		"nav:%d":       {"cache0", "cache1"},
		"nav:admin:%d": {"cache2"},
		"article:%d":   {"cache3", "cache4", "cache5"},
		"na%d":         {"cache3", "cache4", "cache5"},
	} {
		if got := on(format); !slices.Equal(got, want) {
			t.Errorf("keys %s are on %v, want %v", format, got, want)
		}
	}
	// A segment's keys do not move when a server outside of it comes.
	larger := selector(t, memcached.Rendezvous, named(7),
		memcached.Segment{Prefix: "nav:", Servers: []string{"cache0", "cache1"}},
		memcached.Segment{Prefix: "nav:admin:", Servers: []string{"cache2"}})
	for i := range 500 {
		if key := fmt.Sprint("nav:", i); s.Pick(key) != larger.Pick(key) {
			t.Fatalf("%s moved", key)
		}
	}
	// All servers are named: the rest is everywhere.
	s = selector(t, memcached.Rendezvous, named(2),
		memcached.Segment{Prefix: "a", Servers: []string{"cache0"}}, memcached.Segment{Prefix: "b", Servers: []string{"cache1"}})
	if got := on("c%d"); len(got) != 2 {
		t.Errorf("keys of no segment are on %v", got)
	}
}

func TestNewRefusesWhatMakesNoSense(t *testing.T) {
	two := named(2)
	for name, c := range map[string]struct {
		cfg memcached.Config
		is  error
	}{
		"no servers":        {cfg: memcached.Config{}, is: memcached.ErrNoServers},
		"no address":        {cfg: memcached.Config{Servers: []memcached.Server{{Name: "a"}}}},
		"no port":           {cfg: memcached.Config{Servers: []memcached.Server{{Addr: "cache.example.com"}}}},
		"a name twice":      {cfg: memcached.Config{Servers: []memcached.Server{{Name: "a", Addr: "a:1"}, {Name: "a", Addr: "b:1"}}}},
		"an address twice":  {cfg: memcached.Config{Servers: []memcached.Server{{Name: "a", Addr: "a:1"}, {Name: "b", Addr: "a:1"}}}},
		"negative weight":   {cfg: memcached.Config{Servers: []memcached.Server{{Addr: "a:1", Weight: -1}}}},
		"large weight":      {cfg: memcached.Config{Servers: []memcached.Server{{Addr: "a:1", Weight: 1 << 20}}}},
		"unknown placement": {cfg: memcached.Config{Servers: two, Placement: 9}},
		"unknown member":    {cfg: memcached.Config{Servers: two, Segments: []memcached.Segment{{Prefix: "a", Servers: []string{"x"}}}}},
		"empty segment":     {cfg: memcached.Config{Servers: two, Segments: []memcached.Segment{{Prefix: "a"}}}},
		"empty prefix":      {cfg: memcached.Config{Servers: two, Segments: []memcached.Segment{{Servers: []string{"cache0"}}}}},
		"a prefix twice": {cfg: memcached.Config{Servers: two, Segments: []memcached.Segment{
			{Prefix: "a", Servers: []string{"cache0"}}, {Prefix: "a", Servers: []string{"cache1"}}}}},
		"negative time-out": {cfg: memcached.Config{Servers: two, Timeout: -1}},
		"few connections":   {cfg: memcached.Config{Servers: two, MaxConns: 2}},
		"negative limit":    {cfg: memcached.Config{Servers: two, MaxValue: -1}},
		"negative gutter":   {cfg: memcached.Config{Servers: two, Gutter: -1}},
	} {
		if _, err := memcached.New(c.cfg); err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSelectorServesAPlainClient(t *testing.T) {
	_, addrs := start(t, 3)
	s := selector(t, memcached.Rendezvous, servers(addrs...))
	c := memcache.NewFromSelector(s)
	defer c.Close()
	for i := range 50 {
		key := fmt.Sprint("key", i)
		if err := c.Set(&memcache.Item{Key: key, Value: []byte(key)}); err != nil {
			t.Fatal(err)
		}
		direct := memcache.New(s.Pick(key).Addr)
		if it, err := direct.Get(key); err != nil || string(it.Value) != key {
			t.Errorf("%s is not on %s: %v", key, s.Pick(key).Name, err)
		}
		direct.Close()
	}
	if err := c.Ping(); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if err := c.FlushAll(); err != nil {
		t.Errorf("FlushAll: %v", err)
	}
	if _, err := c.Get("key1"); err != memcache.ErrCacheMiss {
		t.Errorf("after FlushAll: %v", err)
	}
}

func TestSelectorReachesAllServersAndReportsResolverErrors(t *testing.T) {
	_, addrs := start(t, 2)
	list := append([]memcached.Server{{Name: "lost", Addr: "no-such-host.invalid:11211"}}, servers(addrs...)...)
	s := selector(t, memcached.Rendezvous, list)
	c := memcache.NewFromSelector(s)
	defer c.Close()
	for _, addr := range addrs {
		direct := memcache.New(addr)
		defer direct.Close()
		if err := direct.Set(&memcache.Item{Key: "k"}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := direct.Get("k"); err != memcache.ErrCacheMiss {
				t.Errorf("a server behind a dead one was not flushed: %v", err)
			}
		}()
	}
	err := c.FlushAll()
	if e, ok := errors.AsType[*memcached.Error](err); !ok || e.Server != "lost" {
		t.Errorf("FlushAll = %v, want an Error of the lost server", err)
	}
	if _, ok := errors.AsType[*net.DNSError](err); !ok {
		t.Errorf("FlushAll = %v, want the resolver's error", err)
	}
}

func FuzzSelector(f *testing.F) {
	f.Add("key", uint8(3), uint16(1), false)
	f.Add("", uint8(1), uint16(65535), true)
	f.Fuzz(func(t *testing.T, key string, n uint8, weight uint16, ketama bool) {
		p := memcached.Rendezvous
		if ketama {
			p = memcached.Ketama
		}
		list := named(int(n%12) + 1)
		list[0].Weight = int(weight)
		s := selector(t, p, list)
		got := s.Pick(key)
		if !slices.ContainsFunc(list, func(m memcached.Server) bool { return m.Name == got.Name }) {
			t.Fatalf("%q is on %v, which is no member", key, got)
		}
		if addr, err := s.PickServer(key); err != nil || addr.String() != got.Addr {
			t.Fatalf("PickServer = %v, %v; Pick = %v", addr, err, got)
		}
		if p == memcached.Ketama || len(list) == 1 {
			return
		}
		// Without any other server the key stays where it is.
		for i := range list {
			if list[i].Name == got.Name {
				continue
			}
			rest := slices.Delete(slices.Clone(list), i, i+1)
			if now := selector(t, p, rest).Pick(key); now.Name != got.Name {
				t.Fatalf("%q moved from %s to %s when %s went", key, got.Name, now.Name, list[i].Name)
			}
		}
	})
}
