package main

import (
	"bufio"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

const envRunMain = "TESTSERVERS_WITH" // 1: be the command, not its test

func TestMain(m *testing.M) {
	if os.Getenv(envRunMain) == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// with is the command itself, in an environment that names no servers.
func with(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ASHLAR_TEST_") })
	cmd.Env = append(cmd.Env, envRunMain+"=1")
	return cmd
}

func wantStatus(t *testing.T, err error, want int) {
	t.Helper()
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok || e.ExitCode() != want {
		t.Fatalf("%v, want exit status %d", err, want)
	}
}

func addrOf(t *testing.T, server string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil || u.Port() == "" {
		t.Fatalf("%q is not the URL of a server: %v", server, err)
	}
	return u.Host
}

func wantRefused(t *testing.T, addr string) {
	t.Helper()
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Errorf("a server still listens on %s", addr)
	}
}

func TestCommandSeesServersThatEndAfterIt(t *testing.T) {
	testservers.Postgres(t) // or skip here
	testservers.MariaDB(t)
	cmd := with(t, "--", "sh", "-c", `echo $ASHLAR_TEST_POSTGRES; echo $ASHLAR_TEST_MARIADB; exit 7`)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	wantStatus(t, err, 7)
	servers := strings.Fields(string(out))
	if len(servers) != 2 || !strings.HasPrefix(servers[0], "postgres://") || !strings.HasPrefix(servers[1], "mysql://") {
		t.Fatalf("the command saw %d servers, want the URLs of PostgreSQL and MariaDB", len(servers))
	}
	for _, s := range servers {
		wantRefused(t, addrOf(t, s))
	}
}

func TestSignalGoesToTheCommandAndThenTheServersEnd(t *testing.T) {
	testservers.Postgres(t) // or skip here
	cmd := with(t, "--", "sh", "-c", `trap 'echo told; exit 9' TERM; echo $ASHLAR_TEST_POSTGRES; while :; do sleep 0.05; done`)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	addr := addrOf(t, lines.Text())
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if lines.Scan(); lines.Text() != "told" {
		t.Errorf("the command says %q, want it to be told", lines.Text())
	}
	wantStatus(t, cmd.Wait(), 9)
	wantRefused(t, addr)
}

func TestWrongUsageIsOneLineAndStatus2(t *testing.T) {
	for _, args := range [][]string{nil, {"--"}, {"go", "test"}} {
		out, err := with(t, args...).CombinedOutput()
		wantStatus(t, err, 2)
		if !strings.HasPrefix(string(out), "usage: ") || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%v: %q, want one line of usage", args, out)
		}
	}
}

func TestMissingCommandIsOneLineAndStatus1(t *testing.T) {
	cmd := with(t, "--", "no-such-command")
	out, err := cmd.CombinedOutput()
	wantStatus(t, err, 1)
	if strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), "no-such-command") {
		t.Errorf("%q, want one line that names the command", out)
	}
}
