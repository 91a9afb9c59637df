package netvip_test

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/netvip"
	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/internal/testservers"
)

func TestMain(m *testing.M) {
	testnet.Programs(m, map[string]func([]string) error{"plumber": plumber})
}

// plumber does what lines of its standard input say, and answers each with "ok"
// or with the error. Arguments: mode, lease, virtual router.
func plumber(args []string) error {
	mode, err := netvip.ParseMode(args[0])
	if err != nil {
		return err
	}
	lease, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	p, err := netvip.New(netvip.Config{Mode: mode, Lease: lease, VRID: func(ha.VIP) uint8 { return 42 }})
	if err != nil {
		return err
	}
	c := &commands{p: p, released: make(chan struct{})}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		if err := c.run(words[0], words[1:]); err != nil {
			c.print("error: " + err.Error())
		} else {
			c.print("ok")
		}
	}
	return p.Close()
}

type commands struct {
	p        *netvip.Plumber
	released chan struct{}
	mu       sync.Mutex
}

func (c *commands) print(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Println(line)
}

// run runs: attach IP, detach IP, announce IP [NEIGHBOUR...], renew D IP,
// attached, neighbours, watch, watch-blocked, release, become-nobody.
func (c *commands) run(word string, args []string) error {
	ctx := context.Background()
	switch word {
	case "attach":
		return c.p.Attach(ctx, vip(args[0]))
	case "detach":
		return c.p.Detach(ctx, vip(args[0]))
	case "announce":
		var to []netip.Addr
		for _, ip := range args[1:] {
			to = append(to, netip.MustParseAddr(ip))
		}
		return c.p.Announce(ctx, vip(args[0]), to)
	case "renew":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		return c.p.Renew(ctx, []ha.VIP{vip(args[1])}, d)
	case "attached":
		vips, err := c.p.Attached(ctx)
		for _, v := range vips {
			c.print(fmt.Sprintf("has %v on %s", v.Prefix.Addr(), v.Iface))
		}
		return err
	case "neighbours":
		ips, err := c.p.Neighbours(ctx, "eth0")
		for _, ip := range ips {
			c.print(fmt.Sprintf("knows %v", ip))
		}
		return err
	case "watch", "watch-blocked":
		if word == "watch" {
			close(c.released)
		}
		go func() {
			err := c.p.Watch(ctx, func(e ha.PlumberEvent) {
				c.print(strings.TrimSpace(fmt.Sprintf("event %s %s %s", e.What, e.Iface, strings.TrimPrefix(e.VIP.Prefix.String(), "invalid Prefix"))))
				<-c.released
			})
			c.print("watch ended: " + err.Error())
		}()
		return nil
	case "release":
		close(c.released)
		return nil
	case "become-nobody":
		return syscall.Setuid(65534)
	}
	return fmt.Errorf("no command %q", word)
}

func vip(ip string) ha.VIP {
	a := netip.MustParseAddr(ip)
	return ha.VIP{Iface: "eth0", Prefix: netip.PrefixFrom(a, a.BitLen())}
}

// holder is a plumber on a node.
type holder struct {
	*testnet.Process
	t      *testing.T
	node   *testnet.Node
	events []string // told while a command was answered, and not waited for yet
}

const forever = "-1s"

func hold(t *testing.T, node *testnet.Node, mode netvip.Mode, lease string) *holder {
	t.Helper()
	if _, err := os.Stat("/dev/net/tun"); err != nil && mode == netvip.Bound {
		testservers.Skip(t, "/dev/net/tun", "modprobe tun, or give the container the device")
	}
	return &holder{Process: node.Program("plumber", mode.String(), lease), t: t, node: node}
}

// answer sends a command and returns what is printed before ok, or the error.
func (h *holder) answer(format string, args ...any) (said []string, failed string) {
	h.t.Helper()
	h.Send(fmt.Sprintf(format, args...))
	for {
		switch line := h.Line(); {
		case line == "ok":
			return said, ""
		case strings.HasPrefix(line, "error: "):
			return said, line
		case strings.HasPrefix(line, "event "):
			h.events = append(h.events, line)
		default:
			said = append(said, line)
		}
	}
}

func (h *holder) do(format string, args ...any) []string {
	h.t.Helper()
	said, failed := h.answer(format, args...)
	if failed != "" {
		h.t.Fatalf("%s: %s: %s", h.node.Name, fmt.Sprintf(format, args...), failed)
	}
	return said
}

// event waits for an event and forgets those before it.
func (h *holder) event(what string) {
	h.t.Helper()
	for i, e := range h.events {
		if e == "event "+what {
			h.events = h.events[i+1:]
			return
		}
	}
	h.events = nil
	h.Expect("event " + what)
}

// refused wants an error that contains the words.
func (h *holder) refused(words, format string, args ...any) {
	h.t.Helper()
	if _, failed := h.answer(format, args...); !strings.Contains(failed, words) || failed == "" {
		h.t.Errorf("%s: %q, want an error with %q", fmt.Sprintf(format, args...), failed, words)
	}
}

// has reports whether the node has the address, and on which interface.
func has(node *testnet.Node, ip string) (iface string, ok bool) {
	out, err := node.Try("", "ip", "-o", "addr")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) > 3 && strings.HasPrefix(fields[3], ip+"/") {
			return fields[1], true
		}
	}
	return "", false
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// stubborn makes the client keep what its caches say for longer than a test, so
// that only announcements change it.
func stubborn(client *testnet.Node) {
	client.Sysctl("ipv4.neigh.eth0.base_reachable_time_ms", "3600000")
	client.Sysctl("ipv6.neigh.eth0.base_reachable_time_ms", "3600000")
}
