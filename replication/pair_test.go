package replication_test

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/mysql"
	"github.com/ashlar-go/ashlar/replication/postgres"
	"github.com/ashlar-go/ashlar/replication/replicationtest"
	"github.com/ashlar-go/ashlar/replication/sqlite"
)

func openSQLite(t *testing.T) replication.End {
	t.Helper()
	return end(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "db.sqlite")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(0)&_txlock=immediate", sqlite.Dialect)
}

func openPostgres(t *testing.T) replication.End {
	t.Helper()
	return end(t, "pgx", testservers.Postgres(t), postgres.Dialect)
}

func openNotifying(t *testing.T) replication.End {
	t.Helper()
	return end(t, "pgx", testservers.Postgres(t), postgres.Notifying)
}

func openMariaDB(t *testing.T) replication.End {
	t.Helper()
	return end(t, "mysql", mysqlDSN(t, testservers.MariaDB(t)), mysql.Dialect)
}

func end(t *testing.T, driver, dsn string, d replication.Dialect) replication.End {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return replication.End{DB: db, Dialect: d}
}

func mysqlDSN(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal("not a URL")
	}
	cfg := mysqldriver.NewConfig()
	cfg.Net, cfg.Addr, cfg.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	return cfg.FormatDSN()
}

const truncate = "TRUNCATE TABLE %s"

func TestSQLiteToSQLite(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openSQLite, Target: openSQLite})
}

func TestPostgresToPostgres(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openPostgres, Target: openPostgres, Truncate: truncate, Essentials: true})
}

func TestPostgresToMariaDB(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openNotifying, Target: openMariaDB, Truncate: truncate})
}

func TestPostgresToSQLite(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openPostgres, Target: openSQLite, Truncate: truncate, Essentials: true})
}

func TestMariaDBToMariaDB(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openMariaDB, Target: openMariaDB, Truncate: truncate, Essentials: true})
}

func TestMariaDBToPostgres(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openMariaDB, Target: openPostgres, Truncate: truncate})
}

func TestMariaDBToSQLite(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openMariaDB, Target: openSQLite, Truncate: truncate, Essentials: true})
}

func TestSQLiteToPostgres(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openSQLite, Target: openPostgres, Essentials: true})
}

func TestSQLiteToMariaDB(t *testing.T) {
	t.Parallel()
	replicationtest.TestPair(t, replicationtest.Pair{Source: openSQLite, Target: openMariaDB, Essentials: true})
}
