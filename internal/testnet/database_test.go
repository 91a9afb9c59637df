package testnet_test

import (
	"database/sql"
	"net/url"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/internal/testservers"
)

// TestCommitIsExecutedThoughItsReplyIsLost is what the package is for.
func TestCommitIsExecutedThoughItsReplyIsLost(t *testing.T) {
	direct := testservers.Postgres(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	p := testnet.NewProxy(t, u.Host)
	u.Host = p.Addr()
	query := func(address string) *sql.DB {
		db, err := sql.Open("pgx", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	db := query(direct)
	if _, err := db.Exec("CREATE TABLE t (n int)"); err != nil {
		t.Fatal(err)
	}
	transaction := func() (commit bool, err error) {
		far := query(u.String())
		defer func() {
			_ = far.Close()
			for p.Conns() > 0 { // the client's good-bye is a chunk too
				time.Sleep(time.Millisecond)
			}
		}()
		tx, err := far.Begin()
		if err != nil {
			return false, err
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.Exec("INSERT INTO t VALUES (1)"); err != nil {
			return false, err
		}
		return true, tx.Commit() // errors from here on say nothing about the commit
	}
	rows := func() (n int) {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		// The lock waits for the end of a transaction whose client is gone.
		if _, err := tx.Exec("LOCK TABLE t"); err != nil {
			t.Fatal(err)
		}
		if err := tx.QueryRow("WITH x AS (DELETE FROM t RETURNING n) SELECT count(*) FROM x").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		return n
	}

	if _, err := transaction(); err != nil {
		t.Fatal(err)
	}
	n := p.Chunks()
	if got := rows(); got != 1 {
		t.Fatalf("%d rows without a fault", got)
	}
	lost, kept := 0, 0
	for i := 1; i <= n; i++ {
		p.CutBefore(i)
		_, err := transaction()
		switch got := rows(); {
		case err == nil && got != 1: // its last chunk ends the session, behind the commit
			t.Errorf("cut before %d of %d: %d rows without an error", i, n, got)
		case err != nil && got != 0:
			t.Errorf("cut before %d of %d: %d rows after %v", i, n, got, err)
		case err != nil:
			lost++
		}
	}
	p.CutBefore(0)
	for i := 1; i <= n; i++ {
		p.CutAfter(i)
		commit, err := transaction()
		switch got := rows(); {
		case err == nil && got != 1:
			t.Errorf("cut after %d of %d: %d rows without an error", i, n, got)
		case err != nil && commit && got != 1:
			t.Errorf("cut after %d of %d, in the commit: %d rows after %v", i, n, got, err)
		case err != nil && commit:
			kept++
		case err != nil && got != 0:
			t.Errorf("cut after %d of %d: %d rows after %v", i, n, got, err)
		}
	}
	if lost < 3 || kept != 1 {
		t.Errorf("of %d chunks, %d cuts lost the transaction, and %d cuts lost the reply to the commit", n, lost, kept)
	}
}
