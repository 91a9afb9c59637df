package lbsql_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/ashlar-go/ashlar/lb/lbsql"
)

func TestStatementsOfASessionAreRefusedOutsideOfATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		for _, q := range []string{
			"SET search_path = x", "set @a = 1", "SET SESSION sql_mode = ''", "SET LOCAL x = 1", "SET NAMES utf8mb4",
			"SET TRANSACTION READ ONLY", "/* who */ SET x = 1", "-- who\nRESET ALL",
			"BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT a", "USE other",
			"CREATE TEMPORARY TABLE t (a INT)", "CREATE TEMP TABLE t AS SELECT 1", "CREATE OR REPLACE TEMPORARY TABLE t (a INT)",
			"LISTEN x", "UNLISTEN *", "PREPARE p AS SELECT 1", "DEALLOCATE p", "DECLARE c CURSOR FOR SELECT 1",
			"LOCK TABLES t READ", "DISCARD ALL",
		} {
			if _, err := f.db.ExecContext(t.Context(), q); !errors.Is(err, lbsql.ErrSession) {
				t.Errorf("%s: %v", q, err)
			}
			if _, err := f.db.QueryContext(t.Context(), q); !errors.Is(err, lbsql.ErrSession) {
				t.Errorf("query %s: %v", q, err)
			}
			if _, err := f.db.PrepareContext(t.Context(), q); !errors.Is(err, lbsql.ErrSession) {
				t.Errorf("prepare %s: %v", q, err)
			}
		}
		if n := f.primary.received(); n != 0 {
			t.Errorf("%q", f.primary.statements())
		}
		for i, q := range []string{
			"UPDATE t SET a = 1", "SET GLOBAL x = 1", "SET STATEMENT max_statement_time = 1 FOR UPDATE t SET a = 1",
			"CREATE TABLE t (a INT)", "CREATE OR REPLACE VIEW temporary AS SELECT 1", "START REPLICA", "COMMIT PREPARED 'x'",
			"ROLLBACK PREPARED 'x'", "NOTIFY x", "DROP TABLE t", "CALL p()", "",
		} {
			if _, err := f.db.ExecContext(t.Context(), q); err != nil || f.primary.received() != i+1 {
				t.Errorf("%s: %v", q, err)
			}
		}
		f.end()
	})
}

func TestSessionOfATransactionEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 0, nil)
		conns := func() int {
			f.primary.mu.Lock()
			defer f.primary.mu.Unlock()
			return f.primary.conns
		}
		for q, want := range map[string]int{
			"SET x = 1": 0, "CREATE TEMPORARY TABLE t (a INT)": 0, "SET LOCAL x = 1": 1, "UPDATE t SET a = 1": 1,
		} {
			before := conns()
			if before == 0 {
				if _, err := f.db.ExecContext(t.Context(), "UPDATE t SET a = 1"); err != nil {
					t.Fatal(err)
				}
				before = conns()
			}
			tx, err := f.db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(q); err != nil {
				t.Error(err)
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			if n := conns(); n != before-1+want {
				t.Errorf("%s: %d connections before and %d after", q, before, n)
			}
		}
		f.end()
	})
}

// What a word of a comment or of another statement says does not count.
func FuzzSessionGuard(f *testing.F) {
	for _, q := range append(reads, noReads...) {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		c, err := lbsql.New(lbsql.Config{Primary: newServer("p").open(t), Measure: measure})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if lbsql.ReadOnly(q) {
			if _, err := conn.Prepare(q); err != nil {
				t.Errorf("a read was refused: %q", q)
			}
		}
	})
}
