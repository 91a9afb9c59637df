package ha_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/hatest"
)

// noLeaks fails the test if goroutines are left when it ends.
func noLeaks(t testing.TB) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(10 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Errorf("%d goroutines are left of %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// within waits until f holds.
func within(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// lan is a cluster on the loopback interface.
type lan struct {
	t     testing.TB
	nodes []*ha.Node
	stop  []context.CancelFunc
	done  []chan error
	net   *hatest.LAN
	cfgs  []ha.Config
}

func freePorts(t testing.TB, n int) []netip.AddrPort {
	var list []netip.AddrPort
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		list = append(list, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return list
}

func vip(i int) ha.VIP {
	return ha.VIP{Iface: "eth0", Prefix: netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/32", i+1))}
}

func newLAN(t testing.TB, members, groups int, change func(*ha.Config)) *lan {
	noLeaks(t)
	l := &lan{t: t, net: new(hatest.LAN)}
	ports := freePorts(t, members)
	for i := range members {
		cfg := ha.Config{
			Self: fmt.Sprint("n", i),
			Keys: [][]byte{[]byte("a key of the test, 16 and more")},
			Timing: ha.Timing{
				Heartbeat: 10 * time.Millisecond, Misses: 50, Maturity: time.Second,
				Settle: 20 * time.Millisecond, Pace: 20 * time.Millisecond, Moves: 4,
			},
			Plumber: l.net.Host(fmt.Sprint("n", i)),
			Paths:   []ha.Path{{Listen: ports[i]}},
		}
		for j, p := range ports {
			if j != i {
				cfg.Paths[0].Peers = append(cfg.Paths[0].Peers, p)
			}
		}
		for g := range groups {
			cfg.Groups = append(cfg.Groups, ha.Group{Name: fmt.Sprint("g", g), VIPs: []ha.VIP{vip(g)}})
		}
		if change != nil {
			change(&cfg)
		}
		n, err := ha.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		l.nodes = append(l.nodes, n)
		l.cfgs = append(l.cfgs, cfg)
		l.stop = append(l.stop, nil)
		l.done = append(l.done, nil)
		l.start(i)
	}
	t.Cleanup(func() {
		for i := range l.nodes {
			l.end(i)
		}
	})
	return l
}

func (l *lan) start(i int) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	l.stop[i], l.done[i] = stop, done
	n := l.nodes[i]
	go func() { done <- n.Run(ctx) }()
}

func (l *lan) end(i int) {
	if l.stop[i] == nil {
		return
	}
	l.stop[i]()
	if err := <-l.done[i]; !errors.Is(err, context.Canceled) {
		l.t.Errorf("n%d: Run = %v", i, err)
	}
	l.stop[i] = nil
}

// spread waits until each address is on one host, and the loads are these.
func (l *lan) spread(want ...int) {
	l.t.Helper()
	within(l.t, fmt.Sprintf("loads %v", want), func() bool {
		sum := 0
		for i, w := range want {
			if len(l.net.On(fmt.Sprint("n", i))) != w {
				return false
			}
			sum += w
		}
		return len(l.net.Addresses()) == sum
	})
}

func TestBook_4_4_ThreeNodesOnLoopback(t *testing.T) {
	l := newLAN(t, 3, 6, nil)
	l.spread(2, 2, 2)
	if err := l.nodes[0].Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.spread(0, 3, 3)
	if n := l.net.Gaps(); n != 0 {
		t.Errorf("while draining, an address was nowhere %d times", n)
	}
	if err := l.nodes[0].Undrain(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.spread(2, 2, 2)
	if err := l.nodes[0].Move(t.Context(), "g0", "n2"); err != nil {
		t.Fatal(err)
	}
	if on := l.net.On("n2"); !strings.Contains(fmt.Sprint(on), vip(0).String()) {
		t.Errorf("g0 was moved to n2, which has %v", on)
	}
	if n := l.net.Gaps(); n != 0 {
		t.Errorf("while moving, an address was nowhere %d times", n)
	}
	l.end(1)
	within(t, "two nodes have all", func() bool {
		return len(l.net.On("n0"))+len(l.net.On("n2")) == 6 && len(l.net.On("n1")) == 0
	})
	if n := l.net.Gaps(); n != 0 {
		t.Errorf("while n1 ended, an address was nowhere %d times", n)
	}
	l.start(1)
	within(t, "n1 is back", func() bool { return len(l.net.On("n1")) > 0 })
	if s := l.nodes[0].Stats(); s.Sent == 0 || s.Heard == 0 || s.Taken == 0 || s.Bad != 0 {
		t.Errorf("%+v", s)
	}
}

func TestDrainOfTheLastNodeIsRefused(t *testing.T) {
	l := newLAN(t, 1, 2, nil)
	l.spread(2)
	if err := l.nodes[0].Drain(t.Context()); !errors.Is(err, ha.ErrNoCandidate) {
		t.Errorf("Drain = %v", err)
	}
	l.spread(2)
	if err := l.nodes[0].Move(t.Context(), "nowhere", "n0"); err == nil {
		t.Error("an unknown group was moved")
	}
	l.end(0)
	if n := len(l.net.Addresses()); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
	if err := l.nodes[0].Drain(t.Context()); !errors.Is(err, ha.ErrNotRunning) {
		t.Errorf("Drain = %v", err)
	}
}

func TestHard_17_PromoteMayRefuseHangOrPanic(t *testing.T) {
	hang := make(chan struct{})
	l := newLAN(t, 3, 1, func(cfg *ha.Config) {
		cfg.Hook = 100 * time.Millisecond
		var calls atomic.Int64
		cfg.Hooks.Promote = func(ctx context.Context, _ ha.Term, _ ha.Group) error {
			switch cfg.Self {
			case "n0":
				return errors.New("no disk")
			case "n1":
				if calls.Add(1) > 1 {
					<-hang // whatever its context says
				}
				panic("no memory")
			}
			return nil
		}
	})
	t.Cleanup(func() { close(hang) })
	within(t, "n2 has it", func() bool { return len(l.net.On("n2")) == 1 })
	before := l.nodes[1].Stats().Sent
	within(t, "n1 sends heartbeats", func() bool { return l.nodes[1].Stats().Sent > before+20 })
}

func TestBook_6_4_NeighboursOfAllAreTold(t *testing.T) {
	router := netip.MustParseAddr("192.0.2.254")
	l := newLAN(t, 2, 1, func(cfg *ha.Config) {
		cfg.Groups[0].Prefer = []string{"n0"}
		if cfg.Self == "n1" {
			cfg.Plumber.(*hatest.Plumber).Meet("eth0", router)
		}
	})
	within(t, "n0 tells the router, which only n1 knew", func() bool {
		return slices.Contains(l.net.Host("n0").Told(vip(0)), router)
	})
}

func TestForgedFramesAreNotRead(t *testing.T) {
	l := newLAN(t, 1, 1, nil)
	l.spread(1)
	conn, err := net.Dial("udp", l.cfgs[0].Paths[0].Listen.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	within(t, "counted", func() bool {
		if _, err := conn.Write([]byte("\xa5\x4a\x00\x01 not sealed with the key")); err != nil {
			t.Fatal(err)
		}
		return l.nodes[0].Stats().Bad > 0
	})
}

func TestNewRefuses(t *testing.T) {
	ok := ha.Config{Self: "a", Insecure: true, Paths: []ha.Path{{Listen: netip.MustParseAddrPort("127.0.0.1:0")}}}
	if _, err := ha.New(ok); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*ha.Config){
		"Self":             func(c *ha.Config) { c.Self = "" },
		"Paths is empty":   func(c *ha.Config) { c.Paths = nil },
		"Listen":           func(c *ha.Config) { c.Paths = []ha.Path{{}} },
		"no multicast":     func(c *ha.Config) { c.Paths[0].Multicast = netip.MustParseAddrPort("10.0.0.1:1") },
		"Keys is empty":    func(c *ha.Config) { c.Insecure = false },
		"shorter than":     func(c *ha.Config) { c.Keys = [][]byte{[]byte("short")} },
		"Plumber is nil":   func(c *ha.Config) { c.Groups = []ha.Group{{Name: "g", VIPs: []ha.VIP{vip(1)}}} },
		"same name":        func(c *ha.Config) { c.Groups = []ha.Group{{Name: "g"}, {Name: "g"}} },
		"does not contain": func(c *ha.Config) { c.Members = []string{"b"} },
		"Timing.Heartbeat": func(c *ha.Config) { c.Heartbeat = time.Nanosecond },
		"Timing.Maturity":  func(c *ha.Config) { c.Maturity = time.Millisecond },
		"has no name":      func(c *ha.Config) { c.Groups = []ha.Group{{}} },
		"is in group":      func(c *ha.Config) { c.Groups = []ha.Group{{Name: "g", VIPs: []ha.VIP{vip(1), vip(1)}}} },
		"has Peers and Mul": func(c *ha.Config) {
			c.Paths[0].Multicast = netip.MustParseAddrPort("224.0.0.1:1")
			c.Paths[0].Peers = make([]netip.AddrPort, 1)
		},
	} {
		cfg := ok
		cfg.Paths = []ha.Path{ok.Paths[0]}
		change(&cfg)
		if _, err := ha.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
