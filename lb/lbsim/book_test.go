package lbsim_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsim"
)

// leastLoaded chooses by the newest report, as far as it tells.
func leastLoaded(every time.Duration, before ...lb.Step) lbsim.Entry {
	return lbsim.Entry{Policy: lb.Random{}, Every: every, Config: lb.Config{
		Steps: append(before, lb.ByCost(func(m *lb.Member) float64 {
			r, _, _ := m.Report()
			return float64(r.RIF)
		})),
	}}
}

var twenty = lbsim.Scenario{Servers: 20, Load: 0.7, Requests: 6_000, Seed: 11}

// Chapter 5: the load that was is a bad adviser; chance alone is a better one.
func TestStaleLoadLosesToChance(t *testing.T) {
	stale, chance := run(t, twenty, leastLoaded(time.Second)), run(t, twenty, lbsim.Entry{Policy: lb.Random{}})
	if stale.P99 < 2*chance.P99 {
		t.Errorf("p99 %v by loads of a second ago, %v by chance", stale.P99, chance.P99)
	}
}

// Chapter 5: what is known of resources together with chance beats each alone.
func TestChanceTakesTheHerdOutOfStaleLoad(t *testing.T) {
	const every = 10 * time.Millisecond
	herd, window := run(t, twenty, leastLoaded(every)), run(t, twenty, leastLoaded(every, lb.Shuffle(), lb.LogWindow()))
	chance := run(t, twenty, lbsim.Entry{Policy: lb.Random{}})
	if window.P99 > herd.P99*3/4 || window.P99 > chance.P99 {
		t.Errorf("p99 %v by stale load, %v by chance, %v by stale load within a random window", herd.P99, chance.P99, window.P99)
	}
}

// Chapter 5: fewest connections is a good rule for one balancer only.
func TestFewestConnectionsNeedsASingleBalancer(t *testing.T) {
	s := lbsim.Scenario{Servers: 30, Speeds: lbsim.Hetero, Requests: 8_000, Seed: 12, Balancers: 1}
	one := run(t, s, lbsim.Entry{Policy: lb.LeastInFlight{}})
	s.Balancers = 60
	many := run(t, s, lbsim.Entry{Policy: lb.LeastInFlight{}})
	if many.P99 < 2*one.P99 {
		t.Errorf("p99 %v with one balancer, %v with 60", one.P99, many.P99)
	}
}
