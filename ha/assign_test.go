package ha_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/ha"
)

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return list
}

func groupsOf(n int) []ha.Group {
	var list []ha.Group
	for _, name := range names("g", n) {
		list = append(list, ha.Group{Name: name})
	}
	return list
}

func loads(members []string, owner map[string]string) map[string]int {
	l := make(map[string]int)
	for _, m := range members {
		l[m] = 0
	}
	for _, m := range owner {
		l[m]++
	}
	return l
}

func spread(l map[string]int) int {
	v := slices.Sorted(maps.Values(l))
	return v[len(v)-1] - v[0]
}

func moves(before, after map[string]string) int {
	n := 0
	for g, m := range after {
		if before[g] != m {
			n++
		}
	}
	return n
}

func ExampleAssign() {
	groups := []ha.Group{{Name: "www"}, {Name: "img"}, {Name: "db", Prefer: []string{"n2"}}}
	fmt.Println(ha.Assign(groups, []string{"n1", "n2", "n3"}, nil)["db"])
	fmt.Println(ha.Assign(groups, []string{"n1", "n3"}, nil)["db"] != "n2")
	// Output:
	// n2
	// true
}

func TestBook_4_4_SixOnThreeTwoEachThenThreeEach(t *testing.T) {
	members := names("m", 3)
	before := ha.Assign(groupsOf(6), members, nil)
	if s := spread(loads(members, before)); s != 0 {
		t.Errorf("six on three differ by %d", s)
	}
	after := ha.Assign(groupsOf(6), members[1:], before)
	if s := spread(loads(members[1:], after)); s != 0 {
		t.Errorf("six on two differ by %d", s)
	}
	if n := moves(before, after); n != 2 {
		t.Errorf("%d moves, want the 2 of the dead member", n)
	}
}

func TestBook_4_6_EleventhMemberGetsFour(t *testing.T) {
	members := names("m", 10)
	before := ha.Assign(groupsOf(50), members, nil)
	for m, n := range loads(members, before) {
		if n != 5 {
			t.Errorf("%s has %d", m, n)
		}
	}
	members = append(members, "new")
	after := ha.Assign(groupsOf(50), members, before)
	byLoad := make(map[int]int)
	for _, n := range loads(members, after) {
		byLoad[n]++
	}
	if n := moves(before, after); n != 4 || byLoad[5] != 6 || byLoad[4] != 5 {
		t.Errorf("%d moves, loads %v: want 4 moves, six members with 5 and five with 4", n, byLoad)
	}
}

func TestBook_4_7_MoreMembersThanGroupsAreSpares(t *testing.T) {
	members := names("m", 5)
	owner := ha.Assign(groupsOf(2), members, nil)
	if s := spread(loads(members, owner)); s != 1 || len(owner) != 2 {
		t.Errorf("%v", owner)
	}
}

// TestAssignAgreesWithBruteForce compares with all assignments there are.
func TestAssignAgreesWithBruteForce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 4))
	for range 2000 {
		members := names("m", 1+rnd.IntN(4))
		groups := groupsOf(rnd.IntN(7))
		before := make(map[string]string)
		restricted := rnd.IntN(2) == 0
		pinned := make(map[string]string)
		for i := range groups {
			g := &groups[i]
			if rnd.IntN(4) > 0 {
				before[g.Name] = members[rnd.IntN(len(members))]
			}
			if restricted && rnd.IntN(2) == 0 {
				for _, m := range members {
					if rnd.IntN(2) == 0 {
						g.Allowed = append(g.Allowed, m)
					}
				}
			}
			if !restricted && rnd.IntN(8) == 0 {
				pinned[g.Name] = members[rnd.IntN(len(members))]
				g.Prefer = []string{"absent", pinned[g.Name]}
			}
		}
		got := ha.Assign(groups, members, before)
		squares := func(owner map[string]string) (sum int) {
			for _, n := range loads(members, owner) {
				sum += n * n
			}
			return sum
		}
		bestSquares, bestMoves := 1<<30, 1<<30
		var try func(i int, owner map[string]string)
		try = func(i int, owner map[string]string) {
			if i == len(groups) {
				s, n := squares(owner), moves(before, owner)
				if s < bestSquares || s == bestSquares && n < bestMoves {
					bestSquares, bestMoves = s, n
				}
				return
			}
			for _, m := range members {
				g := groups[i]
				if len(g.Allowed) > 0 && !slices.Contains(g.Allowed, m) || pinned[g.Name] != "" && pinned[g.Name] != m {
					continue
				}
				owner[g.Name] = m
				try(i+1, owner)
				delete(owner, g.Name)
			}
		}
		try(0, make(map[string]string))
		if s, n := squares(got), moves(before, got); s != bestSquares || !restricted && n != bestMoves {
			t.Fatalf("groups %+v, members %v, before %v:\n%v has squares %d and %d moves, the best are %d and %d",
				groups, members, before, got, s, n, bestSquares, bestMoves)
		}
		if again := ha.Assign(groups, members, got); !maps.Equal(again, got) {
			t.Fatalf("%v is moved again to %v", got, again)
		}
		rnd.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		if other := ha.Assign(groups, members, before); !maps.Equal(other, got) {
			t.Fatalf("in another order %v, before it %v", other, got)
		}
	}
}

func TestAssignNegativeFailbackStays(t *testing.T) {
	groups := []ha.Group{{Name: "db", Prefer: []string{"a"}, Failback: -1}}
	if got := ha.Assign(groups, []string{"a", "b"}, map[string]string{"db": "b"}); got["db"] != "b" {
		t.Errorf("%v", got)
	}
	if got := ha.Assign(groups, []string{"a", "b"}, nil); got["db"] != "a" {
		t.Errorf("%v", got)
	}
}

func TestAssignWeighsGroups(t *testing.T) {
	groups := []ha.Group{{Name: "heavy", Weight: 3}, {Name: "x"}, {Name: "y"}, {Name: "z"}}
	got := ha.Assign(groups, []string{"a", "b"}, map[string]string{"heavy": "a", "x": "a", "y": "a", "z": "a"})
	if got["heavy"] == got["x"] || got["x"] != got["y"] || got["y"] != got["z"] {
		t.Errorf("%v", got)
	}
}

func TestAssignLeavesOutWhatNobodyMayOwn(t *testing.T) {
	groups := []ha.Group{{Name: "x", Allowed: []string{"c"}}, {Name: "y"}}
	if got := ha.Assign(groups, []string{"a"}, map[string]string{"x": "a"}); !maps.Equal(got, map[string]string{"y": "a"}) {
		t.Errorf("%v", got)
	}
	if got := ha.Assign(groups, nil, nil); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func FuzzAssign(f *testing.F) {
	f.Add(uint8(50), uint8(10), uint64(1))
	f.Fuzz(func(t *testing.T, g, m uint8, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		groups, members := groupsOf(int(g)), names("m", 1+int(m)%40)
		before := make(map[string]string)
		for i := range groups {
			before[groups[i].Name] = members[rnd.IntN(len(members))]
		}
		got := ha.Assign(groups, members, before)
		if len(got) != len(groups) || spread(loads(members, got)) > 1 {
			t.Fatalf("%d groups on %v", len(got), loads(members, got))
		}
	})
}

func BenchmarkAssign(b *testing.B) {
	groups, members := groupsOf(1000), names("m", 100)
	before := ha.Assign(groups, members, nil)
	b.Run("urgent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ha.Assign(groups, members[1:], before)
		}
	})
	b.Run("join", func(b *testing.B) {
		b.ReportAllocs()
		more := append(slices.Clone(members), "new")
		for b.Loop() {
			ha.Assign(groups, more, before)
		}
	})
	b.Run("fresh", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ha.Assign(groups, members, nil)
		}
	})
}
