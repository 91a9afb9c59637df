package mysql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
	mysqldriver "github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite"
)

type sqlConn = sql.Conn

var errBad = driver.ErrBadConn

func TestPrepareRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	cfg := serverConfig(t, database(t))
	refuse := func(db *sql.DB, part string) {
		t.Helper()
		err := d.Prepare(t.Context(), plainConn(t, db))
		if err == nil || !strings.Contains(err.Error(), part) || !strings.HasPrefix(err.Error(), "mysql: ") {
			t.Errorf("Prepare = %v, want something of %s", err, part)
		}
		if err != nil && strings.Contains(err.Error(), cfg.Passwd) {
			t.Error("the error has the password in it")
		}
	}
	lite, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer lite.Close()
	refuse(lite, "github.com/go-sql-driver/mysql")
	parse := cfg.Clone()
	parse.ParseTime = true
	refuse(open(t, parse), "parseTime")
	none := cfg.Clone()
	none.DBName = ""
	refuse(open(t, none), "no database")
}

func TestPrepareUndoesTheSessionsOwnSettings(t *testing.T) {
	t.Parallel()
	cfg := serverConfig(t, database(t))
	cfg.Params = map[string]string{"sql_mode": "'ANSI,NO_BACKSLASH_ESCAPES'", "time_zone": "'+05:30'", "sql_notes": "0", "sql_select_limit": "1", "autocommit": "0"}
	cfg.ClientFoundRows, cfg.InterpolateParams, cfg.MultiStatements, cfg.ColumnsWithAlias = true, false, true, true
	cfg.Collation = "latin1_swedish_ci"
	giveBack(t, open(t, cfg))
}

// A server of its own: no LOAD DATA LOCAL, and a binary log.
func TestWithoutLoadDataAndWithABinaryLog(t *testing.T) {
	t.Parallel()
	server := testservers.StartMariaDB(t, "--local-infile=0", "--log-bin=log", "--binlog-format=MIXED", "--server-id=7")
	db := open(t, config(t, server.URL))
	giveBack(t, db)
	run(t, db, "DROP TABLE t")
	c := conn(t, db)
	bank(t, db)
	acc := source(t, c, "acc")
	install(t, c, acc)
	r := newReplica(acc)
	if err := r.copy(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	run(t, db, "UPDATE acc SET v=id", "DELETE FROM acc WHERE id<10", "UPDATE acc SET id=5 WHERE id=10")
	r.pollUntil(t, c)
	r.pollUntil(t, c)
	rows := make([][][]byte, 0, 3000)
	for n := range cap(rows) {
		rows = append(rows, values(100000+n, n, "x"))
	}
	apply(t, c, target(t, c, "acc"), rows, [][][]byte{values(5, nil, nil)})
	r.pollUntil(t, c)
	// One that writes its log by statement is refused, and a lost server is told.
	run(t, db, "SET GLOBAL binlog_format=STATEMENT")
	if err := d.Prepare(t.Context(), plainConn(t, open(t, config(t, server.URL)))); err == nil || !strings.Contains(err.Error(), "binlog_format") {
		t.Errorf("Prepare = %v", err)
	}
	server.Kill()
	if err := r.poll(t.Context(), c, true); d.Fault(err) != replication.Transient {
		t.Errorf("of a killed server: %v", err)
	}
	_, err := db.Conn(t.Context())
	if d.Fault(err) != replication.Transient {
		t.Errorf("connecting to a killed server: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	name := serverConfig(t, db).DBName
	run(t, db, "CREATE TABLE Users (id INT PRIMARY KEY, `Na``me.x` VARCHAR(20) COLLATE utf8mb4_nopad_bin, ci CHAR(5) NOT NULL, g INT AS (id+1) STORED, vg INT AS (id+1), u1 INT NOT NULL, u2 INT,"+
		" dflt TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, UNIQUE (u1), UNIQUE two (u1, u2), UNIQUE prefix (`Na``me.x`(3)))",
		"CREATE TABLE other (id INT PRIMARY KEY)", "CREATE TABLE OTHER (id INT PRIMARY KEY)", "CREATE TABLE `a.b` (x INT, y INT NOT NULL, z INT NOT NULL, UNIQUE (x), UNIQUE (y, z), UNIQUE only_y (y))",
		"CREATE TABLE nokey (x INT UNIQUE, t TEXT NOT NULL, UNIQUE (t(10)))", "CREATE VIEW v AS SELECT id FROM Users", "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
	l := describe(t, c, "Users")
	if l.Name != (replication.Name{Schema: name, Table: "Users"}) || l.View || l.Rows < 0 {
		t.Errorf("%+v", l)
	}
	for i, want := range []replication.Column{
		{Name: "id", Kind: replication.Int, Native: "int(11)"},
		{Name: "Na`me.x", Kind: replication.Text, Size: 20, Nullable: true, Native: "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"},
		{Name: "ci", Kind: replication.Text, Size: 5, Fixed: true, Folds: true, Native: "char(5) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"},
		{Name: "g", Kind: replication.Int, Native: "int(11)", Generated: true, Nullable: true},
		{Name: "vg", Kind: replication.Int, Native: "int(11)", Generated: true, Nullable: true},
		{Name: "u1", Kind: replication.Int, Native: "int(11)"},
		{Name: "u2", Kind: replication.Int, Native: "int(11)", Nullable: true},
		{Name: "dflt", Kind: replication.Instant, Native: "timestamp"},
	} {
		if l.Columns[i] != want {
			t.Errorf("column %+v, want %+v", l.Columns[i], want)
		}
	}
	if !slices.Equal(l.Key, []string{"id"}) || len(l.Unique) != 2 {
		t.Errorf("key %v, unique %v", l.Key, l.Unique)
	}
	for write, want := range map[string]string{"USERS": "Users", name + ".users": "Users", strings.ToUpper(name) + ".Users": "Users", "other": "other", "OTHER": "OTHER", "a.b": "a.b", name + ".a.b": "a.b"} {
		if l := describe(t, c, write); l.Name.Table != want {
			t.Errorf("%s is %s", write, l.Name)
		}
	}
	for _, write := range []string{"Other", "none", "", name + ".none", "no_such_schema.Users"} {
		if _, err := d.Describe(t.Context(), c, write); !errors.Is(err, replication.ErrNoTable) {
			t.Errorf("%q: %v", write, err)
		}
	}
	if l := describe(t, c, "a.b"); !slices.Equal(l.Key, []string{"y"}) {
		t.Errorf("key %v", l.Key)
	}
	if l := describe(t, c, "nokey"); l.Key != nil {
		t.Errorf("key %v", l.Key)
	}
	if l := describe(t, c, "v"); !l.View {
		t.Error("a view is none")
	}
	if _, err := d.Describe(t.Context(), c, "m"); err == nil || !strings.Contains(err.Error(), "InnoDB") {
		t.Errorf("MyISAM: %v", err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	number := func(n uint16) error { return fmt.Errorf("wrapped: %w", &mysqldriver.MySQLError{Number: n}) }
	for _, x := range []struct {
		err  error
		want replication.Fault
	}{
		{nil, replication.Other}, {errors.New("x"), replication.Other}, {context.Canceled, replication.Other},
		{number(1213), replication.Transient}, {number(1205), replication.Transient}, {number(1040), replication.Transient},
		{number(1053), replication.Transient}, {number(1290), replication.Transient}, {number(2006), replication.Transient}, {number(2013), replication.Transient},
		{number(1062), replication.Unique}, {number(1452), replication.Integrity}, {number(1451), replication.Integrity},
		{number(1406), replication.Integrity}, {number(1264), replication.Integrity}, {number(1366), replication.Integrity}, {number(1048), replication.Integrity},
		{number(1045), replication.Denied}, {number(1044), replication.Denied}, {number(1142), replication.Denied}, {number(1419), replication.Denied},
		{number(1146), replication.Missing}, {number(1054), replication.Missing}, {number(1064), replication.Other},
		{driver.ErrBadConn, replication.Transient}, {fmt.Errorf("x: %w", mysqldriver.ErrInvalidConn), replication.Transient},
		{sql.ErrConnDone, replication.Transient}, {io.ErrUnexpectedEOF, replication.Transient}, {&net.OpError{Op: "dial", Err: errors.New("refused")}, replication.Transient},
		{&replication.TypeLossError{Column: "c"}, replication.Integrity},
	} {
		if got := d.Fault(x.err); got != x.want {
			t.Errorf("Fault(%v) = %d, want %d", x.err, got, x.want)
		}
	}
}

func TestStatementsWhoseContextEndsAreOver(t *testing.T) {
	t.Parallel()
	db := database(t)
	c := conn(t, db)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)")
	ctx, stop := context.WithCancel(t.Context())
	tx, err := d.Begin(ctx, c, replication.Write)
	if err != nil {
		t.Fatal(err)
	}
	run(t, c, "INSERT INTO t VALUES (1)")
	stop()
	if err := tx.Commit(); err == nil {
		t.Error("committed after the end of the context")
	}
	other := conn(t, db)
	for range 100 {
		var n int
		if err := other.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM t").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if _, err := other.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err == nil && n == 0 {
			return
		}
	}
	t.Error("the transaction is still there")
}
