package ha

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

const beat = 10 * time.Millisecond

// pair is two machines on a perfect network.
type pair struct {
	t      *testing.T
	now    time.Duration
	cores  []*Core
	cut    bool
	sent   [][]*Heartbeat
	events [][]Event
	did    [][]EffectKind
}

func newPair(t *testing.T, change func(i int, cfg *Config)) *pair {
	p := &pair{t: t, sent: make([][]*Heartbeat, 2), events: make([][]Event, 2), did: make([][]EffectKind, 2)}
	for i, id := range []string{"a", "b"} {
		cfg := Config{
			Self: id, Groups: []Group{{Name: "x", Prefer: []string{"a"}}, {Name: "y", Prefer: []string{"b"}}},
			Timing: Timing{Heartbeat: beat, Misses: 5, Maturity: 10 * beat, Settle: 5 * beat, Pace: 5 * beat},
		}
		if change != nil {
			change(i, &cfg)
		}
		c, err := NewCore(cfg, uint64(1e18)+uint64(i), 0)
		if err != nil {
			t.Fatal(err)
		}
		p.cores = append(p.cores, c)
	}
	return p
}

// step gives one machine an input and everything that follows to both.
func (p *pair) step(i int, in Input) {
	for _, e := range p.cores[i].Step(p.now, in) {
		switch e.Kind {
		case Send:
			p.sent[i] = append(p.sent[i], e.Heartbeat)
			if !p.cut {
				p.step(1-i, Input{Kind: Heard, Heartbeat: e.Heartbeat})
			}
		case Report:
			p.events[i] = append(p.events[i], e.Event)
		default:
			p.did[i] = append(p.did[i], e.Kind)
			if e.Op != 0 {
				p.step(i, Input{Kind: Done, Op: e.Op})
			}
		}
	}
}

func (p *pair) run(d time.Duration) {
	for end := p.now + d; p.now < end; {
		p.now += beat / 2
		for i := range p.cores {
			p.step(i, Input{Kind: Tick})
		}
	}
}

func (p *pair) owner(i int, group string) string {
	for _, g := range p.cores[i].Snapshot().Groups {
		if g.Name == group {
			return g.Owner
		}
	}
	return "no such group"
}

func (p *pair) saw(i int, kind EventKind) bool {
	return slices.ContainsFunc(p.events[i], func(e Event) bool { return e.Kind == kind })
}

func (p *pair) want(x, y string) {
	p.t.Helper()
	for i := range p.cores {
		if gx, gy := p.owner(i, "x"), p.owner(i, "y"); gx != x || gy != y {
			p.t.Fatalf("%s sees x on %q and y on %q, want %q and %q", p.cores[i].self, gx, gy, x, y)
		}
	}
}

func TestRecordedHeartbeatsChangeNothing(t *testing.T) {
	p := newPair(t, nil)
	p.run(20 * beat)
	p.want("a", "b")
	recorded := p.sent[1]
	p.cut = true
	p.run(20 * beat)
	if p.owner(0, "y") != "a" {
		t.Fatal("a did not take over")
	}
	for _, h := range recorded {
		p.step(0, Input{Kind: Heard, Heartbeat: h})
	}
	if s := p.cores[0].Snapshot(); s.Members[0].Alive || p.owner(0, "y") != "a" {
		t.Errorf("recorded heartbeats were believed: %+v", s)
	}
	// A process that never heard b can be shown a recording, which does not
	// answer to it.
	cfg := Config{Self: "a", Groups: []Group{{Name: "x"}, {Name: "y"}}, Timing: p.cores[0].timing}
	c, err := NewCore(cfg, uint64(2e18), p.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range recorded {
		c.Step(p.now, Input{Kind: Heard, Heartbeat: h})
	}
	if s := c.Snapshot(); !s.Members[0].OneWay || s.Members[0].Eligible && s.Groups[1].Changing {
		t.Errorf("%+v", s)
	}
}

// TestMergeIsAnnouncedByTheWinner also if the loser let go before the winner could
// see a conflict: clients may still believe the loser.
func TestMergeIsAnnouncedByTheWinner(t *testing.T) {
	p := newPair(t, func(_ int, cfg *Config) {
		cfg.Groups[0].VIPs, cfg.Groups[1].VIPs = []VIP{address("x")}, []VIP{address("y")}
	})
	p.run(20 * beat)
	p.want("a", "b")
	p.cut = true
	p.run(20 * beat)
	if p.owner(0, "y") != "a" || p.owner(1, "x") != "b" {
		t.Fatal("each side has to serve everything")
	}
	p.did[0], p.did[1] = nil, nil
	p.cut = false
	p.run(3 * beat)
	p.want("a", "b")
	for i, did := range p.did {
		gone := slices.Index(did, Detach)
		if gone < 0 || !slices.Contains(did[gone:], Announce) || slices.Contains(did, Take) {
			t.Errorf("%s did %v", p.cores[i].self, did)
		}
	}
}

func TestFalseDeathIsFoundOut(t *testing.T) {
	p := newPair(t, nil)
	p.run(20 * beat)
	p.want("a", "b")
	p.step(0, Input{Kind: Gone, Member: "b", Boot: p.cores[1].boot})
	if !p.saw(0, MemberDown) || p.owner(0, "y") != "a" {
		t.Fatalf("a did not believe it: y is on %q", p.owner(0, "y"))
	}
	p.run(20 * beat)
	p.want("a", "b")
}

func TestAnotherProcessWithOurIDKeepsUsFromOwning(t *testing.T) {
	p := newPair(t, nil)
	twin, err := NewCore(Config{Self: "a", Timing: p.cores[0].timing}, 7, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		p.run(beat)
		for _, e := range twin.Step(p.now, Input{Kind: Tick}) {
			if e.Kind == Send {
				p.step(0, Input{Kind: Heard, Heartbeat: e.Heartbeat})
			}
		}
	}
	if !p.saw(0, DuplicateID) || p.cores[0].Snapshot().Mature {
		t.Errorf("%+v, events %v", p.cores[0].Snapshot(), p.events[0])
	}
	if p.owner(1, "x") != "b" {
		t.Errorf("x is on %q", p.owner(1, "x"))
	}
}

func TestStrangersAreNotHeard(t *testing.T) {
	p := newPair(t, func(i int, cfg *Config) {
		if i == 0 {
			cfg.Members = []string{"a", "c"}
		}
	})
	p.run(20 * beat)
	if s := p.cores[0].Snapshot(); !p.saw(0, Stranger) || len(s.Members) != 0 {
		t.Errorf("%+v, events %v", s, p.events[0])
	}
}

func TestHard_14_ListsThatDifferMoveNothing(t *testing.T) {
	p := newPair(t, nil)
	p.run(20 * beat)
	p.want("a", "b")
	for i := range p.events {
		p.events[i], p.did[i] = nil, nil
	}
	changed := []Group{{Name: "x", Prefer: []string{"b"}}, {Name: "y", Prefer: []string{"b"}}, {Name: "z", Prefer: []string{"b"}}}
	p.step(0, Input{Kind: Update, Groups: changed})
	p.run(50 * beat)
	if p.owner(0, "x") != "a" || p.owner(0, "y") != "b" || !p.saw(0, Mismatch) || !p.saw(1, Mismatch) {
		t.Errorf("x on %q, y on %q, events %v and %v", p.owner(0, "x"), p.owner(0, "y"), p.events[0], p.events[1])
	}
	if p.owner(0, "z") != "a" {
		t.Errorf("z, which only a knows, is on %q", p.owner(0, "z"))
	}
	p.step(1, Input{Kind: Update, Groups: changed})
	p.run(100 * beat)
	p.want("b", "b")
	if p.owner(0, "z") != "b" {
		t.Errorf("z is on %q", p.owner(0, "z"))
	}
	p.step(0, Input{Kind: Update, Groups: changed[:2]})
	p.step(1, Input{Kind: Update, Groups: changed[:2]})
	p.run(10 * beat)
	if got := p.owner(1, "z"); got != "no such group" {
		t.Errorf("z is on %q", got)
	}
}

func address(iface string) VIP {
	return VIP{Iface: iface, Prefix: netip.MustParsePrefix("192.0.2.1/32")}
}

func TestRemovedAddressComesBack(t *testing.T) {
	v := address("eth0")
	p := newPair(t, nil)
	c := p.cores[0]
	p.run(20 * beat)
	l := c.local(hashOf("x"))
	l.group.VIPs = []VIP{v}
	p.did[0] = nil
	p.step(0, Input{Kind: Plumbing, Event: PlumberEvent{VIP: v, What: Lost}})
	p.run(beat)
	if !p.saw(0, Restored) || !slices.Contains(p.did[0], Attach) || !slices.Contains(p.did[0], Announce) {
		t.Errorf("did %v", p.did[0])
	}
}

func TestAddressesFollowTheList(t *testing.T) {
	p := newPair(t, func(_ int, cfg *Config) {
		cfg.Groups = []Group{{Name: "x", Prefer: []string{"a"}, VIPs: []VIP{address("one")}}}
	})
	p.run(20 * beat)
	p.did[0] = nil
	next := []Group{{Name: "x", Prefer: []string{"a"}, VIPs: []VIP{address("two")}}}
	p.step(0, Input{Kind: Update, Groups: next})
	p.step(1, Input{Kind: Update, Groups: next})
	p.run(5 * beat)
	if !slices.Contains(p.did[0], Detach) || !slices.Contains(p.did[0], Attach) || slices.Contains(p.did[0], Take) || p.owner(1, "x") != "a" {
		t.Errorf("did %v, x is on %q", p.did[0], p.owner(1, "x"))
	}
}

func TestOneFrameTellsEverything(t *testing.T) {
	p := newPair(t, func(_ int, cfg *Config) {
		cfg.Groups = nil
		for i := range 255 {
			cfg.Groups = append(cfg.Groups, Group{Name: fmt.Sprint("g", i)})
		}
	})
	p.run(200 * beat)
	p.sent[0] = nil
	p.run(100 * beat)
	if n := len(p.sent[0]); n > 101 {
		t.Errorf("%d frames in 100 intervals", n)
	}
	if n := len(p.sent[0][0].append(nil)); n > 300 {
		t.Errorf("a frame without news has %d bytes", n)
	}
}

func BenchmarkHeard(b *testing.B) {
	for _, members := range []int{6, 32} {
		b.Run(fmt.Sprint(members, " members"), func(b *testing.B) {
			var groups []Group
			for i := range 6 {
				groups = append(groups, Group{Name: fmt.Sprint("g", i)})
			}
			var cores []*Core
			for i := range members {
				c, err := NewCore(Config{Self: fmt.Sprint("n", i), Groups: groups}, uint64(i+1), 0)
				if err != nil {
					b.Fatal(err)
				}
				cores = append(cores, c)
			}
			now := time.Duration(0)
			beats := 0
			round := func() {
				now += beat
				var all []*Heartbeat
				for _, c := range cores {
					for _, e := range c.Step(now, Input{Kind: Tick}) {
						if e.Kind == Send {
							all = append(all, e.Heartbeat)
						} else if e.Op != 0 {
							c.Step(now, Input{Kind: Done, Op: e.Op})
						}
					}
				}
				for _, h := range all {
					for _, c := range cores {
						if c.self != h.from {
							beats++
							for _, e := range c.Step(now, Input{Kind: Heard, Heartbeat: h}) {
								if e.Op != 0 {
									c.Step(now, Input{Kind: Done, Op: e.Op})
								}
							}
						}
					}
				}
			}
			for range 2000 {
				round()
			}
			beats = 0
			b.ReportAllocs()
			for b.Loop() {
				round()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(beats), "ns/heartbeat")
		})
	}
}
