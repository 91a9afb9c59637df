package vrrp_test

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/ashlar-go/ashlar/ha/vrrp"
	"github.com/ashlar-go/ashlar/internal/testnet"
)

// fast is what the tests without keepalived use.
var fast = setups[1]

func TestStoppedRouterIsReplacedAndDoesNotComeBackAsActive(t *testing.T) {
	t.Parallel()
	s := fast
	l := lab(t, 2)
	a := s.ours(l.Nodes[0], 100)
	a.Expect("active")
	b := s.ours(l.Nodes[1], 50)
	b.Expect("backup")
	p := l.Probe(s.service())
	p.AnsweredBy("n1")
	a.Signal(syscall.SIGSTOP)
	b.Expect("active")
	for deadline := time.Now().Add(30 * time.Second); strings.Contains(l.Nodes[0].IP("addr"), s.service().String()); {
		if time.Now().After(deadline) {
			t.Fatal("the kernel keeps the stopped router's address")
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.AnsweredBy("n2")
	a.Signal(syscall.SIGCONT)
	a.Expect("backup")
	a.Expect("active") // it preempts, as a backup does
	p.AnsweredBy("n1")
}

func TestMergeHasOneActiveRouterThatTheClientFinds(t *testing.T) {
	t.Parallel()
	s := fast
	l := lab(t, 2)
	a, b := s.ours(l.Nodes[0], 100), s.ours(l.Nodes[1], 50)
	a.Expect("active")
	p := l.Probe(s.service())
	p.AnsweredBy("n1")
	// The client hears the other side's announcements last.
	l.Partition([]*testnet.Node{l.Nodes[0]}, []*testnet.Node{l.Nodes[1], l.Client})
	b.Expect("active")
	p.AnsweredBy("n2")
	l.Heal()
	b.Expect("backup")
	p.AnsweredBy("n1")
}

func TestAddressOfSomebodyElseIsLeftToTheOthers(t *testing.T) {
	t.Parallel()
	s := fast
	l := lab(t, 2)
	b := s.ours(l.Nodes[1], 50)
	b.Expect("active")
	l.Nodes[0].IP("addr add " + s.addrs[0].String() + "/32 dev lo")
	a := s.ours(l.Nodes[0], 100)
	a.Expect("active")
	a.Expect("backup")
	b.Expect("backup")
	b.Expect("active")
	l.Probe(s.service()).AnsweredBy("n2")
	if !strings.Contains(a.Log(), "configured by somebody else") {
		t.Errorf("it says %q", a.Log())
	}
}

func TestRemovedAddressIsAttachedAgain(t *testing.T) {
	t.Parallel()
	s := fast
	l := lab(t, 1)
	a := s.ours(l.Nodes[0], 100)
	a.Expect("active")
	p := l.Probe(s.service())
	p.AnsweredBy("n1")
	l.Nodes[0].IP("addr del " + s.service().String() + "/32 dev eth0")
	p.AnsweredBy("n1")
}

func TestInterfaceThatIsMadeAnewIsServedAgain(t *testing.T) {
	t.Parallel()
	for _, s := range []setup{setups[3], setups[4]} {
		l := lab(t, 1)
		a := s.ours(l.Nodes[0], 100)
		a.Expect("active")
		l.Replug(l.Nodes[0])
		a.Expect("initialize")
		a.Expect("active")
		l.Probe(s.service()).AnsweredBy("n1")
	}
}

func TestConfigurationsThatDisagreeAreReported(t *testing.T) {
	t.Parallel()
	l := lab(t, 2)
	a := setups[0].ours(l.Nodes[0], 100)
	b := setups[1].ours(l.Nodes[1], 50)
	for _, p := range []*testnet.Process{a, b} {
		for deadline := time.Now().Add(30 * time.Second); !strings.Contains(p.Log(), "another configuration: version"); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it says %q", p.Log())
			}
		}
	}
}

func TestUnprivilegedRouterSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	l := lab(t, 1)
	p := fast.ours(l.Nodes[0], 100, "nobody")
	if err := p.Wait(); err == nil || !strings.Contains(p.Log(), "CAP_NET_RAW") {
		t.Errorf("%v, %q", err, p.Log())
	}
}

func TestPlumberThatHangsDelaysNoAdvertisement(t *testing.T) {
	t.Parallel()
	l := lab(t, 2)
	s := fast
	s.interval = time.Second // a busy machine is not late by three of these
	a := s.ours(l.Nodes[0], 100, "hang")
	a.Expect("active")
	b := s.ours(l.Nodes[1], 50)
	b.Expect("backup")
	time.Sleep(5 * s.interval)
	if lines := b.Lines(); len(lines) > 0 {
		t.Errorf("the backup went through %q", lines)
	}
	end(t, b)
	if strings.Contains(b.Log(), "Received:0") {
		t.Errorf("the backup has heard nothing: %s", b.Log())
	}
	end(t, a) // although it hangs
}

func TestMessageThatCameThroughARouterIsNotHeard(t *testing.T) {
	t.Parallel()
	l := lab(t, 1)
	s := fast
	s.interval = time.Second
	a := s.ours(l.Nodes[0], 100)
	a.Expect("active")
	b, err := vrrp.Advertisement{Version: 3, VRID: vrid, Priority: 200, Interval: s.interval, Addrs: s.addrs}.Marshal(l.Client.Addr, dst4, vrrp.Plain)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(ttl int) {
		err := l.Client.Do(func() error {
			c, err := net.ListenPacket("ip4:112", l.Client.Addr.String())
			if err != nil {
				return err
			}
			defer c.Close()
			p := ipv4.NewPacketConn(c)
			if err := p.SetMulticastTTL(ttl); err != nil {
				return err
			}
			iface, err := net.InterfaceByName("eth0")
			if err != nil {
				return err
			}
			_, err = p.WriteTo(b, &ipv4.ControlMessage{IfIndex: iface.Index}, &net.IPAddr{IP: dst4.AsSlice()})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	forge(254)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(a.Log(), "came through a router"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it says %q", a.Log())
		}
	}
	if lines := a.Lines(); len(lines) > 0 {
		t.Errorf("it went through %q", lines)
	}
	forge(255) // the same, from a neighbour
	a.Expect("backup")
}
