package hatest_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/hatest"
	"github.com/ashlar-go/ashlar/ha/quorum"
)

// found are seeds of schedules that failed once.
var found = []uint64{157}

// schedules runs found ones and n random schedules, or as many as ASHLAR_SOAK says if that is a
// number, on all processors; HATEST_SEED is the first one.
func schedules(t *testing.T, n int, with func(rnd *rand.Rand, s *hatest.Sim)) {
	first := uint64(1)
	if s := os.Getenv("HATEST_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		n = 1
	}
	if os.Getenv("ASHLAR_SOAK") != "" {
		n = 1_000_000
		if m, err := strconv.Atoi(os.Getenv("ASHLAR_SOAK")); err == nil && m > 1 {
			n = m
		}
	}
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !t.Failed() {
				i := next.Add(1) - 1
				var seed uint64
				switch {
				case i < uint64(n):
					seed = first + i
				case i-uint64(n) < uint64(len(found)):
					seed = found[i-uint64(n)]
				default:
					return
				}
				rnd := rand.New(rand.NewPCG(seed, 13))
				s := hatest.Sim{Seed: seed, Members: 2 + rnd.IntN(4)}
				s.Faults = hatest.Random(rnd, s.Members, time.Second)
				with(rnd, &s)
				if s.Run() != nil {
					t.Errorf("%v", s.Shrink().Run())
				}
			}
		})
	}
	wg.Wait()
}

func TestHard_13_EventuallyOneOwner(t *testing.T) {
	schedules(t, 150, func(rnd *rand.Rand, s *hatest.Sim) {
		if rnd.IntN(3) > 0 {
			return
		}
		for _, name := range []string{"a", "b", "c"} { // with all that may be said of groups
			g := ha.Group{Name: name, BreakFirst: rnd.IntN(2) == 0, Weight: rnd.IntN(3), Failback: time.Duration(rnd.IntN(3)-1) * 100 * time.Millisecond}
			if rnd.IntN(2) == 0 {
				g.Prefer = []string{"n1", "n0"}
			}
			s.Groups = append(s.Groups, g)
		}
	})
}

func TestHard_13_NeverTwoTermsWithQuorum(t *testing.T) {
	schedules(t, 150, func(rnd *rand.Rand, s *hatest.Sim) {
		s.Quorum = quorum.Majority()
		s.Timing = hatest.SimTiming()
		s.Timing.Lease = s.Timing.Heartbeat * time.Duration(4+rnd.IntN(15))
		s.Timing.Maturity = max(s.Timing.Maturity, 2*s.Timing.Lease)
	})
}
