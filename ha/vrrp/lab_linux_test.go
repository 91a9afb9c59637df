package vrrp_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/netvip"
	"github.com/ashlar-go/ashlar/ha/vrrp"
	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/internal/testservers"
)

func TestMain(m *testing.M) {
	testnet.Programs(m, map[string]func([]string) error{"router": router})
}

const vrid = 42

// setup is one kind of virtual router in a lab.
type setup struct {
	name     string
	version  uint8
	addrs    []netip.Addr
	interval time.Duration
	vmac     bool
	asV2     bool // keepalived leaves the pseudo-header out
}

var (
	lan4 = []netip.Addr{netip.MustParseAddr("10.99.0.100"), netip.MustParseAddr("10.99.0.101")}
	lan6 = []netip.Addr{netip.MustParseAddr("fe80::100"), netip.MustParseAddr("fd99::100")}

	setups = []setup{
		{"v2", 2, lan4, time.Second, false, false},
		{"v3 IPv4", 3, lan4, 100 * time.Millisecond, false, false},
		{"v3 IPv4 plain checksum", 3, lan4, 100 * time.Millisecond, false, true},
		{"v3 IPv6", 3, lan6, 100 * time.Millisecond, false, false},
		{"v3 IPv4 virtual MAC", 3, lan4, 100 * time.Millisecond, true, false},
		{"v3 IPv6 virtual MAC", 3, lan6, 100 * time.Millisecond, true, false},
	}
)

// service is the address that a client asks.
func (s setup) service() netip.Addr { return s.addrs[1] }

// router runs a Router until standard input ends, and prints its states.
// Arguments: version, priority, interval, vmac, addresses; nobody gives up the
// rights of root before, hang has a Plumber that does not return.
func router(args []string) error {
	version, _ := strconv.Atoi(args[0])
	priority, _ := strconv.Atoi(args[1])
	interval, _ := time.ParseDuration(args[2])
	cfg := vrrp.Config{Iface: "eth0", VRID: vrid, Version: uint8(version), Priority: uint8(priority), Interval: interval, VMAC: args[3] == "true"}
	hang := false
	for _, a := range args[4:] {
		switch a {
		case "nobody":
			if err := syscall.Setuid(65534); err != nil {
				return err
			}
		case "hang":
			hang = true
		default:
			cfg.Addrs = append(cfg.Addrs, netip.MustParseAddr(a))
		}
	}
	mode := netvip.Leased
	if cfg.VMAC {
		mode = netvip.VMAC
	}
	plumber, err := netvip.New(netvip.Config{Mode: mode, VRID: func(ha.VIP) uint8 { return vrid }})
	if err != nil {
		return err
	}
	defer plumber.Close()
	cfg.Plumber = plumber
	if hang {
		cfg.Plumber = hanging{}
	}
	cfg.Trace = &vrrp.Trace{
		State:   func(_, to vrrp.State) { fmt.Println(to) },
		Failed:  func(err error) { fmt.Fprintln(os.Stderr, err) },
		Refused: func(from netip.Addr, err error) { fmt.Fprintln(os.Stderr, from, err) },
	}
	r, err := vrrp.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := r.Run(ctx); err != context.Canceled {
		return err
	}
	fmt.Fprintf(os.Stderr, "%+v\n", r.Stats())
	return nil
}

// hanging is a Plumber that attaches only when it is told to stop.
type hanging struct{ idle }

func (hanging) Attach(ctx context.Context, _ ha.VIP) error {
	<-ctx.Done()
	return ctx.Err()
}

// ours starts a Router.
func (s setup) ours(n *testnet.Node, priority int, more ...string) *testnet.Process {
	args := []string{fmt.Sprint(s.version), fmt.Sprint(priority), s.interval.String(), fmt.Sprint(s.vmac)}
	for _, a := range s.addrs {
		args = append(args, a.String())
	}
	return n.Program("router", append(args, more...)...)
}

// keepalived starts the real one.
func (s setup) keepalived(t *testing.T, n *testnet.Node, priority int) *testnet.Process {
	t.Helper()
	program := testservers.Tool(t, "keepalived")
	dir := t.TempDir()
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n router_id lab\n vrrp_startup_delay 0\n}\nvrrp_instance lab {\n state BACKUP\n interface eth0\n virtual_router_id %d\n"+
		" priority %d\n version %d\n advert_int %v\n", vrid, priority, s.version, s.interval.Seconds())
	if s.asV2 {
		b.WriteString(" v3_checksum_as_v2 on\n") // its name is of before RFC 9568
	}
	if s.addrs[0].Is6() {
		b.WriteString(" native_ipv6\n")
	}
	if s.vmac {
		b.WriteString(" use_vmac\n")
	}
	b.WriteString(" virtual_ipaddress {\n")
	for _, a := range s.addrs {
		fmt.Fprintf(&b, "  %v/%d\n", a, a.BitLen())
	}
	b.WriteString(" }\n}\n")
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	p := n.Start(exec.Command(program, "--dont-fork", "--vrrp", "--log-console", "--log-detail", "--use-file="+conf,
		"--pid="+filepath.Join(dir, "k.pid"), "--vrrp_pid="+filepath.Join(dir, "v.pid")))
	t.Cleanup(func() { // its children have to end with it
		_ = p.Cmd.Process.Signal(syscall.SIGTERM)
		_ = p.Wait()
	})
	return p
}

func end(t *testing.T, p *testnet.Process) {
	t.Helper()
	if err := p.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.Log())
	}
}

// lab has a client whose caches do not grow old by themselves.
func lab(t *testing.T, n int) *testnet.Lab {
	l := testnet.NewLab(t, n)
	for _, node := range l.Nodes {
		node.Echo()
	}
	l.Client.Sysctl("ipv4.neigh.eth0.base_reachable_time_ms", "3600000")
	l.Client.Sysctl("ipv6.neigh.eth0.base_reachable_time_ms", "3600000")
	return l
}

func TestKeepalivedAndWeTakeOverFromEachOther(t *testing.T) {
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := lab(t, 2)
			us, them := l.Nodes[0], l.Nodes[1]
			p := l.Probe(s.service())
			k := s.keepalived(t, them, 100)
			p.AnsweredBy("n2")

			r := s.ours(us, 50) // does not preempt
			r.Expect("backup")
			l.Carrier(them, false) // silent death
			r.Expect("active")
			p.AnsweredBy("n1")
			l.Carrier(them, true) // it preempts
			r.Expect("backup")
			p.AnsweredBy("n2")
			if err := k.Cmd.Process.Signal(syscall.SIGTERM); err != nil { // priority 0
				t.Fatal(err)
			}
			_ = k.Wait()
			r.Expect("active")
			p.AnsweredBy("n1")
			end(t, r)

			k = s.keepalived(t, them, 100)
			p.AnsweredBy("n2")
			r = s.ours(us, 150) // we preempt
			r.Expect("active")
			p.AnsweredBy("n1")
			end(t, r) // priority 0
			p.AnsweredBy("n2")
			r = s.ours(us, 150)
			r.Expect("active")
			p.AnsweredBy("n1")
			l.Carrier(us, false)
			r.Expect("initialize")
			p.AnsweredBy("n2")
			l.Carrier(us, true)
			r.Expect("active")
			p.AnsweredBy("n1")
			t.Log(p.Stop())
			if strings.Contains(r.Log(), "checksum") {
				t.Error(r.Log())
			}
			if strings.Contains(k.Log(), "hecksum") && !s.asV2 {
				t.Error(k.Log())
			}
			end(t, r)
			t.Log(r.Log())
		})
	}
}
