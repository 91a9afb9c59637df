package postgres_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5/pgconn"
)

type otherDriver struct{}

func (otherDriver) Open(string) (driver.Conn, error) { return otherConn{}, nil }

type otherConn struct{}

func (otherConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not here") }
func (otherConn) Close() error                        { return nil }
func (otherConn) Begin() (driver.Tx, error)           { return nil, errors.New("not here") }

func TestSessionOfAnotherDriverIsRefused(t *testing.T) {
	sql.Register("postgres_test_other", otherDriver{})
	db, err := sql.Open("postgres_test_other", "postgres://me:secret@host/db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = d.Prepare(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "pgx") || strings.Contains(err.Error(), "secret") {
		t.Fatalf("Prepare = %v", err)
	}
}

func TestDatabaseOfAnotherEncodingIsRefused(t *testing.T) {
	url := testservers.Postgres(t)
	db := openURL(t, url)
	name := one[string](t, db, "SELECT current_database()")
	do(t, db, "CREATE DATABASE "+name+"_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	t.Cleanup(func() { _, _ = db.Exec("DROP DATABASE " + name + "_latin (FORCE)") })
	c, err := openURL(t, strings.Replace(url, name, name+"_latin", 1)).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := d.Prepare(t.Context(), c); err == nil || !strings.Contains(err.Error(), "LATIN1") {
		t.Fatalf("Prepare = %v", err)
	}
}

func TestPreparePinsWhatValuesDependOn(t *testing.T) {
	db := open(t)
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "SET TimeZone = 'Asia/Tokyo'", "SET DateStyle = 'German'", "SET IntervalStyle = 'iso_8601'", "SET bytea_output = 'escape'", "SET extra_float_digits = 0",
		"SET statement_timeout = '1ms'", "SET search_path = pg_catalog, public", "SET default_transaction_isolation = serializable", "SET statement_timeout = 0")
	before := one[string](t, c, "SHOW synchronous_commit")
	for range 2 {
		if err := d.Prepare(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	got := one[string](t, c, "SELECT concat_ws('|', timestamptz '2006-01-02 03:04:05+01', date '2006-01-02', interval '1 day 2 hours', bytea '\\x00', float8 '0.1', current_setting('search_path'), current_setting('statement_timeout'))")
	if want := `2006-01-02 02:04:05+00|2006-01-02|1 day 02:00:00|\x00|0.1|pg_catalog, public|0`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if after := one[string](t, c, "SHOW synchronous_commit"); after != before {
		t.Error("synchronous_commit was changed")
	}
}

func TestIdentityTellsSystemsApart(t *testing.T) {
	a, b := session(t, open(t)), session(t, open(t))
	ids := make(map[string]bool)
	for _, c := range []conn{a, a, b} {
		id, err := d.Identity(t.Context(), c)
		if err != nil || id == "" || strings.ContainsAny(id, " \t\n") {
			t.Fatalf("Identity = %q, %v", id, err)
		}
		ids[id] = true
	}
	if len(ids) != 2 {
		t.Errorf("two databases have the identities %v", ids)
	}
	do(t, a, "BEGIN", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public", "CREATE ROLE nobody_special", "SET ROLE nobody_special")
	id, err := d.Identity(t.Context(), a)
	if err != nil || !strings.HasPrefix(id, "name") {
		t.Errorf("without the privilege: %q, %v", id, err)
	}
	do(t, a, "ROLLBACK")
}

func TestLockIsExclusiveAndEndsWithItsConnection(t *testing.T) {
	db := open(t)
	a, b := session(t, db), session(t, db)
	lock := func(c conn, name string) bool {
		t.Helper()
		ok, err := d.TryLock(t.Context(), c, name)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !lock(a, "x") || lock(b, "x") || !lock(b, "y") {
		t.Fatal("the lock is not exclusive")
	}
	if !lock(a, "x") {
		t.Fatal("who has the lock is refused")
	}
	if n := one[int](t, a, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"); n != 1 {
		t.Errorf("%d locks", n)
	}
	do(t, a, "SELECT pg_advisory_unlock((classid::bigint << 32) | objid::bigint) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
	if !lock(b, "x") {
		t.Error("the lock was taken twice")
	}
	pid := one[int](t, b, "SELECT pg_backend_pid()")
	do(t, a, "SELECT pg_terminate_backend("+one[string](t, a, "SELECT $1::int::text", pid)+")")
	for began := time.Now(); !lock(a, "y"); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the lock outlives its connection")
		}
	}
}

func TestTransactionsEndOnce(t *testing.T) {
	db := open(t)
	c := session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY)")
	tx, err := d.Begin(t.Context(), c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	do(t, c, "INSERT INTO t VALUES (1)")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("Rollback after Commit = %v", err)
	}
	// A transaction that has failed cannot be committed in silence.
	tx, _ = d.Begin(t.Context(), c, replication.Write)
	_, _ = c.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	if err := tx.Commit(); err == nil {
		t.Error("a failed transaction is committed")
	}
	// A context that ends rolls back, and Rollback works without it.
	ctx, cancel := context.WithCancel(t.Context())
	tx, _ = d.Begin(ctx, c, replication.Write)
	do(t, c, "INSERT INTO t VALUES (2)")
	cancel()
	if err := tx.Commit(); err == nil {
		t.Error("committed after the context ended")
	}
	tx, _ = d.Begin(t.Context(), session(t, db), replication.ReadSnapshot)
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if n := one[int](t, db, "SELECT count(*) FROM t"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestFaultsAreClassified(t *testing.T) {
	db := open(t)
	c := session(t, db)
	do(t, c, "CREATE TABLE p (id int PRIMARY KEY)", "CREATE TABLE t (id int PRIMARY KEY REFERENCES p, v varchar(1) NOT NULL, CHECK (v <> 'x'))", "INSERT INTO p VALUES (1), (2)", "INSERT INTO t VALUES (1, 'a')")
	for _, tc := range []struct {
		query string
		want  replication.Fault
	}{
		{"INSERT INTO t VALUES (1, 'b')", replication.Unique}, {"INSERT INTO t VALUES (3, 'b')", replication.Integrity}, {"INSERT INTO t VALUES (2, 'x')", replication.Integrity},
		{"INSERT INTO t VALUES (2, NULL)", replication.Integrity}, {"INSERT INTO t VALUES (2, 'toolong')", replication.Integrity}, {"SELECT * FROM missing", replication.Missing},
		{"SELECT missing FROM t", replication.Missing}, {"SELECT * FROM missing.t", replication.Missing}, {"SELEC", replication.Other}, {"SELECT 1/0", replication.Integrity},
		{"SET ROLE pg_monitor; SELECT * FROM t", replication.Denied}, {"RESET ROLE; SET statement_timeout = 10; SELECT pg_sleep(1)", replication.Transient},
	} {
		_, err := c.ExecContext(t.Context(), tc.query)
		if err == nil || d.Fault(err) != tc.want {
			t.Errorf("%s: %v is fault %d, want %d", tc.query, err, d.Fault(err), tc.want)
		}
	}
	for code, want := range map[string]replication.Fault{"40001": replication.Transient, "40P01": replication.Transient, "08006": replication.Transient, "57P01": replication.Transient,
		"57P03": replication.Transient, "53300": replication.Transient, "28P01": replication.Denied, "3D000": replication.Missing, "25006": replication.Transient, "XX000": replication.Other, "": replication.Other} {
		if got := d.Fault(&pgconn.PgError{Code: code}); got != want {
			t.Errorf("%s is fault %d, want %d", code, got, want)
		}
	}
	for _, err := range []error{io.ErrUnexpectedEOF, driver.ErrBadConn, sql.ErrConnDone, net.ErrClosed, &net.OpError{Op: "dial", Err: errors.New("refused")}} {
		if d.Fault(err) != replication.Transient {
			t.Errorf("%v is not transient", err)
		}
	}
	for _, err := range []error{nil, context.Canceled, errors.New("x")} {
		if d.Fault(err) != replication.Other {
			t.Errorf("%v is not other", err)
		}
	}
}

func TestLostServerIsTransient(t *testing.T) {
	s := startPostgres(t)
	db := openURL(t, s.URL)
	c := session(t, db)
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY)")
	src := table(t, c, "t", "t")
	n := 0
	_, err := d.Load(t.Context(), c, src.Name, src.Columns, func() ([][]byte, error) {
		if n++; n == 1000 {
			s.Kill()
		}
		if n > 5000000 {
			return nil, io.EOF
		}
		return values(time.Now().String()[20:29]), nil
	})
	if err == nil || d.Fault(err) != replication.Transient {
		t.Errorf("Load = %v", err)
	}
	after := n
	time.Sleep(20 * time.Millisecond)
	if n != after {
		t.Error("next is called after Load has returned")
	}
	_, err = db.Conn(t.Context())
	if err == nil || d.Fault(err) != replication.Transient {
		t.Errorf("connecting = %v", err)
	}
}

func TestWakesUpWhenSomethingIsLogged(t *testing.T) {
	db := open(t)
	c, writer := session(t, db), session(t, db)
	waker, ok := notifying.(replication.Waker)
	if !ok {
		t.Fatal("Notifying is no Waker")
	}
	if _, ok := d.(replication.Waker); ok {
		t.Error("Dialect is a Waker, though its triggers do not notify")
	}
	do(t, c, "CREATE TABLE t (id int PRIMARY KEY)")
	src := table(t, c, "t", "t")
	do(t, c, notifying.Install(group, node1(src))...)
	wait := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return waker.Wait(ctx, c, group)
	}
	if err := wait(5 * time.Second); err != nil { // from before
		t.Fatal(err)
	}
	if err := wait(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) && !pgconn.Timeout(err) {
		t.Fatalf("Wait without changes = %v", err)
	}
	do(t, writer, "BEGIN", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "COMMIT", "DELETE FROM t WHERE id = 1", "TRUNCATE t")
	if err := wait(5 * time.Second); err != nil {
		t.Fatalf("Wait after a change = %v", err)
	}
	if err := wait(100 * time.Millisecond); err == nil {
		t.Error("old notifications wake up again")
	}
	do(t, writer, "BEGIN", "INSERT INTO t VALUES (9)", "ROLLBACK", "NOTIFY other")
	if err := wait(100 * time.Millisecond); err == nil {
		t.Error("what was rolled back wakes up")
	}
	if s := one[string](t, writer, "SELECT COALESCE(string_agg(state, ','), '') FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"); s != "" {
		t.Errorf("sessions are %s", s)
	}
}
