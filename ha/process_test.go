package ha_test

import (
	"bufio"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/hatest"
)

// TestMain is a member by itself if the environment says so: a process to kill.
func TestMain(m *testing.M) {
	addrs := strings.Fields(os.Getenv("HA_TEST_MEMBER"))
	if len(addrs) == 0 {
		os.Exit(m.Run())
	}
	cfg := victim(addrs[0], addrs[1])
	cfg.Self = "victim"
	n, err := ha.New(cfg)
	if err != nil {
		panic(err)
	}
	go func() {
		for n.Snapshot().Groups == nil || n.Snapshot().Groups[0].Owner != "victim" {
			time.Sleep(time.Millisecond)
		}
		os.Stdout.WriteString("owner\n")
	}()
	panic(n.Run(context.Background()))
}

// victim has so long a window that a silent death would be seen too late.
func victim(listen, peer string) ha.Config {
	return ha.Config{
		Groups:   []ha.Group{{Name: "g", Prefer: []string{"victim"}}},
		Insecure: true,
		Paths:    []ha.Path{{Listen: netip.MustParseAddrPort(listen), Peers: []netip.AddrPort{netip.MustParseAddrPort(peer)}}},
		Timing:   ha.Timing{Heartbeat: 10 * time.Millisecond, Misses: 150, Lease: 100 * time.Millisecond, Maturity: 3 * time.Second},
	}
}

func TestKilledProcessIsSeenByItsLifeline(t *testing.T) {
	noLeaks(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "HA_TEST_MEMBER="+ports[0].String()+" "+ports[1].String())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()

	events := make(chan ha.Event, 100)
	cfg := victim(ports[1].String(), ports[0].String())
	cfg.Self = "heir"
	cfg.Trace.Event = func(e ha.Event) { events <- e }
	n, err := ha.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	defer func() { stop(); <-done }()

	if line, err := bufio.NewReader(out).ReadString('\n'); line != "owner\n" {
		t.Fatalf("%q, %v", line, err)
	}
	within(t, "the heir knows", func() bool { s := n.Snapshot(); return s.Mature && s.Groups[0].Owner == "victim" })
	time.Sleep(200 * time.Millisecond) // the lifeline says hello
	killed := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for e := range events {
		if e.Kind == ha.MemberDown && e.Reason != "process ended" {
			t.Fatalf("%+v", e)
		}
		if e.Kind == ha.Taken {
			t.Logf("taken over after %v", time.Since(killed))
			break
		}
	}
}

func TestMulticastFindsTheOthers(t *testing.T) {
	l := newLAN(t, 3, 3, func(cfg *ha.Config) {
		cfg.Paths[0].Peers = nil
		cfg.Paths[0].Multicast = netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 77}), 47011)
	})
	l.spread(1, 1, 1)
}

// TestHard_20_OneOfTwoPathsSuffices gives each member a second path on which
// nobody listens to the first one.
func TestHard_20_OneOfTwoPathsSuffices(t *testing.T) {
	dead := freePorts(t, 3)
	i := 0
	l := newLAN(t, 3, 3, func(cfg *ha.Config) {
		nowhere := freePorts(t, 2)
		cfg.Paths = append([]ha.Path{{Listen: dead[i], Peers: nowhere}}, cfg.Paths...)
		i++
	})
	l.spread(1, 1, 1)
	for _, n := range l.nodes {
		if s := n.Stats(); s.Heard == 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestRunEndsWhenAPathCannotBeOpened(t *testing.T) {
	noLeaks(t)
	port := freePorts(t, 1)[0]
	cfg := ha.Config{Self: "a", Insecure: true, Paths: []ha.Path{{Listen: port}, {Listen: port}}, Plumber: new(hatest.LAN).Host("a")}
	n, err := ha.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Paths[1]") {
		t.Errorf("Run = %v", err)
	}
}

func TestOrphansAreRemovedAtStart(t *testing.T) {
	l := &hatest.LAN{}
	host := l.Host("n0")
	if err := host.Attach(t.Context(), vip(200)); err != nil {
		t.Fatal(err)
	}
	c := newLAN(t, 1, 1, func(cfg *ha.Config) { cfg.Plumber = host })
	within(t, "only its own", func() bool {
		on := l.On("n0")
		return len(on) == 1 && on[0] == vip(0)
	})
	host.Happen(ha.PlumberEvent{VIP: vip(0), What: ha.Lost})
	within(t, "attached again", func() bool { return len(l.On("n0")) == 1 })
	host.Fail("Detach", 2, nil)
	c.end(0)
	within(t, "removed in spite of a fault", func() bool { return len(l.On("n0")) == 0 })
}
