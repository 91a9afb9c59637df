package lbhttp

import (
	"syscall"
	"unsafe"
)

// The sockets of package net never block, so that the scheduler need not be
// told of these calls: they return as soon as the kernel has copied.

func rawRead(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

func rawWrite(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

// hungUp reports whether the other side has closed its half of a connection or
// all of it, whatever there is still to read.
func hungUp(fd uintptr) bool { return poll(fd, pollRDHUP) }

// readable reports whether there is something to read, or the end.
func readable(fd uintptr) bool { return poll(fd, pollIN|pollRDHUP) }

const (
	pollIN    = 0x1
	pollERR   = 0x8
	pollHUP   = 0x10
	pollRDHUP = 0x2000
)

func poll(fd uintptr, events int16) bool {
	p := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: events}
	var now syscall.Timespec
	n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno == 0 && n == 1 && p.revents&(events|pollERR|pollHUP) != 0
}

const rawIO = true
