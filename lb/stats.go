package lb

import "time"

// Stats are a pool's counters since New.
type Stats struct {
	Acquired   int64 // leases given by the members of now
	Failed     int64 // of these, ended as Failed or Rejected
	InFlight   int64 // leases that are not done, those of nodes that left included
	DoubleDone int64 // calls of Done on a lease that was done
	Lost       int64 // leases that the collector found not done; only with Config.FindLeaks
	BadReports int64 // reports refused because their numbers make no sense
	Ejections  int64 // times that a node was taken out for failing
	Waiting    int64 // requests in the queue now
	Panics     int64 // times that too few nodes were healthy
	Members    int64 // nodes now
	Usable     int64 // of these, nodes that may be chosen now
}

// Stats returns the counters. Counters read at the same time may differ by
// what happens meanwhile.
func (p *Pool) Stats() Stats {
	s := Stats{
		DoubleDone: p.doubleDone.Load(),
		Lost:       p.lost.Load(),
		BadReports: p.badReports.Load(),
		Panics:     p.panics.Load(),
		Ejections:  p.ejections.Load(),
		Waiting:    int64(p.queue.waiting.Load()),
		InFlight:   int64(p.inFlight()),
		Usable:     int64(len(p.view.Load().members)),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Members = int64(len(p.members))
	for _, m := range p.members {
		s.Acquired += int64(m.Acquired())
		s.Failed += int64(m.fails.Load())
	}
	return s
}

// NodeStats is what a pool knows about one node.
type NodeStats struct {
	Node     *Node
	Acquired int64         // leases ever given
	Failed   int64         // of these, ended as Failed or Rejected
	Busy     time.Duration // sum of the latencies of those that have ended, each to a microsecond
	InFlight int64         // leases that are not done
	Limit    int64         // requests that it may have in flight; 0: any number
	FailRate float64       // recent share of failures, 0 to 1
	Report   *Report       // newest report; nil: none
	Age      time.Duration // of Report
	Usable   bool          // may be chosen now
	State    string        // "up", "starting", "ejected", "down", "unchecked" or "draining"
	Remains  time.Duration // until "starting" or "ejected" ends by itself; 0 for the others
}

// Nodes returns what is known about each member, in order of their IDs.
func (p *Pool) Nodes() []NodeStats {
	now := p.now()
	v := p.view.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]NodeStats, len(p.members))
	for i, m := range p.members {
		s := NodeStats{
			Node:     m.Node(),
			Acquired: int64(m.Acquired()),
			Failed:   int64(m.fails.Load()),
			Busy:     m.fold(),
			InFlight: int64(m.InFlight()),
			Limit:    int64(p.limitOf(m)),
			FailRate: m.FailRate(now),
			Usable:   v.Find(m) >= 0,
			State:    m.status(now),
		}
		switch s.State {
		case "ejected":
			s.Remains = m.state.ejected - now
		case "starting":
			s.Remains = time.Duration(m.over.Load()) - now
		}
		if r, at, ok := m.Report(); ok {
			s.Report, s.Age = &r, now-at
		}
		list[i] = s
	}
	return list
}

// status names the state; the pool's mu is held.
func (m *Member) status(now time.Duration) string {
	switch {
	case m.state.drain || m.saysDrain(now):
		return "draining"
	case m.state.unchecked:
		return "unchecked"
	case m.state.down:
		return "down"
	case now < m.state.ejected:
		return "ejected"
	case m.ramps(now):
		return "starting"
	}
	return "up"
}
