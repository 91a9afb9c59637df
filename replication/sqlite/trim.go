package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"

	"github.com/ashlar-go/ashlar/replication"
)

// How Trim stays out of the application's way: it holds the write lock for so
// many rows at a time, and waits so long for it, in milliseconds.
const (
	trimRows = 2000
	trimWait = 50
)

// Trim deletes what all nodes have. If the application holds the lock, the rest
// is left for the next time. There is nothing else to remove: a log has each
// key at most once.
func (d dialect) Trim(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, needed []string) (rows int64, err error) {
	lowest := int64(math.MaxInt64)
	for _, at := range needed {
		n, err := parsePosition(at)
		if err != nil {
			return 0, err
		}
		lowest = min(lowest, n)
	}
	var wait int
	if err := c.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&wait); err != nil {
		return 0, fmt.Errorf("sqlite: reading busy_timeout: %w", err)
	}
	if err := run(ctx, c, "PRAGMA busy_timeout = "+strconv.Itoa(min(wait, trimWait))); err != nil {
		return 0, err
	}
	busy, err := d.trim(ctx, c, group, tables, lowest)
	if e := run(context.WithoutCancel(ctx), c, "PRAGMA busy_timeout = "+strconv.Itoa(wait)); err == nil {
		err = e
	}
	if err != nil && !busy {
		return 0, fmt.Errorf("sqlite: trimming the logs of group %s: %w", group, err)
	}
	for _, t := range tables {
		var n int64
		if err := c.QueryRowContext(ctx, "SELECT count(*) FROM "+capture{t, group}.log()).Scan(&n); err != nil {
			return 0, fmt.Errorf("sqlite: counting the log of %s: %w", t.Name, err)
		}
		rows += n
	}
	return rows, nil
}

func (d dialect) trim(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, upTo int64) (busy bool, err error) {
	for _, t := range tables {
		log := capture{t, group}.log()
		for {
			res, err := c.ExecContext(ctx, "DELETE FROM "+log+` WHERE "ashlar_id" IN (SELECT "ashlar_id" FROM `+log+` WHERE "ashlar_id" <= ? ORDER BY "ashlar_id" LIMIT ?)`, upTo, trimRows)
			if err != nil {
				return d.Fault(err) == replication.Transient, err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return false, err
			}
			if n < trimRows {
				break
			}
		}
	}
	return false, nil
}
