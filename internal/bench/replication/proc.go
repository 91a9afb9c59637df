package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// account is whom programs run as: nobody of importance, if we are root.
type account struct {
	uid, gid int
	home     string
}

// accountOf finds the first of names that exists; ourselves if we are not root.
func accountOf(names ...string) account {
	if os.Getuid() != 0 {
		return account{-1, -1, os.TempDir()}
	}
	for _, n := range append(names, "nobody") {
		if u, err := user.Lookup(n); err == nil {
			uid, err1 := strconv.Atoi(u.Uid)
			gid, err2 := strconv.Atoi(u.Gid)
			if errors.Join(err1, err2) == nil {
				return account{uid, gid, os.TempDir()}
			}
		}
	}
	return account{-1, -1, os.TempDir()}
}

func (a account) own(dir string) error {
	if a.uid < 0 {
		return nil
	}
	return os.Chown(dir, a.uid, a.gid)
}

// command prepares a program in a process group of its own.
func (a account) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.uid >= 0 {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	c.Dir = a.home
	return c
}

// run runs a program to its end and returns what it wrote.
func (a account) run(ctx context.Context, stdin string, args ...string) (string, error) {
	c := a.command(ctx, args...)
	c.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		text := strings.TrimSpace(out.String())
		if len(text) > 2000 {
			text = "... " + text[len(text)-2000:]
		}
		return out.String(), fmt.Errorf("%s: %w\n%s", filepath.Base(args[0]), err, text)
	}
	return out.String(), nil
}

// daemon is a program that runs until it is stopped.
type daemon struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// start starts a program whose output goes to a file.
func (a account) start(logFile string, args ...string) (*daemon, error) {
	f, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := &daemon{cmd: a.command(context.Background(), args...), done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = f, f
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	return d, nil
}

func (d *daemon) running() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

// stop asks a program to end, and its whole group if it does not. What is left
// of them comes to us, for orphans.
func (d *daemon) stop(sig syscall.Signal, within time.Duration) {
	if d == nil || d.cmd == nil {
		return
	}
	if d.running() {
		_ = d.cmd.Process.Signal(sig)
		select {
		case <-d.done:
		case <-time.After(within):
			_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
			<-d.done
		}
	}
}

// adopt makes daemons that detach themselves from our children our children.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// children returns the processes whose parent is pid, and theirs.
func children(pid int) (family []int) {
	parents := make(map[int][]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		// pid (name) state ppid: the name may contain anything.
		end := bytes.LastIndexByte(b, ')')
		fields := strings.Fields(string(b[end+1:]))
		if end < 0 || len(fields) < 2 {
			continue
		}
		p, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		parent, _ := strconv.Atoi(fields[1])
		parents[parent] = append(parents[parent], p)
	}
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		family = append(family, parents[next[0]]...)
		next = append(next, parents[next[0]]...)
	}
	return family
}

// endOrphans ends all descendants of this process but those in keep and theirs.
func endOrphans(keep ...int) {
	var kept []int
	for _, k := range keep {
		kept = append(append(kept, k), children(k)...)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for range 50 {
			left := 0
			for _, pid := range children(os.Getpid()) {
				if slices.Contains(kept, pid) {
					continue
				}
				_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
				if syscall.Kill(pid, 0) == nil {
					left++
					_ = syscall.Kill(pid, sig)
				}
			}
			if left == 0 {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// until calls ready until it returns nil, or a time is over.
func until(ctx context.Context, within time.Duration, every time.Duration, ready func() error) error {
	end := time.Now().Add(within)
	for {
		err := ready()
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(every):
		}
	}
}

// endProcess ends a process that does not end when it is asked to.
func endProcess(pid int) {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // if it is our own child
}

// treeCPU is the processor time, in seconds, that this process and all that it
// has started have used so far: other work on the machine does not show in it.
func treeCPU() float64 {
	ticks := 0.0
	for _, pid := range append(children(os.Getpid()), os.Getpid()) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		end := bytes.LastIndexByte(b, ')')
		if err != nil || end < 0 {
			continue
		}
		f := strings.Fields(string(b[end+1:]))
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, and those of children that have ended
			if i < len(f) {
				v, _ := strconv.ParseFloat(f[i], 64)
				ticks += v
			}
		}
	}
	return ticks / 100 // USER_HZ is 100 on every Linux that Go runs on
}
