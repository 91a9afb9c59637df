package testservers_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

func TestServersOfRootRunUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("we are not root")
	}
	for name, start := range map[string]func(testing.TB, ...string) *testservers.Server{
		"memcached": testservers.Memcached,
		"postgres":  testservers.StartPostgres,
		"mariadb":   testservers.StartMariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			for _, file := range []string{fmt.Sprintf("/proc/%d", s.PID()), s.Dir()} {
				fi, err := os.Stat(file)
				if err != nil {
					t.Fatal(err)
				}
				if uid := fi.Sys().(*syscall.Stat_t).Uid; uid == 0 {
					t.Errorf("%s belongs to root", file)
				}
			}
		})
	}
}
