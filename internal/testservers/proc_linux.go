package testservers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is who runs a server; the zero account is ourselves.
type account struct{ cred *syscall.Credential }

// unprivileged returns the first of users that exists if we are root, because
// PostgreSQL refuses to run as root, and nothing here needs it.
func unprivileged(users []string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range users {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return account{}, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return account{}, err
		}
		return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return account{}, fmt.Errorf("root must run it as another user, and none of %v exists", users)
}

// mkdir makes a temporary directory that the account owns, in a place that it
// can reach.
func (a account) mkdir(prefix string) (string, error) {
	parent := os.TempDir()
	if a.cred != nil && !openToAll(parent) {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil || a.cred == nil {
		return dir, err
	}
	if err := os.Chown(dir, int(a.cred.Uid), int(a.cred.Gid)); err != nil {
		return "", errors.Join(err, os.Remove(dir))
	}
	return dir, nil
}

func (a account) apply(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: a.cred}
}

// openToAll reports whether everybody may enter dir, and write there, so that
// an entry's owner can remove it.
func openToAll(dir string) bool {
	fi, err := os.Stat(dir)
	if err != nil || fi.Mode().Perm()&0o003 != 0o003 {
		return false
	}
	for {
		fi, err := os.Stat(dir)
		if err != nil || fi.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}

var signals = map[string]syscall.Signal{
	"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL,
	"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
}

func signal(pid int, name string) error { return syscall.Kill(pid, signals[name]) }

// proc names a process for good: its start time tells it from a later one with
// the same id.
type proc struct {
	pid   int
	start string
}

// signalTree signals a process that its parent has not collected yet, and all
// its descendants. PostgreSQL's children have sessions of their own, so there is
// no group to signal. The process is stopped first: then it makes no more.
func signalTree(pid int, name string) ([]proc, error) {
	if name != "CONT" {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return nil, err
		}
	}
	family, err := descendants(pid)
	if err != nil {
		return nil, err
	}
	for _, p := range family {
		// A child may be gone by now; only the first is sure to be there.
		if err := signal(p.pid, name); err != nil && p.pid == pid {
			return nil, err
		}
	}
	return family, nil
}

// descendants lists a process and what it has started, parents first.
func descendants(pid int) ([]proc, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := make(map[int][]proc)
	var list []proc
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		st, ok := readStat(id)
		if !ok {
			continue
		}
		if id == pid {
			list = append(list, proc{id, st.start})
		}
		children[st.ppid] = append(children[st.ppid], proc{id, st.start})
	}
	for i := 0; i < len(list); i++ {
		list = append(list, children[list[i].pid]...)
	}
	return list, nil
}

// alive reports whether the process runs; one that has ended and waits for its
// parent does not.
func alive(pid int) bool {
	st, ok := readStat(pid)
	return ok && st.state != "Z" && st.state != "X"
}

func anyAlive(procs []proc) bool {
	for _, p := range procs {
		if st, ok := readStat(p.pid); ok && st.start == p.start && st.state != "Z" && st.state != "X" {
			return true
		}
	}
	return false
}

type stat struct {
	state string
	ppid  int
	start string // clock ticks since boot
}

// readStat reads /proc/PID/stat, see proc(5). The name in parentheses may hold
// anything, so the fields are counted from the last parenthesis.
func readStat(pid int) (stat, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return stat{}, false
	}
	ppid, err := strconv.Atoi(f[1])
	return stat{state: f[0], ppid: ppid, start: f[19]}, err == nil
}
