package lb

import "time"

// Lease is the right to send one request to a node. Call Done exactly once,
// when the last byte of the reply has been read: until then the request counts
// as in flight. It may be handed to another goroutine, but is not for two at
// the same time, and must not be copied after Done.
type Lease struct {
	pool *Pool
	m    *Member
	over bool
	leak *leak // nil unless Config.FindLeaks
}

// Node returns the node to send to, as it is now; nil for the zero Lease.
func (l *Lease) Node() *Node {
	if l.m == nil {
		return nil
	}
	return l.m.Node()
}

// Done says how the request ended, and gives the lease back. A second Done
// does nothing but count in Stats.DoubleDone. Done works as ever when the node
// has left the pool and when the pool is shut down. On the zero Lease it does
// nothing.
func (l *Lease) Done(o Outcome) {
	if l.m == nil {
		return
	}
	if l.over || l.leak.over() {
		l.pool.doubleDone.Add(1)
		return
	}
	l.over = true
	l.pool.done(l.m, &o)
}

func (p *Pool) done(m *Member, o *Outcome) {
	if m.end(max(o.Latency, 0)) {
		p.mu.Lock()
		m.fold()
		p.mu.Unlock()
	}
	if m.adapt != nil {
		m.adapt.ended(p.now(), o.Latency, o.class(), m.InFlight()+1)
	}
	if p.learner != nil || o.Report != nil || o.Err != nil || o.Class != OK || m.failRate.Load() != 0 {
		p.learn(m, o)
	}
	if p.trace.Done != nil {
		seen := *o
		seen.Class = o.class()
		p.trace.Done(m.Node(), seen)
	}
	p.released(m)
	if p.closing.Load() {
		p.left()
	}
}

// learn is what an outcome teaches.
func (p *Pool) learn(m *Member, o *Outcome) {
	now := p.now()
	if o.Report != nil {
		p.reported(m, *o.Report, now, false)
	}
	class := o.class()
	switch class {
	case OK:
		m.succeeded(now)
	case Failed, Rejected:
		m.failed(now)
		if n := int(m.inRow.Load()); p.outlier.Consecutive > 0 && n >= p.outlier.Consecutive {
			p.eject(m, now, "failed again and again")
		}
	}
	if p.learner != nil {
		p.learner.Done(m, Event{Now: now, Latency: max(o.Latency, 0), Class: class})
	}
}

func (p *Pool) reported(m *Member, r Report, now time.Duration, asked bool) {
	if !r.plausible() {
		p.badReports.Add(1)
		return
	}
	m.report.store(r, now)
	if p.learner != nil {
		p.learner.Reported(m, r, now, asked)
	}
	if was := m.saysDrain(now); r.Draining || was {
		till := time.Duration(0)
		if r.Draining {
			till = now + drainBelief
		}
		m.drainTill.Store(int64(till))
		if r.Draining != was {
			p.change(func() {})
		}
	}
}
