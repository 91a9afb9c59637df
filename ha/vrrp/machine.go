package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// State is what a router is at the moment (RFC 9568, 6.4; version 2 says master
// for active).
type State uint8

const (
	// Initialize is before the start, after the end, and without a carrier.
	Initialize State = iota
	// Backup listens.
	Backup
	// Active has the addresses and advertises.
	Active
)

// String returns initialize, backup or active.
func (s State) String() string { return []string{"initialize", "backup", "active"}[min(s, Active)] }

// effect is what a machine wants done, in order.
type effect uint8

const (
	advertise effect = iota + 1 // with the own priority
	resign                      // advertise priority 0
	attach                      // take the addresses
	announce                    // tell the LAN where they are
	detach                      // give the addresses up
)

// machine is the table of states of RFC 9568, 6.4. It is a value that is owned by
// one goroutine and knows no clock but what it is told. Where it goes beyond the
// table it says so.
type machine struct {
	version   uint8
	priority  uint8
	interval  time.Duration // own
	primary   netip.Addr    // own source address
	noPreempt bool
	delay     time.Duration // before it preempts

	state    State
	learned  time.Duration // the active router's interval
	timer    time.Time     // Adver_Timer or Active_Down_Timer
	mayAfter time.Time     // preempt not before
	due      []time.Time   // announcements to come
}

// repeats are announcements after the first: frames get lost, and old kernels
// believe no second one within a second.
var repeats = []time.Duration{100 * time.Millisecond, 1100 * time.Millisecond, 5 * time.Second}

// refresh is the time between announcements for good: switches forget ports
// after 300 s, routers remember neighbours longer.
const refresh = 60 * time.Second

// holdOff is how long a router that could not serve leaves the addresses to
// others.
const holdOff = 10 * time.Second

// skew is Skew_Time: the higher the priority, the sooner.
func (m *machine) skew() time.Duration {
	unit := m.learned
	if m.version == 2 {
		unit = time.Second
	}
	return time.Duration(256-int(m.priority)) * unit / 256
}

// down is Active_Down_Interval.
func (m *machine) down() time.Duration { return 3*m.learned + m.skew() }

// deadline is when tick has something to do; zero is never.
func (m *machine) deadline() time.Time {
	if m.state == Initialize {
		return time.Time{}
	}
	if len(m.due) > 0 && m.due[0].Before(m.timer) {
		return m.due[0]
	}
	return m.timer
}

// start is the event Startup.
func (m *machine) start(now time.Time) []effect {
	if m.state != Initialize {
		return nil
	}
	m.learned = m.interval
	m.mayAfter = now.Add(m.delay)
	if m.priority == 255 {
		return m.become(now)
	}
	m.state, m.timer = Backup, now.Add(m.down())
	return nil
}

// stop is the event Shutdown.
func (m *machine) stop() []effect {
	was := m.state
	m.state, m.due = Initialize, nil
	if was == Active {
		return []effect{resign, detach}
	}
	return nil
}

// become makes it active. The addresses are there before the others hear of it.
func (m *machine) become(now time.Time) []effect {
	m.state, m.timer = Active, now.Add(m.interval)
	m.learned = m.interval
	m.schedule(now)
	return []effect{attach, advertise, announce}
}

func (m *machine) schedule(now time.Time) {
	m.due = m.due[:0]
	for _, d := range repeats {
		m.due = append(m.due, now.Add(d))
	}
}

// tick is the event of a timer, or of nothing.
func (m *machine) tick(now time.Time) []effect {
	if e, late := m.wake(now); late {
		return e
	}
	var out []effect
	if m.state == Active && len(m.due) > 0 && !now.Before(m.due[0]) {
		if m.due = m.due[1:]; len(m.due) == 0 {
			m.due = append(m.due, now.Add(refresh))
		}
		out = append(out, announce)
	}
	if m.state == Initialize || now.Before(m.timer) {
		return out
	}
	if m.state == Backup {
		return m.become(now)
	}
	m.timer = now.Add(m.interval)
	return append(out, advertise)
}

// wake goes beyond the RFC: a router that was late by as long as the others wait
// for it was stopped, and believes its own state no more. It says nothing about
// that, for another one is active now.
func (m *machine) wake(now time.Time) (effects []effect, late bool) {
	patience := m.down()
	if m.state == Active {
		patience -= m.interval // they have waited since the last advertisement
		effects = []effect{detach}
	}
	if m.state == Initialize || now.Sub(m.timer) < patience {
		return nil, false
	}
	m.state, m.due = Backup, nil
	m.timer = now.Add(m.down())
	return effects, true
}

// fail says that the addresses cannot be served here. The others are told at
// once, and have them for holdOff if they want.
func (m *machine) fail(now time.Time) []effect {
	if e, late := m.wake(now); late {
		return e
	}
	if m.state != Active {
		return nil
	}
	m.state, m.due = Backup, nil
	m.mayAfter = now.Add(holdOff)
	m.timer = now.Add(max(m.down(), time.Second))
	return []effect{resign, detach}
}

// lost says that the addresses were taken away from here.
func (m *machine) lost(now time.Time) []effect {
	if e, late := m.wake(now); late {
		return e
	}
	if m.state != Active {
		return nil
	}
	m.schedule(now)
	return []effect{attach, announce}
}

// receive is the event of an advertisement of another router.
func (m *machine) receive(now time.Time, a Advertisement, from netip.Addr) []effect {
	out, _ := m.wake(now)
	switch m.state {
	case Backup:
		preempt := !m.noPreempt && !now.Before(m.mayAfter)
		switch {
		case a.Priority == 0:
			m.timer = now.Add(m.skew())
		case !preempt || a.Priority >= m.priority:
			m.follow(now, a)
		}
	case Active:
		switch {
		case a.Priority == 0:
			m.timer = now.Add(m.interval)
			out = append(out, advertise)
		case a.Priority > m.priority || a.Priority == m.priority && from.Compare(m.primary) > 0:
			m.state, m.due = Backup, nil
			m.follow(now, a)
			out = append(out, detach)
		default:
			m.timer = now.Add(m.interval)
			out = append(out, advertise)
			// The LAN may have learned the other's hardware address, which goes beyond
			// the RFC: those that never lost the addresses have to say so after a merge.
			m.schedule(now)
			out = append(out, announce)
		}
	}
	return slices.Clip(out)
}

// follow learns the interval of the active router, which version 2 demands to be
// the own one.
func (m *machine) follow(now time.Time, a Advertisement) {
	m.learned = a.Interval
	m.timer = now.Add(m.down())
}
