package netvip_test

import (
	"net"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha/netvip"
	"github.com/ashlar-go/ashlar/internal/testnet"
)

const (
	ip4 = "10.99.0.100"
	ip6 = "fd99::100"
)

var kinds = []struct {
	mode netvip.Mode
	ip   string
}{
	{netvip.Bound, ip4}, {netvip.Leased, ip4}, {netvip.Leased, ip6}, {netvip.VMAC, ip4}, {netvip.VMAC, ip6},
}

func TestClientFollowsTheAddressThatMoves(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.mode.String()+" "+k.ip, func(t *testing.T) {
			t.Parallel()
			lab := testnet.NewLab(t, 2)
			stubborn(lab.Client)
			a, b := hold(t, lab.Nodes[0], k.mode, forever), hold(t, lab.Nodes[1], k.mode, forever)
			lab.Nodes[0].Echo()
			lab.Nodes[1].Echo()
			p := lab.Probe(netip.MustParseAddr(k.ip))
			for from, to := a, b; ; from, to = b, a {
				to, from = from, to
				from.do("detach %s", k.ip) // also who never had it
				from.do("detach %s", k.ip)
				if _, ok := has(from.node, k.ip); ok {
					t.Fatalf("%s still has the address after Detach", from.node.Name)
				}
				to.do("attach %s", k.ip)
				to.do("attach %s", k.ip)
				to.do("announce %s", k.ip)
				p.AnsweredBy(to.node.Name)
				if to == b {
					break
				}
			}
			r := p.Stop()
			if r.By["n1"] == 0 || r.By["n2"] == 0 {
				t.Error(r)
			}
			t.Log(r)
			if err := b.Wait(); err != nil { // Close
				t.Error(err)
			}
			if iface, ok := has(lab.Nodes[1], k.ip); ok {
				t.Errorf("after Close it is still on %s", iface)
			}
			if out := lab.Nodes[1].IP("-o link"); strings.Contains(out, "vrrp") || strings.Contains(out, "ashlar") {
				t.Errorf("after Close there is\n%s", out)
			}
		})
	}
}

func TestKilledProcessLeavesNothingBehindWhenBound(t *testing.T) {
	t.Parallel()
	lab := testnet.NewLab(t, 1)
	n := lab.Nodes[0]
	n.Echo()
	h := hold(t, n, netvip.Bound, forever)
	h.do("attach %s", ip4)
	p := lab.Probe(netip.MustParseAddr(ip4))
	p.AnsweredBy("n1")
	h.Kill()
	if iface, ok := has(n, ip4); ok {
		t.Errorf("the dead process's address is still on %s", iface)
	}
	if out := n.IP("-o link"); strings.Contains(out, "ashlar") {
		t.Errorf("the dead process's device is still there:\n%s", out)
	}
}

func TestStoppedProcessLosesWhatIsNotRenewed(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.mode.String()+" "+k.ip, func(t *testing.T) {
			t.Parallel()
			n := testnet.NewLab(t, 1).Nodes[0]
			h := hold(t, n, k.mode, "20s")
			h.do("attach %s", k.ip)
			h.do("watch")
			h.do("renew 1h %s", k.ip)
			iface, _ := has(n, k.ip)
			if out := n.IP("addr show dev " + iface); !regexp.MustCompile(`valid_lft 3[56]\d\dsec`).MatchString(out) {
				t.Errorf("Renew did not:\n%s", out)
			}
			h.do("renew 1s %s", k.ip)
			h.Signal(syscall.SIGSTOP)
			began := time.Now()
			eventually(t, "the kernel removes the address", func() bool { _, ok := has(n, k.ip); return !ok })
			t.Logf("gone after %v", time.Since(began).Round(time.Millisecond))
			h.Signal(syscall.SIGCONT)
			h.event("lost eth0 " + vip(k.ip).Prefix.String())
			h.refused("the address is gone", "renew 1s %s", k.ip)
			if _, ok := has(n, k.ip); ok {
				t.Error("Renew added an address that was gone")
			}
		})
	}
}

func TestSuccessorFindsWhatAKilledProcessLeft(t *testing.T) {
	for _, k := range kinds[1:] {
		t.Run(k.mode.String()+" "+k.ip, func(t *testing.T) {
			t.Parallel()
			n := testnet.NewLab(t, 1).Nodes[0]
			n.IP("addr add 10.99.0.77/32 dev eth0") // somebody else's
			h := hold(t, n, k.mode, forever)
			h.do("attach %s", k.ip)
			h.Kill()
			next := hold(t, n, k.mode, forever)
			if said := next.do("attached"); len(said) != 1 || said[0] != "has "+k.ip+" on eth0" {
				t.Fatalf("attached says %q", said)
			}
			next.do("detach %s", k.ip)
			if iface, ok := has(n, k.ip); ok {
				t.Errorf("still on %s", iface)
			}
			if out := n.IP("-o link"); strings.Contains(out, "vrrp") {
				t.Errorf("the macvlan is still there:\n%s", out)
			}
			if _, ok := has(n, "10.99.0.77"); !ok {
				t.Error("an address of somebody else was removed")
			}
		})
	}
}

func TestOtherModesTakeOverWhatWasLeft(t *testing.T) {
	t.Parallel()
	n := testnet.NewLab(t, 1).Nodes[0]
	h := hold(t, n, netvip.Leased, forever)
	h.do("attach %s", ip4)
	h.Kill()
	b := hold(t, n, netvip.Bound, forever)
	b.do("attach %s", ip4)
	if out := n.IP("-o -4 addr show to " + ip4); strings.Count(out, ip4) != 1+strings.Count(out, "peer") || strings.Contains(out, "eth0") {
		t.Errorf("the address is not on the new device alone:\n%s", out)
	}
}

func TestForeignAddressIsRefused(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.mode.String()+" "+k.ip, func(t *testing.T) {
			t.Parallel()
			n := testnet.NewLab(t, 1).Nodes[0]
			n.IP("addr add " + vip(k.ip).Prefix.String() + " dev eth0 nodad")
			h := hold(t, n, k.mode, forever)
			h.refused("configured by somebody else", "attach %s", k.ip)
			h.do("detach %s", k.ip)
			if _, ok := has(n, k.ip); !ok {
				t.Error("Detach removed an address of somebody else")
			}
		})
	}
}

func TestSecondLivingProcessIsRefusedWhenBound(t *testing.T) {
	t.Parallel()
	n := testnet.NewLab(t, 1).Nodes[0]
	a, b := hold(t, n, netvip.Bound, forever), hold(t, n, netvip.Bound, forever)
	a.do("attach %s", ip4)
	b.refused("another process has it", "attach %s", ip4)
	b.do("detach %s", ip4)
	if _, ok := has(n, ip4); !ok {
		t.Error("Detach of one process took the other's address")
	}
}

func TestAddressIsNeverPrimaryNorASource(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.mode.String()+" "+k.ip, func(t *testing.T) {
			t.Parallel()
			lab := testnet.NewLab(t, 1)
			n := lab.Nodes[0]
			h := hold(t, n, k.mode, forever)
			routes := n.IP("route") + n.IP("-6 route")
			h.do("attach %s", k.ip)
			if now := n.IP("route") + n.IP("-6 route"); now != routes {
				t.Errorf("routes were\n%s and are\n%s", routes, now)
			}
			if out := n.IP("-o addr"); strings.Contains(out, "tentative") || strings.Contains(out, "dadfailed") {
				t.Errorf("not usable at once:\n%s", out)
			}
			for _, to := range []netip.Addr{lab.Client.Addr, lab.Client.Addr6} {
				err := n.Do(func() error {
					c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
					if err != nil {
						return err
					}
					defer c.Close()
					if from := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr(); from != n.Addr && from != n.Addr6 {
						t.Errorf("speaks to %v as %v", to, from)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
			h.do("detach %s", k.ip)
			if _, ok := has(n, n.Addr.String()); !ok {
				t.Error("the LAN's own address went too")
			}
		})
	}
}

func TestErrorNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	n := testnet.NewLab(t, 1).Nodes[0]
	for _, tt := range []struct {
		mode        netvip.Mode
		words, line string
	}{
		{netvip.Bound, "/dev/net/tun", "attach " + ip4},
		{netvip.Leased, "CAP_NET_ADMIN", "attach " + ip4},
		{netvip.VMAC, "CAP_NET_ADMIN", "attach " + ip4},
		{netvip.Leased, "CAP_NET_RAW", "announce " + ip4},
	} {
		h := hold(t, n, tt.mode, forever)
		h.do("become-nobody")
		h.refused(tt.words, "%s", tt.line)
	}
}

func TestARPIgnoreIsRefusedWhenBound(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"all", "eth0"} {
		n := testnet.NewLab(t, 1).Nodes[0]
		n.Sysctl("ipv4.conf."+scope+".arp_ignore", "1")
		h := hold(t, n, netvip.Bound, forever)
		h.refused("net.ipv4.conf."+scope+".arp_ignore is 1", "attach %s", ip4)
		if _, ok := has(n, ip4); ok {
			t.Error("attached all the same")
		}
	}
}
