package hatest

import (
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

// send gives a heartbeat to all others, if the network does.
func (st *State) send(from *SimNode, h *ha.Heartbeat) {
	for _, to := range st.Nodes {
		if to == from || to.Core == nil || !st.passes(from.index, to.index) {
			continue
		}
		copies := 1
		if st.rnd.IntN(64) == 0 {
			copies = 2
		}
		for range copies {
			delay := 100*time.Microsecond + time.Duration(st.rnd.Int64N(int64(time.Millisecond)))
			if slow := st.active(Slow); slow != nil {
				delay = time.Duration(st.rnd.Int64N(int64(slow.A) * int64(time.Millisecond)))
			}
			st.push(event{at: st.Now + delay, node: to.index, life: to.life, in: ha.Input{Kind: ha.Heard, Heartbeat: h}})
		}
	}
}

// active is a fault of that kind that is going on.
func (st *State) active(what FaultKind) *Fault {
	for i := range st.sim.Faults {
		if f := &st.sim.Faults[i]; f.What == what && f.At <= st.Now && st.Now < f.At+f.For {
			return f
		}
	}
	return nil
}

func (st *State) passes(from, to int) bool {
	for _, f := range st.sim.Faults {
		if st.Now < f.At || st.Now >= f.At+f.For {
			continue
		}
		switch f.What {
		case Partition:
			if f.A>>from&1 != f.A>>to&1 {
				return false
			}
		case OneWay:
			if f.A == from && f.B == to {
				return false
			}
		case Deaf:
			if f.A == to {
				return false
			}
		case Loss:
			if st.rnd.Float64() < f.P {
				return false
			}
		}
	}
	return true
}

// inject makes the faults happen that are not the network's.
func (st *State) inject(f Fault) {
	input := func(in ha.Input) func() {
		return func() {
			if n := st.Nodes[f.A%len(st.Nodes)]; n.Core != nil {
				st.push(event{at: st.Now, node: n.index, life: n.life, in: in})
			}
		}
	}
	node := func(do func(n *SimNode)) func() {
		return func() {
			st.note("fault: %v", f)
			do(st.Nodes[f.A%len(st.Nodes)])
		}
	}
	end := f.At + f.For
	switch f.What {
	case Pause:
		st.at(f.At, node(func(n *SimNode) {
			if !n.Paused {
				n.Paused, n.stopped = true, st.Now
			}
		}))
		st.at(end, node(st.resume))
	case Crash, Kill:
		var life int
		st.at(f.At, node(func(n *SimNode) {
			if n.Core == nil {
				return
			}
			life = n.life
			st.stop(n)
			if f.What == Kill {
				for _, m := range st.Nodes {
					if m.Core != nil {
						at := st.Now + time.Duration(st.rnd.Int64N(int64(2*time.Millisecond)))
						st.push(event{at: at, node: m.index, life: m.life, in: ha.Input{Kind: ha.Gone, Member: n.ID, Boot: n.boot}})
					}
				}
			}
		}))
		st.at(end, node(func(n *SimNode) {
			if n.life == life {
				st.start(n)
			}
		}))
	case Refuse:
		st.at(f.At, node(func(n *SimNode) { n.refuses = true }))
		st.at(end, node(func(n *SimNode) { n.refuses = false }))
	case Carrier:
		st.at(f.At, input(ha.Input{Kind: ha.Plumbing, Event: ha.PlumberEvent{Iface: "eth0", What: ha.CarrierDown}}))
		st.at(end, input(ha.Input{Kind: ha.Plumbing, Event: ha.PlumberEvent{Iface: "eth0", What: ha.CarrierUp}}))
	case DrainIt:
		st.at(f.At, input(ha.Input{Kind: ha.Drain}))
		st.at(end, input(ha.Input{Kind: ha.Undrain}))
	case MoveIt:
		g := st.sim.Groups[f.A%len(st.sim.Groups)]
		st.at(f.At, input(ha.Input{Kind: ha.Move, Group: g.Name, Member: st.Nodes[f.B%len(st.Nodes)].ID}))
	default:
		st.at(f.At, func() { st.note("fault: %v", f) })
	}
}

// resume runs a member again: its timer is late, and its socket full.
func (st *State) resume(n *SimNode) {
	if !n.Paused {
		return
	}
	n.Paused = false
	t := st.sim.Timing
	if n.Core == nil {
		return
	}
	if st.Now-n.stopped > min(t.Heartbeat*time.Duration(t.Misses), t.Lease)+2*t.Heartbeat {
		n.mayOwn = st.Now + t.Maturity
	}
	held := n.held
	n.held = nil
	for i := range held {
		if held[i].tick == 0 {
			held[i].at = st.Now
			st.push(held[i])
		}
	}
	n.tick++
	st.push(event{at: st.Now, node: n.index, life: n.life, tick: n.tick, in: ha.Input{Kind: ha.Tick}})
}
