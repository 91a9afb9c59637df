package lbsim_test

import (
	"os"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsim"
)

// One of 100 servers fails each request in 0.2 ms.
func TestServerThatFailsFastGetsAlmostNothing(t *testing.T) {
	s := lbsim.Scenario{Load: 0.7, Fast: 1, Requests: 20_000, Seed: 50}
	without := marginal
	without.Config.Outlier.Consecutive = -1
	if r := run(t, s, without); r.Failed > 0.001 {
		t.Errorf("without ejection %.4f%% failed, want at most 0.1%%", 100*r.Failed)
	}
	if r := run(t, s, marginal); r.Failed > 0.0002 {
		t.Errorf("with ejection %.4f%% failed, want at most 0.02%%", 100*r.Failed)
	}
}

// One of 20 servers takes requests and never answers.
func TestSilentServerGetsAlmostNothing(t *testing.T) {
	const seconds = 5
	s := lbsim.Scenario{Servers: 20, Work: 40 * time.Millisecond, Load: 0.7, Silent: 1, Requests: 1400 * seconds, Warmup: 1, Seed: 51, Window: time.Hour}
	entry := marginal
	entry.Config.Outlier.Consecutive = -1
	// Each balancer tries it once, and again at most once while that one hangs
	// or a failure is remembered.
	if n := run(t, s, entry).Sent[0][0]; n < 10 || n > 10*seconds/2 {
		t.Errorf("ten balancers sent it %d requests in %d s", n, seconds)
	}
}

// One server of ten fails, or is silent, from the beginning or from the second
// second on, until the fourth.
func TestServerThatRecoversHasItsShareBackInTenSeconds(t *testing.T) {
	for _, known := range []bool{true, false} {
		for _, silent := range []int{0, 1} {
			s := lbsim.Scenario{
				Servers: 10, Balancers: 4, Load: 0.7, Work: 40 * time.Millisecond, Requests: 10_500, Warmup: 1, Seed: 52,
				Fast: 1 - silent, Silent: silent, Heal: 4 * time.Second, Window: time.Second,
			}
			if known {
				s.Fall = 2 * time.Second
			}
			entry := marginal
			entry.Config.Outlier.Consecutive = -1
			mine, all := 0, 0
			for _, n := range run(t, s, entry).Sent[12:15] {
				mine += n[0]
				for _, k := range n {
					all += k
				}
			}
			if share := float64(mine) / float64(all); share < 0.08 || share > 0.13 {
				t.Errorf("known before: %v, silent: %d: eight seconds after it recovered it has %.3f of all, want about a tenth", known, silent, share)
			}
		}
	}
}

// Ten balancers learn of a new server that is three times slower than the
// others for its first five seconds, and ramp it up for ten.
func TestColdNewcomerIsNotTrampled(t *testing.T) {
	const balancers, ramp, at = 10, 10 * time.Second, time.Second
	s := lbsim.Scenario{
		Servers: 6, Balancers: balancers, Work: 4 * time.Millisecond, Requests: 36_000, Warmup: 1, Seed: 53,
		Newcomer: lbsim.Newcomer{At: at, For: 5 * time.Second, Factor: 1.0 / 3}, Window: 100 * time.Millisecond,
	}
	slack, policies := 3.0, []lb.Policy{lb.Marginal{}}
	if os.Getenv("ASHLAR_SOAK") != "" { // whole requests matter less
		s.Work, s.Requests, slack = s.Work/8, s.Requests*8, 0
		policies = append(policies, lb.LeastInFlight{}, lb.PeakEWMA{Scan: true})
	}
	for _, policy := range policies {
		r := run(t, s, lbsim.Entry{Policy: policy, Config: lb.Config{SlowStart: ramp}})
		early := 0
		for w, n := range r.Sent {
			age := time.Duration(w+1)*s.Window - at
			got, all := n[s.Servers-1], 0
			for _, k := range n {
				all += k
			}
			// What it may have at the end of the window. Requests are whole: a
			// balancer may be one before its time.
			fair := min(max(float64(age)/float64(ramp), 0.1), 1) / float64(s.Servers) * float64(all)
			if float64(got) > 1.2*fair+slack || age <= 0 && got > 0 {
				t.Errorf("%T: %v after it joined it has %d of %d in a window, want at most %.1f", policy, age, got, all, 1.2*fair)
			}
			if age > 0 && age <= time.Second {
				early += got
			}
		}
		if early == 0 {
			t.Errorf("%T: it got nothing in its first second", policy)
		}
	}
}
