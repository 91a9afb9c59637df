package testservers

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

const envMariaDB = "ASHLAR_TEST_MARIADB"

// MariaDB returns the URL mysql://user:password@host:port/name of a new, empty
// database on the MariaDB that the tests share. It is dropped at the end of the
// test, which fails if it left a transaction open there.
func MariaDB(t testing.TB) string {
	t.Helper()
	return sharedMariaDB.database(t)
}

// StartMariaDB starts a MariaDB of its own for the test, which ends with the
// test. The arguments are added to the command line, such as "--log-bin". That
// takes a few seconds; prefer [MariaDB].
func StartMariaDB(t testing.TB, args ...string) *Server {
	t.Helper()
	sp, err := mariadbSpec()
	if err != nil {
		skipOrFail(t, err)
	}
	return started(t, sp, args)
}

var sharedMariaDB = &shared{
	env:    envMariaDB,
	create: "CREATE DATABASE %s",
	drop:   "SET lock_wait_timeout=5; DROP DATABASE %s",
	query:  mariadbQuery,
	start:  sync.OnceValues(func() (*process, error) { return launchShared(mariadbSpec) }),
}

var (
	mariadbdNames = []string{"mariadbd", "mysqld"}
	mariadbNames  = []string{"mariadb", "mysql"}
	installNames  = []string{"mariadb-install-db", "mysql_install_db"}
	mariadbDirs   = []string{"/usr/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/usr/local/mysql/scripts"}
)

func mariadbSpec() (spec, error) {
	bin, ok := find(mariadbdNames, mariadbDirs...)
	installer, ok2 := find(installNames, mariadbDirs...)
	if !ok || !ok2 {
		return spec{}, errNoMariaDB()
	}
	return spec{
		name:  "mariadb",
		users: []string{"mysql", "nobody"},
		stop:  "TERM",
		end:   "KILL",
		abort: "KILL",
		prepare: func(p *process) ([]command, error) {
			// The account is made anew at each start, as the first statements.
			first := fmt.Sprintf("CREATE DATABASE IF NOT EXISTS ashlar;\n"+
				"CREATE OR REPLACE USER ashlar@'127.0.0.1' IDENTIFIED BY '%s';\n"+
				"GRANT ALL ON *.* TO ashlar@'127.0.0.1' WITH GRANT OPTION;\n", p.password)
			if err := os.WriteFile(p.file("first.sql"), []byte(first), 0o644); err != nil {
				return nil, err
			}
			return []command{{
				installer, "--no-defaults", "--datadir=" + p.file("data"), "--auth-root-authentication-method=normal",
				"--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=8M", "--innodb-use-native-aio=0",
			}}, nil
		},
		serve: func(p *process, args []string) command {
			c := command{
				bin, "--no-defaults", "--datadir=" + p.file("data"), "--tmpdir=" + p.dir,
				"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(p.port), "--socket=" + p.file("socket"),
				"--pid-file=" + p.file("pid"), "--init-file=" + p.file("first.sql"), "--skip-name-resolve",
				"--character-set-server=utf8mb4", "--max-connections=300", "--performance-schema=OFF",
				// A commit survives the server's death, not the machine's.
				"--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--sync-binlog=0", "--sync-frm=0",
				"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=8M", "--innodb-use-native-aio=0",
			}
			return append(c, args...)
		},
		ready: func(p *process) error {
			c, err := net.DialTimeout("tcp", p.addr(), time.Second) // cheaper than the client
			if err != nil {
				return err
			}
			c.Close()
			return mariadbQuery(mariadbURL(p), "SELECT 1")
		},
		url: mariadbURL,
	}, nil
}

func mariadbURL(p *process) string {
	u := url.URL{Scheme: "mysql", User: url.UserPassword("ashlar", p.password), Host: p.addr(), Path: "/ashlar"}
	return u.String()
}

// mariadbQuery runs statements at the server of a URL.
func mariadbQuery(db, statements string) error {
	bin, ok := find(mariadbNames, mariadbDirs...)
	if !ok {
		return errNoMariaDB()
	}
	u, err := url.Parse(db)
	if err != nil {
		return fmt.Errorf("testservers: %s is not a URL", envMariaDB)
	}
	password, _ := u.User.Password()
	cmd := exec.Command(bin, "--no-defaults", "--protocol=tcp", "--connect-timeout=10",
		"--host="+u.Hostname(), "--port="+u.Port(), "--user="+u.User.Username(), "--execute="+statements)
	cmd.Env = append(cleanEnv(), "MYSQL_PWD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("testservers: mariadb: %s: %w\n%s", statements, err, out)
	}
	return nil
}

func errNoMariaDB() error { return &missing{"MariaDB", install("mariadb-server")} }
