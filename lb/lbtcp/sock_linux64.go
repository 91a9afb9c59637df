//go:build linux && !386 && !s390x

package lbtcp

import (
	"encoding/binary"
	"os"
	"syscall"
	"unsafe"
)

const rawIO = true

const (
	tcpINQ   = 36 // TCP_INQ, TCP_CM_INQ: since Linux 4.18
	solTCP   = 6
	ctrlSize = 32
)

// wantINQ asks that reads tell how much more there is.
func wantINQ(fd int) bool {
	return syscall.SetsockoptInt(fd, solTCP, tcpINQ, 1) == nil
}

// rawRead reads what there is. more is false if the kernel says that there was
// nothing left behind it, the end of the stream included. The sockets of package
// net never block, so that the scheduler need not be told.
func rawRead(fd int, p []byte) (n int, more bool, errno syscall.Errno) {
	var ctrl [ctrlSize]byte
	iov := syscall.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg := syscall.Msghdr{Iov: &iov, Iovlen: 1, Control: &ctrl[0]}
	msg.SetControllen(len(ctrl))
	for {
		r, _, e := syscall.RawSyscall(syscall.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), 0)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 {
			return 0, false, e
		}
		return int(r), inq(ctrl[:], int(msg.Controllen)) != 0, 0
	}
}

// inq finds the answer in the control data; -1 without one.
func inq(ctrl []byte, n int) int32 {
	const head = int(unsafe.Sizeof(syscall.Cmsghdr{}))
	if n < head+4 {
		return -1
	}
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&ctrl[0]))
	if h.Level != solTCP || h.Type != tcpINQ {
		return -1
	}
	return int32(binary.NativeEndian.Uint32(ctrl[head:]))
}

func rawWrite(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, e := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if e == syscall.EINTR {
			continue
		}
		if e != 0 {
			return 0, e
		}
		return int(n), 0
	}
}

// dup returns another descriptor for the same socket.
func dup(fd uintptr) (int, error) {
	n, _, e := syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
	if e != 0 {
		return -1, os.NewSyscallError("fcntl", e)
	}
	return int(n), nil
}

// epollWait returns how many events there are now; it does not wait.
func epollWait(ep int, events []syscall.EpollEvent) int {
	for {
		n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 {
			return 0
		}
		return int(n)
	}
}
