package testnet

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// Lab is a LAN for a test: nodes n1, n2, ... and a client on one bridge, each in
// a network namespace of its own, connected to nothing else. Labs do not share
// anything, so that tests with labs may run side by side. Methods are safe for
// concurrent use.
type Lab struct {
	Nodes  []*Node
	Client *Node

	t  testing.TB
	sw *Node // holds the bridge, and filters what crosses it

	mu   sync.Mutex
	loss map[[2]string]int // percent lost from the first to the second
}

// NewLab makes a lab of n nodes that ends with the test. Without the right to
// make namespaces the test is skipped, or fails, by the rules of
// [testservers.Skip].
func NewLab(t testing.TB, n int) *Lab {
	t.Helper()
	testservers.Tool(t, "ip")
	testservers.Tool(t, "nft")
	sw := newNode(t, "switch", 0)
	l := &Lab{t: t, sw: sw, loss: map[[2]string]int{}}
	// Without spanning tree and snooping a port forwards at once, and a multicast
	// goes to all.
	l.batch(sw, nil, "link add br0 type bridge stp_state 0 mcast_snooping 0\nlink set br0 up\n")
	for i := range n {
		l.Nodes = append(l.Nodes, newNode(t, fmt.Sprintf("n%d", i+1), i+1))
	}
	l.Client = newNode(t, "client", 200)
	for _, node := range l.all() {
		l.plug(node)
	}
	return l
}

func (l *Lab) all() []*Node { return append(l.Nodes[:len(l.Nodes):len(l.Nodes)], l.Client) }

func newNode(t testing.TB, name string, host int) *Node {
	t.Helper()
	ns, err := newNamespace()
	if err != nil {
		if os.IsPermission(err) {
			testservers.Skip(t, "network namespaces: "+err.Error(), "run the tests as root")
		}
		t.Fatalf("testnet: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	return &Node{
		Name:  name,
		Addr:  netip.AddrFrom4([4]byte{10, 99, 0, byte(host)}),
		Addr6: netip.MustParseAddr(fmt.Sprintf("fd99::%x", host)),
		Link6: netip.MustParseAddr(fmt.Sprintf("fe80::%x", host)),
		t:     t,
		ns:    ns,
	}
}

// plug connects a node to the bridge by a port that has the node's name. Its
// addresses are there at once: duplicates are not looked for.
func (l *Lab) plug(n *Node) {
	l.t.Helper()
	l.batch(l.sw, n.ns, fmt.Sprintf("link add %s type veth peer name eth0 netns /proc/self/fd/3\n"+
		"link set %[1]s master br0\nlink set %[1]s up\n", n.Name))
	n.Sysctl("ipv6.conf.eth0.accept_dad", "0")
	n.Sysctl("ipv6.conf.eth0.accept_ra", "0")
	l.batch(n, nil, fmt.Sprintf("link set lo up\nlink set eth0 addrgenmode none up\n"+
		"addr add %v/24 dev eth0\naddr add %v/64 dev eth0 nodad\naddr add %v/64 dev eth0 nodad\n", n.Addr, n.Addr6, n.Link6))
}

// Replug removes a node's interface, if it is there, and makes it anew, as when
// a card is changed: same name and addresses, other hardware address.
func (l *Lab) Replug(n *Node) {
	l.t.Helper()
	_, _ = l.sw.Try("", "ip", "link", "del", n.Name) // the other end goes with it
	l.plug(n)
}

// batch runs ip's commands in the node's namespace; extra is file 3 to them.
func (l *Lab) batch(n *Node, extra *os.File, commands string) {
	l.t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	if extra != nil {
		cmd.ExtraFiles = []*os.File{extra}
	}
	if _, err := n.output(cmd, commands); err != nil {
		l.t.Fatal(err)
	}
}

// Carrier connects a node's cable, or pulls it out: the node sees it.
func (l *Lab) Carrier(n *Node, up bool) {
	l.t.Helper()
	l.sw.IP("link set " + n.Name + map[bool]string{true: " up", false: " down"}[up])
}

// Lose makes the bridge lose that many percent of the frames from one to the
// other, and none of those back; 100 cuts, 0 heals. Broadcasts are lost for each
// receiver by itself.
func (l *Lab) Lose(from, to *Node, percent int) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loss[[2]string{from.Name, to.Name}] = percent
	l.apply()
}

// Cut loses everything between two nodes. No carrier is lost.
func (l *Lab) Cut(a, b *Node) {
	l.t.Helper()
	l.Partition([]*Node{a}, []*Node{b})
}

// Partition loses everything between nodes of different sides, in one instant.
// Who is in no side still reaches all.
func (l *Lab) Partition(sides ...[]*Node) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, from := range sides {
		for j, to := range sides {
			if i == j {
				continue
			}
			for _, a := range from {
				for _, b := range to {
					l.loss[[2]string{a.Name, b.Name}] = 100
				}
			}
		}
	}
	l.apply()
}

// LoseAll makes the bridge lose that many percent between all nodes, the client
// not included.
func (l *Lab) LoseAll(percent int) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.Nodes {
		for _, b := range l.Nodes {
			if a != b {
				l.loss[[2]string{a.Name, b.Name}] = percent
			}
		}
	}
	l.apply()
}

// Heal ends all losses in one instant.
func (l *Lab) Heal() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.loss)
	l.apply()
}

// apply hands all rules to the kernel in one transaction. The hook sees each
// copy of a broadcast by itself.
func (l *Lab) apply() {
	l.t.Helper()
	var b strings.Builder
	b.WriteString("table bridge lab\ndelete table bridge lab\ntable bridge lab {\nchain forward {\n" +
		"type filter hook forward priority 0; policy accept;\n")
	for pair, percent := range l.loss {
		switch rule := fmt.Sprintf("iifname %q oifname %q ", pair[0], pair[1]); {
		case percent >= 100:
			b.WriteString(rule + "drop\n")
		case percent > 0:
			fmt.Fprintf(&b, "%s numgen random mod 100 < %d drop\n", rule, percent)
		}
	}
	b.WriteString("}\n}\n")
	if _, err := l.sw.Try(b.String(), "nft", "-f", "-"); err != nil {
		l.t.Fatal(err)
	}
}
