package netvip_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ha/netvip"
	"github.com/ashlar-go/ashlar/internal/testnet"
)

func cached(client *testnet.Node, ip string) string { return client.IP("neigh show to " + ip) }

func TestAnnouncementOverridesCachesInEveryState(t *testing.T) {
	for _, ip := range []string{ip4, ip6} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			lab := testnet.NewLab(t, 1)
			stubborn(lab.Client)
			h := hold(t, lab.Nodes[0], netvip.Leased, forever)
			h.do("attach %s", ip)
			const old = "02:00:00:00:00:01"
			mac := lab.Nodes[0].MAC("eth0")
			for _, state := range []string{"reachable", "stale", "delay", "probe"} {
				lab.Client.IP("neigh replace " + ip + " lladdr " + old + " dev eth0 nud " + state)
				eventually(t, state+" learns the new hardware address", func() bool {
					h.do("announce %s", ip)
					return strings.Contains(cached(lab.Client, ip), mac)
				})
			}
			lab.Client.IP("neigh replace " + ip + " lladdr " + old + " dev eth0 nud permanent")
			h.do("announce %s %v %v", ip, lab.Client.Addr, lab.Client.Addr6)
			if got := cached(lab.Client, ip); !strings.Contains(got, old) {
				t.Errorf("a permanent entry was changed: %s", got)
			}
		})
	}
}

// The client ignores gratuitous ARP, as some firewalls do.
func deaf(lab *testnet.Lab) {
	stubborn(lab.Client)
	lab.Client.Sysctl("ipv4.conf.eth0.drop_gratuitous_arp", "1")
}

func TestVirtualMACNeedsNoARPUpdate(t *testing.T) {
	t.Parallel()
	lab := testnet.NewLab(t, 2)
	deaf(lab)
	lab.Nodes[0].Echo()
	lab.Nodes[1].Echo()
	a, b := hold(t, lab.Nodes[0], netvip.VMAC, forever), hold(t, lab.Nodes[1], netvip.VMAC, forever)
	a.do("attach %s", ip4)
	a.do("announce %s", ip4)
	p := lab.Probe(netip.MustParseAddr(ip4))
	p.AnsweredBy("n1")
	if got := cached(lab.Client, ip4); !strings.Contains(got, "00:00:5e:00:01:2a") {
		t.Errorf("the client knows %s", got)
	}
	a.do("detach %s", ip4)
	b.do("attach %s", ip4)
	b.do("announce %s", ip4)
	p.AnsweredBy("n2")
}

func TestNeighbourThatIgnoresGratuitousARPLearnsWhenTold(t *testing.T) {
	t.Parallel()
	lab := testnet.NewLab(t, 2)
	deaf(lab)
	lab.Nodes[0].Echo()
	lab.Nodes[1].Echo()
	a, b := hold(t, lab.Nodes[0], netvip.Leased, forever), hold(t, lab.Nodes[1], netvip.Leased, forever)
	a.do("attach %s", ip4)
	p := lab.Probe(netip.MustParseAddr(ip4))
	p.AnsweredBy("n1")
	known := a.do("neighbours")
	if !slices.Contains(known, "knows "+lab.Client.Addr.String()) {
		t.Fatalf("n1 does not know the client: %q", known)
	}
	a.do("detach %s", ip4)
	b.do("attach %s", ip4)
	b.do("announce %s", ip4)
	if got := cached(lab.Client, ip4); !strings.Contains(got, lab.Nodes[0].MAC("eth0")) {
		t.Errorf("the client is not deaf: %s", got)
	}
	b.do("announce %s %v", ip4, lab.Client.Addr) // n2 learned from n1 whom to tell
	p.AnsweredBy("n2")
}

func TestNeighbourLearnsIPv6WhenTold(t *testing.T) {
	t.Parallel()
	lab := testnet.NewLab(t, 1)
	h := hold(t, lab.Nodes[0], netvip.Leased, forever)
	h.do("attach %s", ip6)
	// It has never heard of the address; an advertisement alone makes no entry.
	eventually(t, "the client notes the address", func() bool {
		h.do("announce %s %v %v", ip6, lab.Client.Addr6, lab.Client.Addr)
		return strings.Contains(cached(lab.Client, ip6), lab.Nodes[0].MAC("eth0"))
	})
}
