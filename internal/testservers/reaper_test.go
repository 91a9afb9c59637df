package testservers_test

import (
	"bufio"
	"fmt"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

const envEnd = "TESTSERVERS_END" // how TestChild ends

// TestChild is run by TestServersNeverOutliveTheirProcess in a process of its
// own. It starts servers, says which, and then ends without cleaning up.
func TestChild(t *testing.T) {
	how := os.Getenv(envEnd)
	if how == "" {
		return // nobody's child
	}
	mc := testservers.Memcached(t)
	fmt.Println("server", mc.PID(), mc.Dir())
	if strings.HasSuffix(how, "paused") {
		mc.Pause()
	}
	if pid, dir, err := testservers.SharedPID(); err == nil {
		fmt.Println("server", pid, dir)
	}
	fmt.Println("ready")
	switch how {
	case "panic":
		go panic("on purpose, where no test can recover it")
	case "exit":
		os.Exit(3)
	}
	select {} // killed, or panicking
}

func TestServersNeverOutliveTheirProcess(t *testing.T) {
	testservers.Memcached(t) // or skip here
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"panic", "exit", "kill", "kill paused"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			cmd := osexec.Command(self, "-test.run=^TestChild$", "-test.v")
			cmd.Env = append(os.Environ(), envEnd+"="+how)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var pids []int
			var dirs []string
			var said strings.Builder
			for lines := bufio.NewScanner(out); lines.Scan(); {
				fmt.Fprintln(&said, lines.Text())
				switch f := strings.Fields(lines.Text()); {
				case len(f) == 3 && f[0] == "server":
					pid, err := strconv.Atoi(f[1])
					if err != nil {
						t.Fatal(err)
					}
					pids, dirs = append(pids, pid), append(dirs, f[2])
				case len(f) == 1 && f[0] == "ready" && strings.HasPrefix(how, "kill"):
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := cmd.Wait(); err == nil {
				t.Fatal("the child ended well, want it to fail")
			}
			if len(pids) == 0 {
				t.Fatalf("the child started no server; it said:\n%s", &said)
			}
			for i, pid := range pids {
				wantGone(t, pid, dirs[i])
			}
		})
	}
}
