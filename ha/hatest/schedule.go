package hatest

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Fault is something that goes wrong in a simulated cluster, for a while.
type Fault struct {
	At   time.Duration
	For  time.Duration
	What FaultKind
	A, B int     // members, or what FaultKind says
	P    float64 // Loss: probability
}

func (f Fault) String() string {
	return fmt.Sprintf("at %v for %v: %s a=%d b=%d p=%.2f", f.At, f.For, f.What, f.A, f.B, f.P)
}

// FaultKind says what goes wrong.
type FaultKind string

// What may go wrong.
const (
	Loss      FaultKind = "loss"      // each frame is lost with probability P
	Slow      FaultKind = "slow"      // frames take up to A milliseconds, and overtake each other
	Partition FaultKind = "partition" // members in the bit set A do not hear the others, nor these them
	OneWay    FaultKind = "one way"   // B does not hear A
	Deaf      FaultKind = "deaf"      // A hears nobody
	Pause     FaultKind = "pause"     // A is not run, and its clock goes on: SIGSTOP, a virtual machine that sleeps
	Crash     FaultKind = "crash"     // A ends at once, and starts again with the same ID
	Kill      FaultKind = "kill"      // the same, and others see its connections end
	Refuse    FaultKind = "refuse"    // A cannot take groups
	Carrier   FaultKind = "carrier"   // A has no link for clients
	DrainIt   FaultKind = "drain"     // an operator drains A
	MoveIt    FaultKind = "move"      // an operator on A moves the group A to member B; not for a while
)

// Random makes a schedule: faults of a cluster, all of which have ended after
// length.
func Random(rnd *rand.Rand, members int, length time.Duration) []Fault {
	kinds := []FaultKind{Loss, Slow, Partition, Partition, OneWay, Deaf, Pause, Pause, Crash, Kill, Refuse, Carrier, DrainIt, MoveIt}
	var list []Fault
	for range 1 + rnd.IntN(6) {
		f := Fault{
			At:   time.Duration(rnd.Int64N(int64(length * 3 / 4))),
			What: kinds[rnd.IntN(len(kinds))],
			A:    rnd.IntN(members), B: rnd.IntN(members),
			P: 0.1 + 0.6*rnd.Float64(),
		}
		f.For = time.Duration(rnd.Int64N(int64(length - f.At)))
		if rnd.IntN(2) == 0 {
			f.For /= 10
		}
		switch f.What {
		case Partition:
			f.A = rnd.IntN(1 << members)
		case Slow:
			f.A = 1 + rnd.IntN(100)
		}
		list = append(list, f)
	}
	return list
}
