package lbsql

import (
	"context"
	"database/sql"
	"fmt"
)

// Heartbeat is the [Measure] of any replication that keeps the order of
// commits, such as one by triggers: a row that counts on the primary, and that
// the replicas have as far as they have the rest. The table belongs to it:
//
//	CREATE TABLE lb_heartbeat (id INT PRIMARY KEY, n BIGINT NOT NULL);
//	INSERT INTO lb_heartbeat VALUES (1, 0);
//
// Its name goes into the statements as it stands. Each measurement of the
// primary, and each [Token], updates the row: many tokens a second meet there.
// A replica that is not behind shows a lag of up to one Interval, because the
// last beat may be under way.
func Heartbeat(table string) Measure {
	beat := "UPDATE " + table + " SET n = n + 1"
	read := "SELECT n FROM " + table
	return func(ctx context.Context, db *sql.DB, primary bool) (Position, error) {
		if primary {
			res, err := db.ExecContext(ctx, beat)
			if err != nil {
				return 0, err
			}
			if n, err := res.RowsAffected(); err != nil {
				return 0, err
			} else if n != 1 {
				return 0, fmt.Errorf("%s has %d rows, want 1", table, n)
			}
		}
		// The primary may answer a later beat of somebody else: what has that
		// one has ours.
		var n int64
		if err := db.QueryRowContext(ctx, read).Scan(&n); err != nil {
			return 0, err
		}
		if n < 0 {
			return 0, fmt.Errorf("%s holds %d, want at least 0", table, n)
		}
		return Position(n), nil
	}
}
