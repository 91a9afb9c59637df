package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Begin says BEGIN in its own words, because what the driver's own transactions
// begin with is up to the data source name. A snapshot begins with the first
// read, which is Now. A transaction that writes takes the lock at once: one that
// took it after a read might find that the read is out of date, and fail.
func (dialect) Begin(ctx context.Context, c *sql.Conn, m replication.Mode) (replication.Tx, error) {
	begin := "BEGIN IMMEDIATE"
	if m == replication.ReadSnapshot {
		begin = "BEGIN DEFERRED"
	}
	if err := run(ctx, c, begin); err != nil {
		return nil, err
	}
	return &tx{conn: c}, nil
}

// tx is a transaction. It ends without regard to a context: that a caller gives
// up must not leave it open. busy_timeout bounds the wait.
type tx struct {
	conn *sql.Conn
	done bool
}

// Commit commits. If that fails, the transaction is rolled back: no lock is
// left behind whatever the caller does next.
func (t *tx) Commit() error {
	if t.done {
		return sql.ErrTxDone
	}
	t.done = true
	_, err := t.conn.ExecContext(context.Background(), "COMMIT")
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("sqlite: COMMIT: %w", err), t.rollback())
}

// Rollback rolls back. SQLite may have done so by itself, when a statement was
// interrupted or the disk was full.
func (t *tx) Rollback() error {
	if t.done {
		return sql.ErrTxDone
	}
	t.done = true
	return t.rollback()
}

func (t *tx) rollback() error {
	_, err := t.conn.ExecContext(context.Background(), "ROLLBACK")
	if err == nil || strings.Contains(err.Error(), "no transaction is active") {
		return nil
	}
	return fmt.Errorf("sqlite: ROLLBACK: %w", err)
}
