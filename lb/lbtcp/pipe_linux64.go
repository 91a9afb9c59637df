//go:build linux && !386 && !s390x

package lbtcp

import (
	"sync"
	"syscall"
)

// pipe is where spliced bytes are between two sockets: not in our memory.
type pipe struct{ r, w int }

const (
	pipeSize   = 256 << 10
	setPipeSz  = 1031 // F_SETPIPE_SZ
	keptPipes  = 64
	spliceMove = 1 // SPLICE_F_MOVE
	spliceNow  = 2 // SPLICE_F_NONBLOCK
)

// pipes are those that are empty and in no use: a direction has one only while
// it moves bytes.
var pipes struct {
	mu   sync.Mutex
	free []pipe // guarded by mu
}

func getPipe() (pipe, error) {
	pipes.mu.Lock()
	if n := len(pipes.free); n > 0 {
		p := pipes.free[n-1]
		pipes.free = pipes.free[:n-1]
		pipes.mu.Unlock()
		return p, nil
	}
	pipes.mu.Unlock()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return pipe{}, err
	}
	// A larger pipe saves calls; where the user has no more pages left it stays
	// as it is.
	syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[1]), setPipeSz, pipeSize)
	return pipe{fds[0], fds[1]}, nil
}

// putPipe takes an empty pipe back.
func putPipe(p pipe) {
	pipes.mu.Lock()
	if len(pipes.free) < keptPipes {
		pipes.free = append(pipes.free, p)
		pipes.mu.Unlock()
		return
	}
	pipes.mu.Unlock()
	p.close()
}

func (p pipe) close() {
	syscall.Close(p.r)
	syscall.Close(p.w)
}

func rawSplice(from, to, n int) (int, syscall.Errno) {
	for {
		r, _, e := syscall.RawSyscall6(syscall.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), spliceMove|spliceNow)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 {
			return 0, e
		}
		return int(r), 0
	}
}
