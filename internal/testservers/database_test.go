package testservers_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/ashlar-go/ashlar/internal/testservers"
)

// vendor is what differs between the databases here.
type vendor struct {
	name     string
	open     func(t *testing.T, url string) *sql.DB
	database func(t testing.TB) string
	start    func(t testing.TB, args ...string) *testservers.Server
	scheme   string
	setting  []string // an argument, and the query and answer that prove it
}

var vendors = []vendor{
	{
		name: "postgres", open: openPostgres, database: testservers.Postgres, start: testservers.StartPostgres, scheme: "postgres",
		setting: []string{"-cwal_level=logical", "SHOW wal_level", "logical"},
	},
	{
		name: "mariadb", open: openMariaDB, database: testservers.MariaDB, start: testservers.StartMariaDB, scheme: "mysql",
		setting: []string{"--server-id=42", "SELECT @@server_id", "42"},
	},
}

func openPostgres(t *testing.T, u string) *sql.DB { return open(t, "pgx", u) }

func openMariaDB(t *testing.T, s string) *sql.DB {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.DBName = "tcp", u.Host, u.User.Username(), strings.TrimPrefix(u.Path, "/")
	cfg.Passwd, _ = u.User.Password()
	return open(t, "mysql", cfg.FormatDSN())
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func wantValue(t *testing.T, db *sql.DB, query, want string) {
	t.Helper()
	var got string
	// The pool may hold a connection to the server that was killed.
	err := db.QueryRow(query).Scan(&got)
	if err != nil {
		err = db.QueryRow(query).Scan(&got)
	}
	if err != nil || got != want {
		t.Fatalf("%s = %q, %v; want %q", query, got, err, want)
	}
}

func TestDatabasesAreFreshAndDropped(t *testing.T) {
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			var first string
			t.Run("inner", func(t *testing.T) {
				first = v.database(t)
				second := v.database(t)
				if first == second || !strings.HasPrefix(first, v.scheme+"://") {
					t.Fatal("want two databases with URLs of", v.scheme)
				}
				a, b := v.open(t, first), v.open(t, second)
				exec(t, a, "CREATE TABLE t (a INT)")
				exec(t, b, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)")
				wantValue(t, a, "SELECT COUNT(*) FROM t", "0")
				wantValue(t, b, "SELECT COUNT(*) FROM t", "1")
			})
			if first == "" {
				t.SkipNow() // inner was
			}
			if err := v.open(t, first).Ping(); err == nil {
				t.Error("the database is still there after its test")
			}
		})
	}
}

func TestOwnDatabaseServerMayBeBroken(t *testing.T) {
	for _, v := range vendors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := v.start(t, v.setting[0])
			pid, dir := s.PID(), s.Dir()
			t.Cleanup(func() { wantRunningUntilNow(t, s) }) // runs before the server's own end
			db := v.open(t, s.URL)
			wantValue(t, db, v.setting[1], v.setting[2])
			exec(t, db, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (7)")

			s.Kill()
			if err := db.Ping(); err == nil {
				t.Fatal("a killed server answers")
			}
			if testservers.Alive(pid) {
				t.Fatalf("process %d lives after Kill", pid)
			}
			s.Restart()
			wantValue(t, db, "SELECT a FROM t", "7") // committed, so it survived

			s.Pause()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			err := db.PingContext(ctx)
			if err == nil {
				_, err = db.ExecContext(ctx, "INSERT INTO t VALUES (8)")
			}
			cancel()
			if err == nil {
				t.Fatal("a paused server answers")
			}
			s.Resume()
			wantValue(t, db, "SELECT MIN(a) FROM t", "7")

			exec(t, db, "UPDATE t SET a = 9")
			s.Stop()
			if err := db.Ping(); err == nil {
				t.Fatal("a stopped server answers")
			}
			s.Restart()
			wantValue(t, db, "SELECT MIN(a) FROM t", "9")
			if s.Log() == "" {
				t.Error("the server's log is empty")
			}
			if _, err := os.Stat(dir); err != nil {
				t.Error(err)
			}
		})
	}
}

func wantRunningUntilNow(t *testing.T, s *testservers.Server) {
	t.Helper()
	if !testservers.Alive(s.PID()) {
		t.Errorf("the server ended before its test; its log:\n%s", s.Log())
	}
}
