package lb

import (
	"math"
	"sync/atomic"
)

// persistence is how long what reports say holds: the part of a node's
// deviation from its mean that is left after a service time. It is measured on
// the reports themselves, for all nodes of a pool together.
//
// No number fits all farms. Where the work of requests varies much and many
// balancers send little each, a full node is full for long, and reports are
// worth all; where all requests are alike, or where the other balancers hear
// the same and act on it, what a report says has turned into its opposite by
// the time that a request arrives.
//
// Its words are written one by one, without a lock: of two samples of the same
// moment one may be lost.
type persistence struct {
	sums atomic.Uint64 // two float32, moving averages: products of deviations with later ones, and their squares
	held atomic.Uint64 // two float32: part that is left after a service time, and a quarter of the rate at which it goes
	_    [48]byte
}

const (
	persistGain = 0.005 // a few hundred samples are remembered
	// Before there are samples, so much is left; as many squares of requests
	// must speak against it.
	persistFirst = 0.4
	persistDoubt = 0.05
)

func newPersistence() *persistence {
	p := new(persistence)
	p.set(persistFirst)
	return p
}

// learn takes in what a deviation has become a service time later, or half of
// one.
func (p *persistence) learn(was, is float32) {
	products, squares := unpack(p.sums.Load())
	products += (was*is - products) * persistGain
	squares += (was*was - squares) * persistGain
	p.sums.Store(pack(products, squares))
	p.set((products + persistDoubt*persistFirst) / (squares + persistDoubt))
}

func (p *persistence) set(left float32) {
	left = min(max(left, 0), 0.98)
	rate := -math.Log(float64(max(left, 0.05)))
	p.held.Store(pack(left, float32(rate/4)))
}

// after is the part of a deviation that counts, age service times after a
// report of it: what will be left in one more. fresh says that it will have
// changed soon.
func (p *persistence) after(age float32) (part float32, fresh bool) {
	left, quarter := unpack(p.held.Load())
	// About exp(-x), without a division.
	x := 1 - quarter*age
	if x <= 0 {
		return 0, false
	}
	x = min(x, 1)
	x *= x
	return left * x * x, true
}
