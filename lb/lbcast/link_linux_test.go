package lbcast

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// linkEnv tells the test binary that it is in a namespace of its own, where
// there is a link.
const linkEnv = "LBCAST_TEST_LINK"

// The loopback interface has no multicast of IPv6. So this runs itself again in
// a network namespace, where it makes a link.
func TestReportsArriveByMulticastOnALink(t *testing.T) {
	if os.Getenv(linkEnv) != "" {
		for _, args := range [][]string{
			{"link", "set", "lo", "up"},
			{"link", "add", "cast0", "type", "veth", "peer", "name", "cast1"},
			{"addr", "add", "10.77.0.1/24", "dev", "cast0"},
			{"addr", "add", "fd00:77::1/64", "dev", "cast0", "nodad"},
			{"link", "set", "cast0", "up"},
			{"link", "set", "cast1", "up"},
		} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				t.Skipf("skip: ip %v: %v: %s", args, err, out)
			}
		}
		for _, group := range []string{"239.255.77.1", "ff02::77", "ff05::77"} {
			multicast(t, "cast0", group)
		}
		return
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip of iproute2 is not installed")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), linkEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("no network namespaces here")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("skip: ")) {
		t.Skipf("%s", out)
	}
}
