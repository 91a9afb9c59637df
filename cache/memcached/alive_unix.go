//go:build unix

package memcached

import (
	"errors"
	"net"
	"syscall"
)

// closedByPeer reports whether the other side has ended an idle connection, or
// said something on it that nobody asked for. It does not wait.
func closedByPeer(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
		return true
	})
	// A deadline that passed while the connection was idle is no closing.
	return closed && err == nil || err != nil && !isTimeout(err)
}
