package testnet_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
)

func TestMain(m *testing.M) {
	testnet.Programs(m, map[string]func([]string) error{
		"shout": func(args []string) error {
			fmt.Println(strings.ToUpper(strings.Join(args, " ")))
			fmt.Fprintln(os.Stderr, "aside")
			var line string
			_, err := fmt.Scan(&line)
			fmt.Println(line + "!")
			return err
		},
	})
}

// reaches fails unless a datagram gets to the node and an answer back, over both
// protocols, or if want is false over neither.
func reaches(t *testing.T, from, to *testnet.Node, want bool) {
	t.Helper()
	for _, addr := range []netip.Addr{to.Addr, to.Addr6} {
		if got := answered(t, from, addr, want); got != want {
			t.Errorf("%s reaches %s at %v: %v, want %v", from.Name, to.Name, addr, got, want)
		}
	}
}

func answered(t *testing.T, from *testnet.Node, addr netip.Addr, patient bool) bool {
	t.Helper()
	var conn *net.UDPConn
	err := from.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tries := 3
	if patient {
		tries = 100
	}
	for range tries {
		_, _ = conn.WriteToUDPAddrPort([]byte("seq?"), netip.AddrPortFrom(addr, 7))
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 64)); err == nil {
			return true
		}
	}
	return false
}

// newLab makes one in which everybody answers.
func newLab(t *testing.T, n int) *testnet.Lab {
	lab := testnet.NewLab(t, n)
	for _, node := range append(lab.Nodes, lab.Client) {
		node.Echo()
	}
	return lab
}

func TestLabsAreLANsOfTheirOwn(t *testing.T) {
	for range 2 {
		lab := newLab(t, 2)
		reaches(t, lab.Nodes[0], lab.Nodes[1], true)
		reaches(t, lab.Client, lab.Nodes[1], true)
	}
}

func TestPartitionAndHeal(t *testing.T) {
	t.Parallel()
	lab := newLab(t, 3)
	a, b, c := lab.Nodes[0], lab.Nodes[1], lab.Nodes[2]
	reaches(t, a, b, true) // both know the other's hardware address now
	lab.Partition([]*testnet.Node{a}, []*testnet.Node{b, c})
	reaches(t, a, b, false)
	reaches(t, b, c, true)
	reaches(t, lab.Client, a, true)
	lab.Heal()
	reaches(t, a, c, true)
	lab.Cut(a, c)
	reaches(t, a, c, false)
	reaches(t, a, b, true)
}

func TestCarrierIsSeenByTheNode(t *testing.T) {
	t.Parallel()
	lab := newLab(t, 1)
	n := lab.Nodes[0]
	lab.Carrier(n, false)
	if out := n.IP("link show dev eth0"); !strings.Contains(out, "NO-CARRIER") {
		t.Error(out)
	}
	lab.Carrier(n, true)
	reaches(t, lab.Client, n, true)
	before := n.MAC("eth0")
	lab.Replug(n)
	if n.MAC("eth0") == before {
		t.Error("the new interface has the hardware address of the old one")
	}
	reaches(t, n, lab.Client, true)
}

func TestOneWayLossIsSeenByTheProbe(t *testing.T) {
	t.Parallel()
	lab := newLab(t, 1)
	n := lab.Nodes[0]
	for _, addr := range []netip.Addr{n.Addr, n.Addr6} {
		p := lab.Probe(addr)
		p.AnsweredBy("n1")
		const silence = 200 * time.Millisecond
		lab.Lose(n, lab.Client, 100)
		time.Sleep(silence)
		lab.Lose(n, lab.Client, 0)
		p.AnsweredBy("n1")
		r := p.Stop()
		if r.Longest < silence || r.Lost == 0 || r.By["n1"] == 0 || r.Sent != r.Lost+r.By["n1"] {
			t.Errorf("%v: %v, want a silence of %v", addr, r, silence)
		}
	}
}

func TestRandomLossIsAboutWhatWasAsked(t *testing.T) {
	t.Parallel()
	lab := newLab(t, 1)
	p := lab.Probe(lab.Nodes[0].Addr)
	p.AnsweredBy("n1")
	lab.Lose(lab.Client, lab.Nodes[0], 50)
	time.Sleep(500 * time.Millisecond)
	if r := p.Stop(); r.Lost*10 < r.Sent || r.Lost*10 > r.Sent*9 {
		t.Errorf("%v, want about a half lost", r)
	}
}

func TestProgramRunsInItsNamespace(t *testing.T) {
	t.Parallel()
	lab := newLab(t, 1)
	p := lab.Nodes[0].Program("shout", "hello", "there")
	if got := p.Line(); got != "HELLO THERE" {
		t.Errorf("Line = %q", got)
	}
	p.Send("bye")
	p.Expect("bye!")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if p.Log() != "aside\n" {
		t.Errorf("Log = %q", p.Log())
	}
}
