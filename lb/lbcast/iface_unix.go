//go:build unix

package lbcast

import (
	"net"
	"syscall"
)

// via6 sends the socket's packets for groups of IPv6 through an interface: a
// zone does that only for groups that are local to a link.
func via6(c *net.UDPConn, i *net.Interface) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := raw.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_MULTICAST_IF, i.Index)
	}); err != nil {
		return err
	}
	return set
}
