package netvip_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ha/netvip"
	"github.com/ashlar-go/ashlar/internal/testnet"
)

func TestRemovalByOthersIsNoticed(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.mode.String()+" "+k.ip, func(t *testing.T) {
			t.Parallel()
			n := testnet.NewLab(t, 1).Nodes[0]
			h := hold(t, n, k.mode, forever)
			h.do("watch")
			h.do("attach %s", k.ip)
			iface, _ := has(n, k.ip)
			n.IP("addr del " + vip(k.ip).Prefix.String() + " dev " + iface)
			h.event("lost eth0 " + vip(k.ip).Prefix.String())
			h.do("attach %s", k.ip)
			n.IP("addr flush to " + vip(k.ip).Prefix.String())
			h.event("lost eth0 " + vip(k.ip).Prefix.String())
			h.do("attach %s", k.ip)
			h.do("detach %s", k.ip)
			h.do("attached")
			for _, line := range append(h.events, h.Lines()...) {
				t.Errorf("after a Detach: %s", line)
			}
		})
	}
}

func TestCarrierIsFollowed(t *testing.T) {
	t.Parallel()
	lab := testnet.NewLab(t, 1)
	n := lab.Nodes[0]
	h := hold(t, n, netvip.Leased, forever)
	h.do("watch")
	h.event("carrier up eth0")
	lab.Carrier(n, false)
	h.event("carrier down eth0")
	lab.Carrier(n, true)
	h.event("carrier up eth0")
	n.IP("link set eth0 down")
	h.event("carrier down eth0")
	n.IP("link set eth0 up")
	h.event("carrier up eth0")
}

func TestInterfaceThatIsMadeAnewIsUsedAgain(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.mode.String()+" "+k.ip, func(t *testing.T) {
			t.Parallel()
			lab := testnet.NewLab(t, 1)
			n := lab.Nodes[0]
			n.Echo()
			h := hold(t, n, k.mode, forever)
			h.do("watch")
			h.event("carrier up eth0")
			h.do("attach %s", k.ip)
			lab.Replug(n)
			if k.mode != netvip.Bound {
				h.event("lost eth0 " + vip(k.ip).Prefix.String())
			}
			h.event("carrier up eth0")
			h.do("attach %s", k.ip)
			h.do("announce %s", k.ip)
			lab.Probe(vip(k.ip).Prefix.Addr()).AnsweredBy("n1")
		})
	}
}

func TestInterfaceDownTakesIPv6AddressesAway(t *testing.T) {
	t.Parallel()
	n := testnet.NewLab(t, 1).Nodes[0]
	h := hold(t, n, netvip.Leased, forever)
	h.do("watch")
	h.do("attach %s", ip6)
	n.IP("link set eth0 down")
	h.event("lost eth0 " + ip6 + "/128")
	h.do("detach %s", ip6)
}

func TestMissingInterfaceIsNamed(t *testing.T) {
	t.Parallel()
	n := testnet.NewLab(t, 1).Nodes[0]
	h := hold(t, n, netvip.Leased, forever)
	h.do("attach %s", ip4)
	n.IP("link del eth0")
	h.refused("no interface eth0", "attach %s", ip4)
	h.do("detach %s", ip4)
}

// While the watcher is busy, more happens than the socket's buffer holds.
func TestLostMessagesOfTheKernelDoNoHarm(t *testing.T) {
	t.Parallel()
	n := testnet.NewLab(t, 1).Nodes[0]
	h := hold(t, n, netvip.Leased, forever)
	h.do("attach %s", ip4)
	h.do("watch-blocked")
	h.event("carrier up eth0")
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "addr %s 10.98.0.1/32 dev lo\n", []string{"add", "del"}[i%2])
	}
	if out, err := n.Try(b.String(), "ip", "-batch", "-"); err != nil {
		t.Fatal(err, out)
	}
	n.IP("addr del " + ip4 + "/32 dev eth0")
	if !dropped(n.Run("cat", "/proc/self/net/netlink")) {
		t.Error("no socket has lost a message: this tests nothing")
	}
	h.do("release")
	h.event("lost eth0 " + ip4 + "/32")
}

// dropped reads the kernel's list of netlink sockets, whose last but one column
// counts lost messages.
func dropped(list string) bool {
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 8 && f[8] != "0" && f[8] != "Drops" {
			return true
		}
	}
	return false
}
