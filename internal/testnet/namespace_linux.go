package testnet

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Node is a host of a [Lab]: a network namespace with one interface, eth0. It
// has no name outside this process: the kernel removes it once nothing uses it,
// also when the test's process is killed.
type Node struct {
	Name  string     // n1, n2, ..., or client
	Addr  netip.Addr // of eth0, in 10.99.0.0/24
	Addr6 netip.Addr // of eth0, in fd99::/64
	Link6 netip.Addr // of eth0, in fe80::/64

	t  testing.TB
	ns *os.File
}

// newNamespace makes one, which lives as long as the file is open or a process
// or an interface is in it.
func newNamespace() (*os.File, error) {
	var file *os.File
	err := onThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() (err error) {
		file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return file, err
}

// onThread calls enter, which changes the thread's namespace, and f, and brings
// the thread back. A thread that cannot be brought back is given up: the
// goroutine keeps it locked.
func onThread(enter, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := enter(); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// Do calls f on a thread that is in the node's namespace. Sockets that f opens
// belong to it for good, whoever uses them afterwards; goroutines that f starts
// do not. What has goroutines of its own is run by [Node.Program].
func (n *Node) Do(f func() error) error {
	return onThread(func() error { return unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET) }, f)
}

// Try runs a program in the namespace, with stdin, and returns what it printed.
func (n *Node) Try(stdin, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	return n.output(cmd, stdin)
}

func (n *Node) output(cmd *exec.Cmd, stdin string) (string, error) {
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	if err := n.Do(cmd.Start); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("testnet: %s: %s: %w\n%s%s", n.Name, strings.Join(cmd.Args, " "), err, stdin, &out)
	}
	return out.String(), nil
}

// Run is [Node.Try] that ends the test if the program fails.
func (n *Node) Run(name string, args ...string) string {
	n.t.Helper()
	out, err := n.Try("", name, args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// IP runs ip with the words of line, and ends the test if that fails.
func (n *Node) IP(line string) string {
	n.t.Helper()
	return n.Run("ip", strings.Fields(line)...)
}

// Sysctl sets what is called net.KEY, such as ipv4.conf.eth0.arp_ignore.
func (n *Node) Sysctl(key, value string) {
	n.t.Helper()
	err := n.Do(func() error {
		return os.WriteFile("/proc/sys/net/"+strings.ReplaceAll(key, ".", "/"), []byte(value), 0)
	})
	if err != nil {
		n.t.Fatalf("testnet: %s: %v", n.Name, err)
	}
}

// MAC returns the hardware address of an interface.
func (n *Node) MAC(iface string) string {
	n.t.Helper()
	fields := strings.Fields(n.IP("-o link show dev " + iface))
	for i, word := range fields {
		if word == "link/ether" {
			return fields[i+1]
		}
	}
	n.t.Fatalf("testnet: %s: %s has no hardware address", n.Name, iface)
	return ""
}
