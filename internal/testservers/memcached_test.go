package testservers_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// ask sends one line of memcached's text protocol and returns the first line of
// the answer.
func ask(addr, request string, within time.Duration) (string, error) {
	c, err := net.DialTimeout("tcp", addr, within)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c, "%s\r\n", request); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}

func wantAnswer(t *testing.T, addr, request, want string) {
	t.Helper()
	got, err := ask(addr, request, 5*time.Second)
	if err != nil || got != want {
		t.Fatalf("%q: answer %q, %v; want %q", request, got, err, want)
	}
}

func TestMemcachedIsFreshAndPrivate(t *testing.T) {
	t.Parallel()
	a, b := testservers.Memcached(t), testservers.Memcached(t)
	if a.Addr == b.Addr || a.PID() == b.PID() {
		t.Fatalf("two servers, one address or process: %s %d, %s %d", a.Addr, a.PID(), b.Addr, b.PID())
	}
	if !strings.HasPrefix(a.Addr, "127.0.0.1:") {
		t.Errorf("address %s: want one of 127.0.0.1", a.Addr)
	}
	wantAnswer(t, a.Addr, "set k 0 0 1\r\nx", "STORED")
	wantAnswer(t, a.Addr, "get k", "VALUE k 0 1")
	wantAnswer(t, b.Addr, "get k", "END")
}

func TestArgumentsReachMemcached(t *testing.T) {
	t.Parallel()
	mc := testservers.Memcached(t, "-I", "2m")
	big := strings.Repeat("x", 3<<19)
	wantAnswer(t, mc.Addr, fmt.Sprintf("set big 0 0 %d\r\n%s", len(big), big), "STORED")
}

func TestKilledServerRefusesAndRestartsAtItsAddress(t *testing.T) {
	t.Parallel()
	mc := testservers.Memcached(t)
	addr, pid := mc.Addr, mc.PID()
	wantAnswer(t, addr, "set k 0 0 1\r\nx", "STORED")
	mc.Kill()
	if testservers.Alive(pid) {
		t.Fatalf("process %d lives after Kill", pid)
	}
	if got, err := ask(addr, "version", time.Second); err == nil {
		t.Fatalf("a killed server answers %q", got)
	}
	mc.Kill() // a dead server stays dead
	mc.Restart()
	if mc.Addr != addr {
		t.Fatalf("address %s after Restart, %s before", mc.Addr, addr)
	}
	wantAnswer(t, addr, "get k", "END")

	running := mc.PID()
	mc.Restart()
	if mc.PID() == running || testservers.Alive(running) {
		t.Fatalf("Restart left process %d in place", running)
	}
	mc.Stop()
	if got, err := ask(addr, "version", time.Second); err == nil {
		t.Fatalf("a stopped server answers %q", got)
	}
	mc.Stop()
}

func TestPausedServerIsSilentUntilResumed(t *testing.T) {
	t.Parallel()
	mc := testservers.Memcached(t)
	wantAnswer(t, mc.Addr, "set k 0 0 1\r\nx", "STORED")
	mc.Pause()
	_, err := ask(mc.Addr, "get k", 200*time.Millisecond)
	if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
		t.Fatalf("paused server: %v, want a time-out", err)
	}
	mc.Resume()
	wantAnswer(t, mc.Addr, "get k", "VALUE k 0 1")

	mc.Pause()
	mc.Stop() // must not hang
	mc.Restart()
	mc.Pause()
	mc.Kill()
}

func TestServerAndDirectoryEndWithTheTest(t *testing.T) {
	t.Parallel()
	var pids []int
	var dirs []string
	t.Run("inner", func(t *testing.T) {
		for range 3 {
			mc := testservers.Memcached(t)
			if fi, err := os.Stat(mc.Dir()); err != nil || !fi.IsDir() {
				t.Fatalf("%v, %v: want a directory", fi, err)
			}
			pids, dirs = append(pids, mc.PID()), append(dirs, mc.Dir())
		}
	})
	for i, pid := range pids {
		wantGone(t, pid, dirs[i])
	}
}

func wantGone(t *testing.T, pid int, dir string) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, err := os.Stat(dir)
		if !testservers.Alive(pid) && errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d alive: %v; directory %s: %v; want both gone", pid, testservers.Alive(pid), dir, err)
		}
	}
}

func TestFailureToStartShowsTheLog(t *testing.T) {
	t.Parallel()
	testservers.Memcached(t) // or skip here
	rec := &recorder{TB: t}
	rec.run(func() { testservers.Memcached(rec, "-m", "many") })
	if !rec.failed || !strings.Contains(rec.message, "memcached") || !strings.Contains(rec.message, "log ends:\n") {
		t.Fatalf("failed %v, message %q: want a failure with the server's log", rec.failed, rec.message)
	}
}
