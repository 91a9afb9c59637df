package vrrp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var (
	low, mid, high = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.10")
	zero           = time.Unix(1000, 0)
)

func at(d time.Duration) time.Time { return zero.Add(d) }

func newMachine(priority uint8) *machine {
	return &machine{version: 3, priority: priority, interval: time.Second, primary: mid}
}

func advert(priority uint8, interval time.Duration) Advertisement {
	return Advertisement{Version: 3, VRID: 1, Priority: priority, Interval: interval}
}

func same(t *testing.T, what string, got []effect, want ...effect) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: effects %v, want %v", what, got, want)
	}
}

func is(t *testing.T, m *machine, s State, timer time.Duration) {
	t.Helper()
	if m.state != s || !m.timer.Equal(at(timer)) {
		t.Errorf("%v with a timer at %v, want %v, %v", m.state, m.timer.Sub(zero), s, timer)
	}
}

func TestBackupTakesOverAfterThreeIntervalsAndASkew(t *testing.T) {
	m := newMachine(100)
	same(t, "start", m.start(zero))
	const down = 3*time.Second + 156*time.Second/256
	is(t, m, Backup, down)
	same(t, "too early", m.tick(at(down-1)))
	same(t, "in time", m.tick(at(down)), attach, advertise, announce)
	is(t, m, Active, down+time.Second)
	same(t, "next", m.tick(at(down+time.Second)), announce, advertise)
	same(t, "end", m.stop(), resign, detach)
	is(t, m, Initialize, down+2*time.Second)
}

func TestVersion2HasASkewOfAFractionOfASecond(t *testing.T) {
	m := newMachine(156)
	m.version, m.interval = 2, 4*time.Second
	m.start(zero)
	is(t, m, Backup, 12*time.Second+100*time.Second/256)
}

func TestOwnerNeverWaits(t *testing.T) {
	m := newMachine(255)
	same(t, "start", m.start(zero), attach, advertise, announce)
	is(t, m, Active, time.Second)
}

func TestBackupHearsAdvertisements(t *testing.T) {
	const skew = 156 * time.Second / 256
	for _, tt := range []struct {
		name      string
		noPreempt bool
		delay     time.Duration
		a         Advertisement
		timer     time.Duration // after one heard a second after the start
	}{
		{"higher", false, 0, advert(200, time.Second), 4*time.Second + skew},
		{"equal", false, 0, advert(100, time.Second), 4*time.Second + skew},
		{"lower is preempted", false, 0, advert(99, time.Second), 3*time.Second + skew},
		{"lower without preemption", true, 0, advert(1, time.Second), 4*time.Second + skew},
		{"lower before preemption", false, 2 * time.Second, advert(1, time.Second), 4*time.Second + skew},
		{"zero", false, 0, advert(0, time.Second), time.Second + skew},
		{"zero without preemption", true, 0, advert(0, time.Second), time.Second + skew},
		{"learned interval", false, 0, advert(200, 100*time.Millisecond), 1300*time.Millisecond + skew/10},
	} {
		m := newMachine(100)
		m.noPreempt, m.delay = tt.noPreempt, tt.delay
		m.start(zero)
		same(t, tt.name, m.receive(at(time.Second), tt.a, high))
		if m.state != Backup || !m.timer.Equal(at(tt.timer)) {
			t.Errorf("%s: %v with a timer at %v, want %v", tt.name, m.state, m.timer.Sub(zero), tt.timer)
		}
	}
}

func TestActiveHearsAdvertisements(t *testing.T) {
	for _, tt := range []struct {
		name string
		a    Advertisement
		from netip.Addr
		want []effect
		then State
	}{
		{"higher", advert(101, time.Second), low, []effect{detach}, Backup},
		{"equal, higher address", advert(100, time.Second), high, []effect{detach}, Backup},
		{"equal, lower address", advert(100, time.Second), low, []effect{advertise, announce}, Active},
		{"lower", advert(99, time.Second), high, []effect{advertise, announce}, Active},
		{"zero", advert(0, time.Second), high, []effect{advertise}, Active},
	} {
		m := newMachine(100)
		m.start(zero)
		m.tick(m.timer)
		same(t, tt.name, m.receive(m.timer.Add(-time.Millisecond), tt.a, tt.from), tt.want...)
		if m.state != tt.then {
			t.Errorf("%s: %v, want %v", tt.name, m.state, tt.then)
		}
	}
}

func TestAnnouncementsAreRepeatedAndRefreshed(t *testing.T) {
	m := newMachine(255)
	m.start(zero)
	var times []time.Duration
	for now := zero; now.Before(at(3 * time.Minute)); {
		now = m.deadline()
		if slices.Contains(m.tick(now), announce) {
			times = append(times, now.Sub(zero))
		}
	}
	want := []time.Duration{100 * time.Millisecond, 1100 * time.Millisecond, 5 * time.Second, 65 * time.Second, 125 * time.Second}
	if !slices.Equal(times, want) {
		t.Errorf("announced at %v, want %v", times, want)
	}
}

// Whatever wakes it.
func TestStoppedActiveBelievesNothing(t *testing.T) {
	for name, wake := range map[string]func(*machine, time.Time) []effect{
		"timer":   (*machine).tick,
		"lost":    (*machine).lost,
		"failed":  (*machine).fail,
		"message": func(m *machine, now time.Time) []effect { return m.receive(now, advert(50, time.Second), high) },
	} {
		m := newMachine(100)
		m.start(zero)
		m.tick(m.timer)
		now := m.timer.Add(10 * time.Second)
		same(t, name, wake(m, now), detach)
		if m.state != Backup || !m.timer.After(now) {
			t.Errorf("%s: %v with a timer at %v", name, m.state, m.timer.Sub(now))
		}
	}
}

func TestStoppedBackupListensFirst(t *testing.T) {
	m := newMachine(100)
	m.start(zero)
	same(t, "wake", m.tick(at(time.Minute)))
	if m.state != Backup || !m.timer.Equal(at(time.Minute).Add(m.down())) {
		t.Error("it took over without having listened")
	}
}

func TestFailureLeavesTheAddressesToOthers(t *testing.T) {
	m := newMachine(100)
	m.start(zero)
	now := m.timer
	m.tick(now)
	same(t, "failure", m.fail(now), resign, detach)
	for range 9 {
		now = now.Add(time.Second)
		same(t, "another is active", m.receive(now, advert(1, time.Second), low))
		same(t, "wait", m.tick(now.Add(999*time.Millisecond)))
	}
	now = now.Add(2 * time.Second)
	m.receive(now, advert(1, time.Second), low)
	if !m.timer.Before(now.Add(3 * time.Second)) {
		t.Error("it does not preempt after the hold-off")
	}
}

func TestLostAddressesAreAttachedAgain(t *testing.T) {
	m := newMachine(100)
	m.start(zero)
	same(t, "backup", m.lost(zero))
	m.tick(m.timer)
	same(t, "active", m.lost(m.timer), attach, announce)
}

// world is a LAN of machines, without delays, that loses messages, and stops and
// starts routers. It checks each effect as it comes.
type world struct {
	t     *testing.T
	rnd   *rand.Rand
	now   time.Time
	nodes []*machine
	up    []bool
	has   []bool // the addresses
	loss  int    // percent
	inbox []message
}

type message struct {
	to   int
	a    Advertisement
	from netip.Addr
}

func (w *world) do(i int, effects []effect) {
	for _, e := range effects {
		m := w.nodes[i]
		switch e {
		case attach:
			w.has[i] = true
		case detach:
			w.has[i] = false
		case announce:
			if !w.has[i] {
				w.t.Fatalf("node %d announces what it does not have", i)
			}
		case advertise, resign:
			if e == advertise && (m.state != Active || !w.has[i]) {
				w.t.Fatalf("node %d advertises as %v, addresses %v", i, m.state, w.has[i])
			}
			a := advert(m.priority, m.interval)
			if e == resign {
				a.Priority = 0
			}
			for j := range w.nodes {
				if j != i && w.up[j] && w.rnd.IntN(100) >= w.loss {
					w.inbox = append(w.inbox, message{j, a, m.primary})
				}
			}
		}
	}
	if m := w.nodes[i]; w.has[i] != (m.state == Active) {
		w.t.Fatalf("node %d is %v, addresses %v", i, m.state, w.has[i])
	}
	for len(w.inbox) > 0 {
		next := w.inbox[0]
		w.inbox = w.inbox[1:]
		if m := w.nodes[next.to]; m.state != Initialize {
			w.do(next.to, m.receive(w.now, next.a, next.from))
		}
	}
}

// run goes from deadline to deadline.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		next, who := end, -1
		for i, m := range w.nodes {
			if at := m.deadline(); w.up[i] && !at.IsZero() && at.Before(next) {
				next, who = at, i
			}
		}
		w.now = next
		if who < 0 {
			return
		}
		w.do(who, w.nodes[who].tick(w.now))
	}
}

func TestHighestOfThoseThatLiveIsActive(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 9568))
			w := &world{t: t, rnd: rnd, now: zero}
			n := 1 + rnd.IntN(5)
			for i := range n {
				m := newMachine(uint8(1 + rnd.IntN(254)))
				m.primary = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
				m.interval = time.Duration(1+rnd.IntN(200)) * 10 * time.Millisecond
				w.nodes, w.up, w.has = append(w.nodes, m), append(w.up, true), append(w.has, false)
				w.do(i, m.start(w.now))
			}
			for range 30 { // trouble
				w.loss = rnd.IntN(101)
				i := rnd.IntN(n)
				switch rnd.IntN(3) {
				case 0: // stops, or dies and starts anew
					w.do(i, w.nodes[i].stop())
					w.do(i, w.nodes[i].start(w.now))
				case 1: // sleeps, or wakes
					w.up[i] = !w.up[i]
				case 2:
					w.do(i, w.nodes[i].fail(w.now))
				}
				w.run(time.Duration(rnd.IntN(5000)) * time.Millisecond)
			}
			w.loss = 0
			for i := range n {
				w.up[i] = true
			}
			w.run(time.Minute)
			best := slices.MaxFunc(w.nodes, func(a, b *machine) int {
				if a.priority != b.priority {
					return int(a.priority) - int(b.priority)
				}
				// Of equals the one that is active stays so, if it is alone.
				if a.state != b.state {
					return int(a.state) - int(b.state)
				}
				return a.primary.Compare(b.primary)
			})
			for i, m := range w.nodes {
				if (m == best) != w.has[i] {
					t.Errorf("node %d of priority %d is %v, want that of %d active", i, m.priority, m.state, best.priority)
				}
			}
		})
	}
}
