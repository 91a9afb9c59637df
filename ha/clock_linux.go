package ha

import (
	"syscall"
	"time"
	"unsafe"
)

const clockBoottime = 7

// uptime goes on while the host is suspended, as the clocks of the others do;
// Go's own does not. The loop reads it once for each thing that happens.
func uptime() time.Duration {
	var ts syscall.Timespec
	if _, _, e := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0); e != 0 {
		panic("ha: CLOCK_BOOTTIME: " + e.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(ts.Nano())
}
