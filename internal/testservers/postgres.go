package testservers

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const envPostgres = "ASHLAR_TEST_POSTGRES"

// Postgres returns the URL of a new, empty database on the PostgreSQL that the
// tests share. It is dropped at the end of the test, connections or not.
func Postgres(t testing.TB) string {
	t.Helper()
	return sharedPostgres.database(t)
}

// StartPostgres starts a PostgreSQL of its own for the test, which ends with the
// test. The arguments are added to the command line, such as "-c",
// "wal_level=logical". That takes about two seconds; prefer [Postgres].
func StartPostgres(t testing.TB, args ...string) *Server {
	t.Helper()
	sp, err := postgresSpec()
	if err != nil {
		skipOrFail(t, err)
	}
	return started(t, sp, args)
}

var sharedPostgres = &shared{
	env:    envPostgres,
	create: "CREATE DATABASE %s TEMPLATE template0",
	drop:   "DROP DATABASE %s WITH (FORCE)",
	query:  psql,
	start:  sync.OnceValues(func() (*process, error) { return launchShared(postgresSpec) }),
}

func postgresSpec() (spec, error) {
	bin, err := postgresProgram("postgres")
	if err != nil {
		return spec{}, err
	}
	return spec{
		name:  "postgres",
		users: []string{"postgres", "nobody"},
		stop:  "INT",  // fast shutdown: clients are thrown out
		end:   "QUIT", // immediate shutdown: shared memory is given back
		abort: "CONT", // none: initdb cut short leaves shared memory behind
		prepare: func(p *process) ([]command, error) {
			if err := os.WriteFile(p.file("password"), []byte(p.password), 0o644); err != nil {
				return nil, err
			}
			return []command{{
				filepath.Join(filepath.Dir(bin), "initdb"), "-D", p.file("data"), "-U", "ashlar",
				"--pwfile", p.file("password"), "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
			}}, nil
		},
		serve: func(p *process, args []string) command {
			c := command{bin, "-D", p.file("data")}
			for _, set := range []string{
				"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(p.port), "unix_socket_directories=",
				// Without fsync a commit survives the server's death, not the machine's.
				"fsync=off", "full_page_writes=off",
				"shared_buffers=32MB", "max_connections=300", "dynamic_shared_memory_type=mmap",
				"log_timezone=UTC", "timezone=UTC",
			} {
				c = append(c, "-c", set)
			}
			return append(c, args...)
		},
		ready:  postgresReady,
		url:    postgresURL,
		killed: removeSharedMemory,
	}, nil
}

func postgresURL(p *process) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("ashlar", p.password), Host: p.addr(), Path: "/postgres", RawQuery: "sslmode=disable"}
	return u.String()
}

// postmasterPid reads the file in which PostgreSQL says who it is (line 1), its
// shared memory (line 7) and whether it is ready (line 8).
func postmasterPid(p *process) []string {
	b, err := os.ReadFile(p.file("data/postmaster.pid"))
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}

func postgresReady(p *process) error {
	l := postmasterPid(p)
	if len(l) < 8 || l[0] != strconv.Itoa(p.pid) || strings.TrimSpace(l[7]) != "ready" {
		return fmt.Errorf("it does not say ready: %q", l)
	}
	return nil
}

// removeSharedMemory removes the few bytes of System V shared memory that a
// killed PostgreSQL leaves for its successor, in case there is none.
func removeSharedMemory(p *process) {
	l := postmasterPid(p)
	if len(l) < 7 {
		return
	}
	if f := strings.Fields(l[6]); len(f) == 2 {
		cmd := exec.Command("ipcrm", "-m", f[1])
		cmd.Env = cleanEnv()
		_ = cmd.Run() // only tidiness
	}
}

// psql runs one statement at the server of a URL. The password travels in the
// environment, because everybody sees the command line.
func psql(db, statement string) error {
	bin, err := postgresProgram("psql")
	if err != nil {
		return err
	}
	u, err := url.Parse(db)
	if err != nil {
		return fmt.Errorf("testservers: %s is not a URL", envPostgres)
	}
	password, _ := u.User.Password()
	u.User = url.User(u.User.Username())
	cmd := exec.Command(bin, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, u.String())
	cmd.Env = append(cleanEnv(), "PGPASSWORD="+password, "PGCONNECT_TIMEOUT=10")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("testservers: psql: %s: %w\n%s", statement, err, out)
	}
	return nil
}

// postgresProgram prefers the version's own directory: what Debian puts in PATH
// is a wrapper that looks for clusters first.
func postgresProgram(name string) (string, error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) }), nil
	}
	path, ok := find([]string{name}, "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
	if !ok {
		return "", &missing{"PostgreSQL", install("postgresql")}
	}
	return filepath.EvalSymlinks(path) // initdb is beside the real one
}

// version is the 15 in /usr/lib/postgresql/15/bin/postgres.
func version(program string) float64 {
	v, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(filepath.Dir(program))), 64)
	return v
}
