package lbsim

import "github.com/ashlar-go/ashlar/lb"

// Oracle is a cost that sees the truth: the requests in flight on a server or
// on the way to it, its cores, and its speed at this moment.
type Oracle func(inFlight, cores, speed float64) float64

// ShortestQueue is the oracle that joins the shortest queue.
func ShortestQueue(inFlight, _, _ float64) float64 { return inFlight }

// LeastMarginal is the oracle that takes the server on which one more request
// delays all of its requests least.
func LeastMarginal(n, cores, speed float64) float64 {
	return ((n+1)*max(1, (n+1)/cores) - n*max(1, n/cores)) / speed
}

type oraclePolicy struct {
	f    *farm
	cost Oracle
}

func (o oraclePolicy) Picker() (lb.Picker, error) { return o, nil }

func (o oraclePolicy) Pick(v *lb.View, q lb.Query) int {
	n := v.Len()
	start := int(q.Rand % uint64(n))
	best, least := -1, 0.0
	for k := range n {
		i := (start + k) % n
		s := &o.f.servers[i] // nodes are in order of their IDs
		c := o.cost(float64(s.sent), s.cores, s.speed)
		if best < 0 || c < least {
			best, least = i, c
		}
	}
	return best
}
