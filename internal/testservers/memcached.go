package testservers

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Memcached starts a memcached of its own for the test, which ends with the
// test. The arguments are added to the command line, such as "-m", "8".
func Memcached(t testing.TB, args ...string) *Server {
	t.Helper()
	bin, ok := find([]string{"memcached"}, "/usr/sbin")
	if !ok {
		Skip(t, "memcached", install("memcached"))
	}
	return started(t, memcachedSpec(bin), args)
}

func memcachedSpec(bin string) spec {
	return spec{
		name:    "memcached",
		users:   []string{"memcache", "nobody"},
		stop:    "TERM",
		end:     "KILL",
		prepare: func(*process) ([]command, error) { return nil, nil },
		serve: func(p *process, args []string) command {
			c := command{bin, "-l", "127.0.0.1", "-p", strconv.Itoa(p.port), "-U", "0", "-m", "64", "-t", "2"}
			return append(c, args...)
		},
		ready: func(p *process) error { return askMemcached(p.addr(), p.pid) },
	}
}

// askMemcached asks the server at addr for its process id and compares: on a
// port that somebody else took a moment ago, somebody else answers.
func askMemcached(addr string, pid int) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(c, "stats\r\n"); err != nil {
		return err
	}
	for lines := bufio.NewScanner(c); lines.Scan() && lines.Text() != "END"; {
		if id, ok := strings.CutPrefix(lines.Text(), "STAT pid "); ok {
			if id != strconv.Itoa(pid) {
				return fmt.Errorf("process %s answers at %s, not our %d", id, addr, pid)
			}
			return nil
		}
	}
	return errors.New("no process id in its statistics")
}
