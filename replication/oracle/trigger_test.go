package oracle_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/ashlar-go/ashlar/internal/testservers"
	. "github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/oracle"
)

// oracleMode returns a connection to MariaDB that speaks Oracle's language, with
// a stand-in for the one function of Oracle's own that the bodies call.
func oracleMode(t *testing.T) *sql.Conn {
	t.Helper()
	u, err := url.Parse(testservers.MariaDB(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	cfg.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	run(t, c, "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci", // a and A are equal to the application
		"SET sql_mode = 'ORACLE'",
		"CREATE FUNCTION NLSSORT(s VARCHAR2(1000), how VARCHAR2(100)) RETURN VARBINARY(4000) DETERMINISTIC AS BEGIN RETURN CAST(s AS BINARY); END")
	return c
}

func run(t *testing.T, c *sql.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
	}
}

// TestTriggerBodiesLogEveryKey runs the bodies that Oracle's triggers have on
// MariaDB in its Oracle mode, which has one trigger for each event.
func TestTriggerBodiesLogEveryKey(t *testing.T) {
	c := oracleMode(t)
	tables := []struct {
		source  SourceTable
		columns string
	}{
		{
			source: SourceTable{ID: "simple", Name: Name{Table: "SIMPLE"},
				Columns: []Column{{Name: "ID", Kind: Int, Native: "NUMBER(9)"}, {Name: "V", Kind: Text, Native: "VARCHAR2(9 CHAR)", Size: 9, Nullable: true}}, Key: []int{0}},
			columns: `"ID" NUMBER(9) PRIMARY KEY, "V" VARCHAR2(9)`,
		},
		{
			source: SourceTable{ID: "composite", Name: Name{Table: "Or?der"},
				Columns: []Column{{Name: "x", Kind: Int, Native: "NUMBER(9)"}, {Name: "Na'me", Kind: Text, Native: "VARCHAR2(9 CHAR)", Size: 9}, {Name: "group", Kind: Int, Native: "NUMBER(9)"}}, Key: []int{1, 2}},
			columns: `"x" NUMBER(9), "Na'me" VARCHAR2(9), "group" NUMBER(9), PRIMARY KEY ("Na'me", "group")`,
		},
		{ // as long as NLSSORT does not reach
			source: SourceTable{ID: "long", Name: Name{Table: "LONGER"},
				Columns: []Column{{Name: "K", Kind: Text, Native: "VARCHAR2(600 CHAR)", Size: 600}, {Name: "V", Kind: Int, Native: "NUMBER(9)"}}, Key: []int{0}},
			columns: `"K" VARCHAR2(600) PRIMARY KEY, "V" NUMBER(9)`,
		},
	}
	logs := make([]string, len(tables))
	for i, tab := range tables {
		name := dialect.Quote(tab.source.Name)
		logs[i] = dialect.Quote(Name{Table: oracle.Object("ASHLAR$LOG_", tab.source.ID)})
		var keys []string
		for k, column := range tab.source.KeyColumns() {
			keys = append(keys, fmt.Sprintf("K%d %s", k+1, strings.ReplaceAll(column.Native, " CHAR", "")))
		}
		run(t, c, fmt.Sprintf("CREATE TABLE %s (%s)", name, tab.columns),
			fmt.Sprintf("CREATE TABLE %s (N INT AUTO_INCREMENT PRIMARY KEY, %s)", logs[i], strings.Join(keys, ", ")))
		insert, update, remove := oracle.TriggerBody(tab.source)
		for event, body := range map[string]string{"INSERT": insert, "UPDATE": update, "DELETE": remove} {
			run(t, c, fmt.Sprintf("CREATE TRIGGER T%d_%s AFTER %s ON %s FOR EACH ROW\nBEGIN\n%s\nEND;", i, event, event, name, body))
		}
	}
	for _, step := range []struct {
		table int
		sql   string
		want  []string // keys logged
	}{
		{0, `INSERT INTO SIMPLE VALUES (1, 'a'), (2, NULL)`, []string{"1", "2"}},
		{0, `UPDATE SIMPLE SET V = 'b'`, []string{"1", "2"}},
		{0, `UPDATE SIMPLE SET "ID" = "ID"`, []string{"1", "2"}},
		{0, `UPDATE SIMPLE SET "ID" = 3 WHERE "ID" = 1`, []string{"3", "1"}},
		{0, `UPDATE SIMPLE SET "ID" = 1000 WHERE "ID" = 99`, nil},
		{0, `DELETE FROM SIMPLE WHERE "ID" = 3`, []string{"3"}},
		{0, `DELETE FROM SIMPLE`, []string{"2"}},
		{1, `INSERT INTO "Or?der" VALUES (0, 'a', 1), (0, 'b', 1)`, []string{"a/1", "b/1"}},
		{1, `UPDATE "Or?der" SET "x" = 1`, []string{"a/1", "b/1"}},
		{1, `UPDATE "Or?der" SET "group" = 2 WHERE "Na'me" = 'a'`, []string{"a/2", "a/1"}},
		{1, `UPDATE "Or?der" SET "Na'me" = 'c' WHERE "Na'me" = 'b'`, []string{"c/1", "b/1"}},
		// A key in another case is another key, whatever the session thinks.
		{1, `UPDATE "Or?der" SET "Na'me" = 'C' WHERE "Na'me" = 'c'`, []string{"C/1", "c/1"}},
		{1, `DELETE FROM "Or?der"`, []string{"C/1", "a/2"}},
		{2, `INSERT INTO LONGER VALUES ('k', 1)`, []string{"k"}},
		{2, `UPDATE LONGER SET V = 2`, []string{"k", "k"}}, // to be sure
		{2, `UPDATE LONGER SET K = 'l'`, []string{"l", "k"}},
		{2, `DELETE FROM LONGER`, []string{"l"}},
	} {
		run(t, c, step.sql)
		got := logged(t, c, logs[step.table], len(tables[step.table].source.Key))
		slices.Sort(got)
		slices.Sort(step.want)
		if !slices.Equal(got, step.want) {
			t.Errorf("%s logged %q, want %q", step.sql, got, step.want)
		}
	}
}

// logged returns the keys in a log, and empties it.
func logged(t *testing.T, c *sql.Conn, log string, parts int) []string {
	t.Helper()
	columns := "K1"
	for i := 1; i < parts; i++ {
		columns = fmt.Sprintf("%s || '/' || K%d", columns, i+1)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	rows, err := c.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s ORDER BY N", columns, log))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	run(t, c, "DELETE FROM "+log)
	return keys
}
