package lbsql_test

import (
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/lb/lbsql"
)

var reads = []string{
	"SELECT 1",
	"  select * from t where a = $1 and b like '%x;delete' ",
	"SELECT 1;",
	"(SELECT 1) UNION (SELECT 2)",
	"WITH x AS (SELECT 1) SELECT * FROM x",
	"VALUES (1), (2)",
	"TABLE t",
	"-- who asks: delete\nSELECT 1",
	"/* action='update' */ SELECT 1 /* done */",
	"SELECT \"update\" FROM t",
	"SELECT `delete`, `into` FROM `t` WHERE `a` = ?",
	"SELECT a->>'x' FROM t WHERE tags @> '{\"a\": 1}'",
	"SELECT 1 -- '\n",
	"SELECT $$insert$$",
	"SELECT replace(a, 'x', 'y') FROM t",
	"SELECT 'it''s; UPDATE'",
	"SELECT 1--1",
	"SELECT 1e5, 1.5",
	"SELECT 'a\\\\' FROM t",
	"SELECT updated_at, into_x FROM t",
}

var noReads = []string{
	"",
	"INSERT INTO t VALUES (1) RETURNING id",
	"UPDATE t SET a = 1",
	"SELECT * FROM t FOR UPDATE",
	"SELECT * FROM t FOR NO KEY UPDATE",
	"SELECT * FROM t FOR SHARE",
	"SELECT * FROM t LOCK IN SHARE MODE",
	"SELECT * INTO u FROM t",
	"SELECT 1 INTO OUTFILE '/x'",
	"SELECT 1; DELETE FROM t",
	"SELECT 1;;DELETE FROM t",
	"WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
	"WITH x AS (SELECT 1) UPDATE t SET a = 1",
	"SELECT nextval('s')",
	"SELECT LAST_INSERT_ID()",
	"SELECT pg_advisory_xact_lock(1)",
	"SELECT @x := 1",
	"SELECT @@identity",
	"EXPLAIN ANALYZE DELETE FROM t",
	"SHOW TABLES",
	"CALL p()",
	"SET a = 1",
	"BEGIN",
	"SELECT '",
	"SELECT /* ",
	"SELECT 1 /*! INTO OUTFILE 'x' */",
	"SELECT 1 /*M! FOR UPDATE */",
	// Read by one family's rules, a write by the other's.
	`SELECT 'a\' , ' FOR UPDATE -- '`,
	`SELECT 'a\'' FOR UPDATE -- '`,
	"SELECT 1 /* /* */ FOR UPDATE -- */",
	"SELECT 1 # \n FOR UPDATE",
	"SELECT 1 #> 2 -- \n, 3 FOR UPDATE",
	"SELECT 1 --2 FOR UPDATE",
	`SELECT "a\" FOR UPDATE -- "`,
	"SELECT a$$ FROM t FOR UPDATE -- $$",
}

func TestReadsAreRecognized(t *testing.T) {
	for _, q := range reads {
		if !lbsql.ReadOnly(q) {
			t.Errorf("a read: %q", q)
		}
	}
	for _, q := range noReads {
		if lbsql.ReadOnly(q) {
			t.Errorf("no read: %q", q)
		}
	}
}

// Whatever stands before it: a locking clause or another statement at the end
// of a read makes it none, or the text was none before.
func FuzzReadOnly(f *testing.F) {
	for _, q := range append(reads, noReads...) {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		if !lbsql.ReadOnly(q) {
			return
		}
		first := strings.ToLower(q)
		if !strings.Contains(first, "select") && !strings.Contains(first, "with") && !strings.Contains(first, "values") && !strings.Contains(first, "table") {
			t.Errorf("no reader in %q", q)
		}
		for _, more := range []string{"\n FOR UPDATE", "\n; DELETE FROM t", "\n INTO x"} {
			if lbsql.ReadOnly(q + more) {
				t.Errorf("a read: %q", q+more)
			}
		}
		if !lbsql.ReadOnly(" " + q) {
			t.Errorf("a space makes it none: %q", q)
		}
	})
}

func BenchmarkReadOnly(b *testing.B) {
	b.ReportAllocs()
	q := "SELECT id, title, body, updated_at FROM article WHERE section = $1 AND published < $2 ORDER BY published DESC LIMIT 20"
	for b.Loop() {
		lbsql.ReadOnly(q)
	}
}
