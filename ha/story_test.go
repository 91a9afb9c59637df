package ha_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/hatest"
	"github.com/ashlar-go/ashlar/ha/quorum"
)

const ms = time.Millisecond

// began is when a simulated cluster has long been at rest.
const began = time.Second

// story runs a simulated cluster that has to come to rest, and looks at it
// meanwhile: check is called after each step from `from` to `to`, and has to be.
func story(t *testing.T, s hatest.Sim, from, to time.Duration, check func(st *hatest.State) error) {
	t.Helper()
	called := false
	s.Each = func(st *hatest.State) error {
		if st.Now < from || st.Now > to {
			return nil
		}
		called = true
		if err := check(st); err != nil {
			return fmt.Errorf("at %v: %w", st.Now, err)
		}
		return nil
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	if !called {
		t.Fatal("nothing was checked")
	}
}

func everyGroup(st *hatest.State, owners int) error {
	for _, g := range []string{"a", "b", "c", "d"} {
		if got := st.Owners(g); len(got) != owners {
			return fmt.Errorf("%s is served by %v", g, got)
		}
	}
	return nil
}

func TestBook_4_2_OneLivingMemberServesEverything(t *testing.T) {
	var faults []hatest.Fault
	for i := range 4 {
		faults = append(faults, hatest.Fault{At: began, For: time.Second, What: hatest.Crash, A: i})
	}
	story(t, hatest.Sim{Seed: 1, Members: 5, Faults: faults}, began+100*ms, began+990*ms,
		func(st *hatest.State) error { return everyGroup(st, 1) })
}

func TestSilentDeathIsTakenOverWithinAWindow(t *testing.T) {
	window := 50 * ms
	story(t, hatest.Sim{Seed: 2, Members: 6, Faults: []hatest.Fault{{At: began, For: time.Second, What: hatest.Crash, A: 0}}},
		began+window+25*ms, began+990*ms, func(st *hatest.State) error { return everyGroup(st, 1) })
}

func TestProcessDeathIsTakenOverAtOnce(t *testing.T) {
	story(t, hatest.Sim{Seed: 3, Members: 3, Faults: []hatest.Fault{{At: began, For: time.Second, What: hatest.Kill, A: 0}}},
		began+6*ms, began+990*ms, func(st *hatest.State) error { return everyGroup(st, 1) })
}

func TestDeathMovesOnlyWhatTheDeadHad(t *testing.T) {
	before := make(map[string]string)
	own := func(st *hatest.State, g string) string {
		if o := st.Owners(g); len(o) > 0 {
			return o[0]
		}
		return ""
	}
	story(t, hatest.Sim{Seed: 4, Members: 3, Faults: []hatest.Fault{{At: began, For: time.Second, What: hatest.Crash, A: 0}}},
		began-20*ms, began+990*ms, func(st *hatest.State) error {
			for _, g := range []string{"a", "b", "c", "d"} {
				if st.Now < began {
					before[g] = own(st, g)
				} else if now := own(st, g); before[g] != "n0" && now != before[g] {
					return fmt.Errorf("%s moved from %s to %s", g, before[g], now)
				}
			}
			return nil
		})
}

func TestEachSideOfAPartitionServes(t *testing.T) {
	sim := hatest.Sim{Seed: 5, Members: 6, Faults: []hatest.Fault{{At: began, For: time.Second, What: hatest.Partition, A: 0b000111}}}
	story(t, sim, began+100*ms, began+990*ms, func(st *hatest.State) error { return everyGroup(st, 2) })
	story(t, sim, began+time.Second+30*ms, began+2*time.Second, func(st *hatest.State) error { return everyGroup(st, 1) })
}

func TestMinorityServesNothingWithQuorum(t *testing.T) {
	sim := hatest.Sim{Seed: 6, Members: 5, Quorum: quorum.Majority(),
		Faults: []hatest.Fault{{At: began, For: time.Second, What: hatest.Partition, A: 0b00011}}}
	story(t, sim, began+200*ms, began+990*ms, func(st *hatest.State) error {
		for _, n := range st.Nodes[:2] {
			if len(n.Serves) > 0 {
				return fmt.Errorf("%s serves %v", n.ID, n.Serves)
			}
		}
		return everyGroup(st, 1)
	})
}

// TestRestartedMemberHasForgottenWhatItGranted: n2 does not hear the owner n0, and
// n1 does, whose grants die with it.
func TestRestartedMemberHasForgottenWhatItGranted(t *testing.T) {
	timing := hatest.SimTiming()
	timing.Lease, timing.Maturity = 400*ms, time.Second
	at := 4 * time.Second
	groups := []ha.Group{{Name: "a", Prefer: []string{"n0"}}, {Name: "b", Prefer: []string{"n0"}}}
	story(t, hatest.Sim{Seed: 16, Groups: groups, Timing: timing, Quorum: quorum.Majority(), Faults: []hatest.Fault{
		{At: at, For: time.Second, What: hatest.OneWay, A: 0, B: 2},
		{At: at, For: time.Second, What: hatest.OneWay, A: 2, B: 0},
		{At: at + time.Second - 1, For: time.Second, What: hatest.Partition, A: 0b001},
		{At: at + time.Second, For: 10 * ms, What: hatest.Crash, A: 1},
	}}, at+990*ms, at+1100*ms, func(st *hatest.State) error {
		if o := st.Owners("a"); !slices.Equal(o, []string{"n0"}) {
			return fmt.Errorf("a is served by %v", o)
		}
		return nil
	})
}

func TestSuspendedMemberGivesUpBeforeItBelievesAnything(t *testing.T) {
	resume := began + time.Second
	story(t, hatest.Sim{Seed: 7, Members: 2, Faults: []hatest.Fault{{At: began, For: time.Second, What: hatest.Pause, A: 0}}},
		resume, resume+100*ms, func(st *hatest.State) error {
			if n := st.Nodes[0]; !n.Paused && len(n.Serves) > 0 {
				return fmt.Errorf("it still serves %v", n.Serves)
			}
			return nil
		})
}

func TestLateMemberBelievesNobodyDead(t *testing.T) {
	takes := 0
	story(t, hatest.Sim{Seed: 8, Faults: []hatest.Fault{
		{At: began, For: 35 * ms, What: hatest.Pause, A: 0},
		{At: began + 200*ms, For: 35 * ms, What: hatest.Pause, A: 1},
	}}, began-20*ms, began+time.Second, func(st *hatest.State) error {
		if st.Now < began {
			takes = st.Takes()
		} else if st.Takes() != takes {
			return fmt.Errorf("%d groups moved", st.Takes()-takes)
		}
		return nil
	})
}

func TestLossMovesNothing(t *testing.T) {
	length := 5 * time.Second
	if os.Getenv("ASHLAR_SOAK") != "" {
		length = 10 * time.Minute
	}
	takes := 0
	fast := hatest.SimTiming()
	fast.Heartbeat, fast.Misses = ha.Fast().Heartbeat, ha.Fast().Misses
	story(t, hatest.Sim{Seed: 9, Timing: fast, Faults: []hatest.Fault{{At: began, For: length, What: hatest.Loss, P: 0.3}}},
		began-20*ms, began+length, func(st *hatest.State) error {
			if st.Now < began {
				takes = st.Takes()
			} else if st.Takes() != takes {
				return fmt.Errorf("%d groups moved", st.Takes()-takes)
			}
			return nil
		})
}

func TestUnheardMemberGivesUp(t *testing.T) {
	var faults []hatest.Fault
	for i := 1; i < 3; i++ {
		faults = append(faults, hatest.Fault{At: began, For: time.Second, What: hatest.OneWay, A: 0, B: i})
	}
	story(t, hatest.Sim{Seed: 10, Faults: faults}, began+200*ms, began+990*ms, func(st *hatest.State) error {
		if n := st.Nodes[0]; len(n.Serves) > 0 {
			return fmt.Errorf("nobody hears n0, which serves %v", n.Serves)
		}
		return everyGroup(st, 1)
	})
}

func TestOneBrokenLinkMovesNothing(t *testing.T) {
	takes := 0
	story(t, hatest.Sim{Seed: 11, Faults: []hatest.Fault{{At: began, For: time.Second, What: hatest.OneWay, A: 0, B: 1}}},
		began-20*ms, began+990*ms, func(st *hatest.State) error {
			if st.Now < began {
				takes = st.Takes()
			} else if st.Takes() != takes {
				return fmt.Errorf("%d groups moved", st.Takes()-takes)
			}
			return nil
		})
}

func TestDrainIsMakeBeforeBreak(t *testing.T) {
	sim := hatest.Sim{Seed: 12, Faults: []hatest.Fault{{At: began, For: time.Second, What: hatest.DrainIt, A: 0}}}
	story(t, sim, began-20*ms, began+2*time.Second, func(st *hatest.State) error {
		for _, g := range []string{"a", "b", "c", "d"} {
			if len(st.Owners(g)) == 0 {
				return fmt.Errorf("%s is served by nobody", g)
			}
		}
		return nil
	})
	story(t, sim, began+100*ms, began+990*ms, func(st *hatest.State) error {
		if n := st.Nodes[0]; len(n.Serves) > 0 {
			return fmt.Errorf("it still serves %v", n.Serves)
		}
		return nil
	})
}

func TestBreakFirstNeverHasTwo(t *testing.T) {
	groups := []ha.Group{{Name: "a", BreakFirst: true}, {Name: "b", BreakFirst: true}}
	var faults []hatest.Fault
	for i := range 6 {
		at := began + time.Duration(i)*200*ms
		faults = append(faults, hatest.Fault{At: at, For: ms, What: hatest.MoveIt, A: i, B: i % 3},
			hatest.Fault{At: at + 100*ms, For: 50 * ms, What: hatest.DrainIt, A: i % 3})
	}
	story(t, hatest.Sim{Seed: 13, Groups: groups, Faults: faults}, 0, time.Hour, func(st *hatest.State) error {
		for _, g := range groups {
			if o := st.Owners(g.Name); len(o) > 1 {
				return fmt.Errorf("%s is served by %v", g.Name, o)
			}
		}
		return nil
	})
}

func TestHard_8_CarrierThatFlapsMovesTwice(t *testing.T) {
	var groups []ha.Group
	for _, name := range []string{"a", "b", "c", "d"} {
		groups = append(groups, ha.Group{Name: name, VIPs: []ha.VIP{{Iface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.1/32")}}})
		groups[len(groups)-1].VIPs[0].Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(len(groups))}), 32)
	}
	timing := hatest.SimTiming()
	timing.Maturity = 2 * time.Second
	var faults []hatest.Fault
	at := 5 * time.Second
	for i := range 16 {
		faults = append(faults, hatest.Fault{At: at + time.Duration(i)*600*ms, For: 300 * ms, What: hatest.Carrier, A: 0})
	}
	takes := 0
	story(t, hatest.Sim{Seed: 14, Members: 2, Groups: groups, Timing: timing, Faults: faults}, at-20*ms, at+10*time.Second,
		func(st *hatest.State) error {
			if st.Now < at {
				takes = st.Takes()
			} else if n := st.Takes() - takes; n > 4 {
				return fmt.Errorf("%d moves of 4 groups", n)
			}
			return nil
		})
}

func TestPreferredMemberGetsItsGroupBack(t *testing.T) {
	groups := []ha.Group{{Name: "always", Prefer: []string{"n0"}}, {Name: "never", Prefer: []string{"n0"}, Failback: -1},
		{Name: "later", Prefer: []string{"n0"}, Failback: 800 * ms}}
	back := began + 100*ms + 150*ms // and mature
	sim := hatest.Sim{Seed: 15, Groups: groups, Faults: []hatest.Fault{{At: began, For: 100 * ms, What: hatest.Crash, A: 0},
		{At: began + 3*time.Second, For: ms, What: hatest.MoveIt, A: 0, B: 0}}}
	check := func(from, to time.Duration, want ...string) {
		t.Helper()
		story(t, sim, from, to, func(st *hatest.State) error {
			var on []string
			for name := range st.Nodes[0].Serves {
				on = append(on, name)
			}
			if slices.Sort(on); !slices.Equal(on, want) {
				return fmt.Errorf("n0 has %v, want %v", on, want)
			}
			return nil
		})
	}
	check(began-20*ms, began-1, "always", "later", "never")
	check(back+400*ms, back+700*ms, "always")
	check(back+1500*ms, back+2000*ms, "always", "later")
}
