package lbsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsql"
)

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openMariaDB(t *testing.T, s string) *sql.DB {
	return open(t, "mysql", mariaDBConfig(t, s).FormatDSN())
}

func mariaDBConfig(t *testing.T, s string) *mysql.Config {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.DBName = "tcp", u.Host, u.User.Username(), strings.TrimPrefix(u.Path, "/")
	cfg.Passwd, _ = u.User.Password()
	return cfg
}

const maxLag = time.Second

// pair is a real primary with one real replica behind a running Cluster.
type pair struct {
	*testing.T
	primary, replica *sql.DB
	cluster          *lbsql.Cluster
	db               *sql.DB
}

func newPair(t *testing.T, primary, replica *sql.DB, m lbsql.Measure) *pair {
	t.Helper()
	return newPairWithin(t, primary, replica, m, maxLag)
}

func newPairWithin(t *testing.T, primary, replica *sql.DB, m lbsql.Measure, lag time.Duration) *pair {
	t.Helper()
	c, err := lbsql.New(lbsql.Config{
		Primary:  primary,
		Replicas: []lbsql.Replica{{Node: lb.Node{ID: "r"}, DB: replica}},
		Measure:  m,
		Interval: 20 * time.Millisecond, Timeout: 5 * time.Second, MaxLag: lag, Wait: 20 * time.Second,
		PrimaryReads: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	return &pair{t, primary, replica, c, db}
}

func (p *pair) exec(db *sql.DB, q string) {
	p.Helper()
	if _, err := db.ExecContext(p.Context(), q); err != nil {
		p.Fatalf("%s: %v", q, err)
	}
}

// until waits for the replica to be used, or not to be.
func (p *pair) until(used bool) lbsql.ReplicaStats {
	p.Helper()
	end := time.Now().Add(time.Minute)
	for {
		s := p.cluster.Replicas()[0]
		if s.Usable == used {
			return s
		}
		if time.Now().After(end) {
			p.Fatalf("want usable %v: %+v", used, s)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// readsItsWrites writes and reads after the write's token, from the replica.
func (p *pair) readsItsWrites(rounds int) {
	p.Helper()
	before := p.cluster.Stats()
	for i := range rounds {
		p.exec(p.db, fmt.Sprintf("UPDATE t SET n = %d", i))
		token, err := p.cluster.Token(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		var n int
		if err := p.db.QueryRowContext(lbsql.After(p.Context(), token), "SELECT n FROM t").Scan(&n); err != nil || n != i {
			p.Fatalf("read %d, %v after writing %d", n, err, i)
		}
	}
	// On a busy machine the replica may be late for a while; never for all.
	s := p.cluster.Stats()
	got := s.OnReplica - before.OnReplica
	p.Logf("%d of %d reads by the replica", got, rounds)
	if got == 0 {
		p.Errorf("no read by the replica: %+v", s)
	}
}

// standsStill is the rest of hard test 18 on a real pair: the replica stops
// applying, is skipped, and catches up.
func (p *pair) standsStill(stop, goOn string) {
	p.Helper()
	p.exec(p.replica, stop)
	for i := 0; p.cluster.Replicas()[0].Usable; i++ {
		p.exec(p.db, fmt.Sprintf("UPDATE t SET n = %d", 1000+i))
		time.Sleep(10 * time.Millisecond)
	}
	if s := p.cluster.Replicas()[0]; s.LagKnown && s.Lag <= maxLag {
		p.Errorf("%+v", s)
	}
	var n int
	if err := p.db.QueryRowContext(p.Context(), "SELECT n FROM t").Scan(&n); err != nil || n < 1000 {
		p.Errorf("read %d, %v", n, err)
	}
	if s := p.cluster.Stats(); s.OnPrimary == 0 {
		p.Errorf("%+v", s)
	}
	p.exec(p.replica, goOn)
	p.until(true)
	before := p.cluster.Stats().OnReplica
	for end := time.Now().Add(time.Minute); p.cluster.Stats().OnReplica == before; {
		if err := p.db.QueryRowContext(p.Context(), "SELECT n FROM t").Scan(&n); err != nil || time.Now().After(end) {
			p.Fatalf("a replica that has caught up is not read: %v", err)
		}
	}
}

func TestPostgresStreamingReplica(t *testing.T) {
	t.Parallel()
	primary := testservers.StartPostgres(t, "-c", "autovacuum=off", "-c", "synchronous_commit=off")
	standby := testservers.StartPostgresStandby(t, primary)
	t.Run("TokenAtTheBeginningOfAPage", func(t *testing.T) { tokenAtTheBeginningOfAPage(t, primary, standby) })
	// The driver finds whichever of the two takes writes.
	either := strings.Replace(primary.URL, "@"+primary.Addr, "@"+primary.Addr+","+standby.Addr, 1) + "&target_session_attrs=read-write"
	p := newPair(t, open(t, "pgx", either), open(t, "pgx", standby.URL), lbsql.Postgres)
	p.exec(p.db, "CREATE TABLE t AS SELECT 0 AS n")
	p.until(true)
	p.readsItsWrites(100)
	if s := p.until(true); s.Position == 0 {
		t.Errorf("%+v", s)
	}

	// What an ORM does: a write as a query, a read-only transaction, a
	// prepared statement.
	var n int
	if err := p.db.QueryRow("INSERT INTO t VALUES (7) RETURNING n").Scan(&n); err != nil || n != 7 {
		t.Error(n, err)
	}
	p.exec(p.db, "DELETE FROM t WHERE n = 7")
	tx, err := p.db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var standing bool
	if err := tx.QueryRow("SELECT pg_is_in_recovery()").Scan(&standing); err != nil || !standing {
		t.Error(standing, err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	st, err := p.db.Prepare("SELECT $1::int + 1, $2::text")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		var s string
		if err := st.QueryRow(41, "x").Scan(&n, &s); err != nil || n != 42 || s != "x" {
			t.Error(n, s, err)
		}
	}
	st.Close()
	// A read that writes after all is refused by the replica, and not repeated.
	p.exec(p.db, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING n'")
	token, err := p.cluster.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.db.QueryRowContext(lbsql.After(t.Context(), token), "SELECT f()").Scan(&n); err == nil || !strings.Contains(err.Error(), "25006") {
		t.Error(err)
	}
	rows, err := p.db.Query("SELECT 1::numeric(5,2) AS a, 'x'::varchar(9) AS b")
	if err != nil {
		t.Fatal(err)
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	precision, scale, _ := types[0].DecimalSize()
	length, _ := types[1].Length()
	if types[0].DatabaseTypeName() != "NUMERIC" || precision != 5 || scale != 2 || length != 9 {
		t.Errorf("%+v %+v", types[0], types[1])
	}
	rows.Close()

	p.standsStill("SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()")

	// It dies and comes back: dead connections in both pools are nobody's
	// business, gorm/dbresolver#6.
	standby.Kill()
	for range 50 {
		if err := p.db.QueryRow("SELECT n FROM t").Scan(&n); err != nil && !errors.Is(err, lbErr) {
			t.Logf("in the moment of its death: %v", err)
		}
	}
	p.until(false)
	for range 50 {
		if err := p.db.QueryRow("SELECT n FROM t").Scan(&n); err != nil {
			t.Error(err)
		}
	}
	standby.Restart()
	p.until(true)
	p.readsItsWrites(20)

	if _, err := lbsql.Postgres(t.Context(), p.primary, false); err == nil {
		t.Error("a primary was measured as a replica")
	}
	// The primary dies: reads go on. The standby is promoted: it is no replica
	// any more, writes go to it, and tokens stay good.
	if token, err = p.cluster.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	primary.Kill()
	if err := p.db.QueryRow("SELECT n FROM t").Scan(&n); err != nil {
		t.Error(err)
	}
	if _, err := p.db.Exec("UPDATE t SET n = 5"); err == nil {
		t.Error("a write without a primary")
	}
	p.exec(p.replica, "SELECT pg_promote()")
	p.until(false)
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := p.db.Exec("UPDATE t SET n = 77"); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if err := p.db.QueryRowContext(lbsql.After(t.Context(), token), "SELECT n FROM t").Scan(&n); err != nil || n != 77 {
		t.Error(n, err)
	}
	if later, err := p.cluster.Token(t.Context()); err != nil || later <= token {
		t.Error(token, later, err)
	}
}

var lbErr = lb.ErrNoNodes

// The end of the write-ahead log often falls on the beginning of a page, where
// the primary counts the page's header and the standby does not.
func tokenAtTheBeginningOfAPage(t *testing.T, primary, standby *testservers.Server) {
	p := newPairWithin(t, open(t, "pgx", primary.URL), open(t, "pgx", standby.URL), lbsql.Postgres, time.Hour)
	p.until(true)
	// A new segment begins with a page header and nothing else.
	p.exec(p.db, "CREATE TABLE page AS SELECT 1 AS n")
	met := false
	for range 5 {
		p.exec(p.db, "UPDATE page SET n = n + 1")
		var at string
		if err := p.primary.QueryRow("SELECT pg_switch_wal() || ' ' || pg_current_wal_insert_lsn()").Scan(&at); err != nil {
			t.Fatal(err)
		}
		met = met || strings.HasSuffix(at, "000028")
		token, err := p.cluster.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before := p.cluster.Stats()
		var n int
		if err := p.db.QueryRowContext(lbsql.After(t.Context(), token), "SELECT n FROM page").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if s := p.cluster.Stats(); s.OnReplica != before.OnReplica+1 {
			t.Errorf("at %s the replica never had the token: %+v", at, s)
		}
	}
	if !met {
		t.Log("no position was one behind a header")
	}
}

func TestMariaDBReplica(t *testing.T) {
	t.Parallel()
	primary := testservers.StartMariaDB(t, "--server-id=1", "--log-bin=binlog", "--binlog-format=ROW")
	replica := testservers.StartMariaDB(t, "--server-id=2", "--read-only=0", "--log-bin=binlog", "--log-slave-updates")
	from, to := openMariaDB(t, primary.URL), openMariaDB(t, replica.URL)
	if _, err := lbsql.MySQL()(t.Context(), to, false); err == nil {
		t.Error("a server that follows nobody was measured as a replica")
	}
	bare := openMariaDB(t, testservers.MariaDB(t))
	for name, m := range map[string]lbsql.Measure{"by place": lbsql.MySQL(), "by GTID": lbsql.MariaDB} {
		if _, err := m(t.Context(), bare, true); err == nil {
			t.Errorf("%s: a server without a binary log was measured as a primary", name)
		}
		if _, err := m(t.Context(), bare, false); err == nil {
			t.Errorf("%s: a server that follows nobody was measured as a replica", name)
		}
	}
	u, _ := url.Parse(primary.URL)
	password, _ := u.User.Password()
	var file, at string
	var ignore sql.RawBytes
	rows, err := from.Query("SHOW MASTER STATUS")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		if err := rows.Scan(&file, &at, &ignore, &ignore); err != nil {
			t.Fatal(err)
		}
	}
	rows.Close()
	p := newPair(t, from, to, lbsql.MySQL())
	p.exec(to, fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%s, MASTER_USER='%s', MASTER_PASSWORD='%s', MASTER_LOG_FILE='%s', MASTER_LOG_POS=%s, MASTER_CONNECT_RETRY=1",
		u.Port(), u.User.Username(), password, file, at))
	p.exec(to, "START SLAVE")
	p.exec(p.db, "CREATE TABLE t (n INT)")
	p.exec(p.db, "INSERT INTO t VALUES (0)")
	p.until(true)
	p.readsItsWrites(100)
	st, err := p.db.Prepare("SELECT n, ? FROM t WHERE n >= ?") // go-sql-driver prepares it
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		var n int
		var s string
		if err := st.QueryRow("x", 0).Scan(&n, &s); err != nil || s != "x" {
			t.Error(n, s, err)
		}
	}
	st.Close()
	var count string
	if err := to.QueryRow("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'").Scan(&count); err != nil || count != "0" {
		t.Errorf("%s prepared statements are left, %v", count, err)
	}
	p.standsStill("STOP SLAVE SQL_THREAD", "START SLAVE SQL_THREAD")
	replica.Kill()
	p.until(false)
	replica.Restart()
	p.until(true)
	p.readsItsWrites(20)
	// A replica of another server's log is a stranger.
	m := lbsql.MySQL()
	if _, err := m(t.Context(), from, true); err != nil {
		t.Fatal(err)
	}
	p.exec(from, "SET GLOBAL server_id = 3")
	if _, err := m(t.Context(), from, true); err != nil {
		t.Fatal(err)
	}
	if _, err := m(t.Context(), to, false); err == nil {
		t.Error("a replica of server 1 was measured against server 3")
	}
	p.exec(from, "SET GLOBAL server_id = 1")

	mariaDBByGTID(t, primary, from, replica.URL)
}

// mariaDBByGTID goes on with both servers, by transaction IDs, to a failover.
func mariaDBByGTID(t *testing.T, primary *testservers.Server, from *sql.DB, replicaURL string) {
	connector, err := mysql.NewConnector(mariaDBConfig(t, replicaURL))
	if err != nil {
		t.Fatal(err)
	}
	to := sql.OpenDB(lbsql.Statements(connector, 10))
	t.Cleanup(func() { to.Close() })
	to.SetMaxOpenConns(2)
	p := newPair(t, from, to, lbsql.MariaDB)
	p.exec(to, "STOP SLAVE")
	p.exec(to, "CHANGE MASTER TO MASTER_USE_GTID=slave_pos")
	p.exec(to, "START SLAVE")
	p.until(true)
	p.readsItsWrites(50)
	p.standsStill("STOP SLAVE SQL_THREAD", "START SLAVE SQL_THREAD")

	prepared := func() (n int) {
		t.Helper()
		var name string
		if err := to.QueryRow("SHOW GLOBAL STATUS LIKE 'Com_stmt_prepare'").Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := prepared()
	for i := range 30 {
		var n int
		if err := p.db.QueryRow("SELECT n * 0 + ? FROM t", i).Scan(&n); err != nil || n != i {
			t.Fatal(n, err)
		}
	}
	if n := prepared() - before; n > 2 {
		t.Errorf("30 queries on at most two connections were prepared %d times", n)
	}
	p.exec(p.db, "CREATE TABLE k (id INT AUTO_INCREMENT PRIMARY KEY, v INT)")
	for want := range int64(3) {
		res, err := p.db.Exec("INSERT INTO k (v) VALUES (?)", 7)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := res.LastInsertId(); err != nil || id != want+1 {
			t.Error(id, err)
		}
	}

	token, err := p.cluster.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var id int
	if err := p.db.QueryRowContext(lbsql.After(t.Context(), token), "SELECT MAX(id) FROM k").Scan(&id); err != nil || id != 3 {
		t.Error(id, err)
	}
	// The primary dies; whoever decides that promotes the replica.
	p.exec(to, "SET GLOBAL read_only = 1")
	primary.Kill()
	p.exec(to, "STOP SLAVE")
	p.exec(to, "RESET SLAVE ALL")
	if err := p.cluster.SetReplicas(nil); err != nil {
		t.Fatal(err)
	}
	if err := p.cluster.SetPrimary(t.Context(), to); err == nil {
		t.Error("a server that is read-only became the primary")
	}
	p.exec(to, "SET GLOBAL read_only = 0")
	if err := p.cluster.SetPrimary(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	p.exec(p.db, "INSERT INTO k (v) VALUES (8)")
	if err := p.db.QueryRowContext(lbsql.After(t.Context(), token), "SELECT MAX(id) FROM k").Scan(&id); err != nil || id <= 3 {
		t.Error(id, err)
	}
	if later, err := p.cluster.Token(t.Context()); err != nil || later <= token {
		t.Error(token, later, err)
	}
}

func TestHeartbeatReplica(t *testing.T) {
	t.Parallel()
	// A replication of our own: whatever keeps the order of commits.
	from, to := open(t, "pgx", testservers.Postgres(t)), open(t, "pgx", testservers.Postgres(t))
	p := newPair(t, from, to, lbsql.Heartbeat("lb_heartbeat"))
	for _, db := range []*sql.DB{from, to} {
		p.exec(db, "CREATE TABLE lb_heartbeat (id INT PRIMARY KEY, n BIGINT NOT NULL)")
		p.exec(db, "CREATE TABLE t (n INT)")
		p.exec(db, "INSERT INTO t VALUES (0)")
	}
	if _, err := p.cluster.Token(t.Context()); err == nil {
		t.Error("a token of an empty table")
	}
	p.exec(from, "INSERT INTO lb_heartbeat VALUES (1, 0)")
	p.exec(to, "INSERT INTO lb_heartbeat VALUES (1, 0)")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := copyOnce(ctx, from, to); err != nil && ctx.Err() == nil {
				t.Log("replicating:", err)
			}
		}
	}()
	p.until(true)
	p.readsItsWrites(50)
	stop()
	<-done
	p.until(false) // nobody replicates any more
}

// copyOnce brings both rows over, as one snapshot has them.
func copyOnce(ctx context.Context, from, to *sql.DB) error {
	var beat, n int64
	source, err := from.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer source.Rollback()
	if err := source.QueryRowContext(ctx, "SELECT h.n, t.n FROM lb_heartbeat h, t").Scan(&beat, &n); err != nil {
		return err
	}
	target, err := to.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer target.Rollback()
	if _, err := target.ExecContext(ctx, "UPDATE t SET n = $1", n); err != nil {
		return err
	}
	if _, err := target.ExecContext(ctx, "UPDATE lb_heartbeat SET n = $1", beat); err != nil {
		return err
	}
	return target.Commit()
}
