package main

import (
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsim"
)

// entry is a policy as the simulator takes it, and its name in balancer.
type entry struct {
	lbsim.Entry
	flag string
}

// entries are ours first, and then those that others use. Join-idle-queue is
// missing: its backends would have to know the balancers.
func entries() []entry {
	return []entry{
		{lbsim.Entry{Name: "marginal", Policy: lb.Marginal{}}, "marginal"},
		{lbsim.Entry{Name: "ewma-scan", Policy: lb.PeakEWMA{Scan: true}}, "ewma-scan"},
		{lbsim.Entry{Name: "prequal-60", Policy: lb.Prequal{Quantile: 0.6}}, "prequal-60"},
		{lbsim.Entry{Name: "prequal", Policy: lb.Prequal{}}, "prequal"},
		{lbsim.Entry{Name: "ewma", Policy: lb.PeakEWMA{}}, "ewma"},
		{lbsim.Entry{Name: "least, true weights", Policy: lb.LeastInFlight{}, Weighted: true}, "least"},
		{lbsim.Entry{Name: "least", Policy: lb.LeastInFlight{}}, "least"},
		{lbsim.Entry{Name: "two-choices", Policy: lb.PowerOfD{}}, "two-choices"},
		{lbsim.Entry{Name: "round-robin", Policy: lb.RoundRobin{}}, "round-robin"},
		{lbsim.Entry{Name: "random", Policy: lb.Random{}}, "random"},
	}
}
