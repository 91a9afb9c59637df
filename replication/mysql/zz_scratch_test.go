package mysql_test

import (
	"os"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

func TestScratchServer(t *testing.T) {
	if os.Getenv("SCRATCH") == "" {
		t.Skip()
	}
	s := testservers.StartMariaDB(t, "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=512M")
	os.WriteFile("/tmp/mysql_env2", []byte("ASHLAR_TEST_MARIADB="+s.URL+"\n"), 0o600)
	for i := 0; i < 3000; i++ {
		if _, err := os.Stat("/tmp/mysql_stop"); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}
