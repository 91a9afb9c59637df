package oracle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ashlar-go/ashlar/replication"
)

const (
	trimRows   = 5000     // per transaction
	shrinkOver = 64 << 20 // bytes of a log that are worth giving back
)

// Trim has no superseded rows to remove: a key has one row. It also shrinks a log
// that one huge transaction blew up, since each look at it reads up to where
// it once ended.
func (dialect) Trim(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, needed []string) (int64, error) {
	oldest, all := int64(0), true
	for _, at := range needed {
		n, ok := parseBatch(at)
		if !ok {
			return 0, fmt.Errorf("oracle: trimming group %s: %q is no position", group, at)
		}
		if all || n < oldest {
			oldest, all = n, false
		}
	}
	var total int64
	for _, t := range tables {
		if err := trimTable(ctx, c, group, t, oldest, all); err != nil {
			return 0, fmt.Errorf("oracle: trimming the log of %s: %w", t.Name, err)
		}
		var n int64
		if err := c.QueryRowContext(ctx, countLog(t)).Scan(&n); err != nil {
			return 0, fmt.Errorf("oracle: counting the log of %s: %w", t.Name, err)
		}
		total += n
		if err := shrink(ctx, c, t); err != nil {
			return 0, fmt.Errorf("oracle: shrinking the log of %s: %w", t.Name, err)
		}
	}
	return total, nil
}

func trimTable(ctx context.Context, c *sql.Conn, group string, t replication.SourceTable, oldest int64, all bool) error {
	for {
		n, err := trimSome(ctx, c, group, t, oldest, all)
		if err != nil || n < trimRows {
			return err
		}
	}
}

// trimSome takes the lock of the sequencer, which would otherwise run into
// rows that vanish.
func trimSome(ctx context.Context, c *sql.Conn, group string, t replication.SourceTable, oldest int64, all bool) (n int64, err error) {
	tx, err := begin(ctx, c)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rolledBack(tx))
		}
	}()
	var at string
	if err := c.QueryRowContext(ctx, "SELECT TO_CHAR(BATCH, 'TM9') FROM "+quote(positionTable(group))+" WHERE ID = '"+groupRow+"' FOR UPDATE WAIT 5").Scan(&at); err != nil {
		return 0, err
	}
	var result sql.Result
	if all {
		result, err = c.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE ROWNUM <= %d", quote(keysTable(t.ID)), trimRows))
	} else {
		result, err = c.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE BATCH <= :1 AND ROWNUM <= %d", quote(keysTable(t.ID)), trimRows), oldest)
	}
	if err != nil {
		return 0, err
	}
	if n, err = result.RowsAffected(); err != nil {
		return 0, err
	}
	return n, tx.Commit()
}

func countLog(t replication.SourceTable) string {
	return fmt.Sprintf("SELECT TO_CHAR((SELECT COUNT(*) FROM %s) + (SELECT COUNT(*) FROM %s), 'TM9') FROM DUAL", quote(keysTable(t.ID)), quote(logTable(t.ID)))
}

// shrink gives up when anybody has the log locked, or its tablespace cannot do
// that: there will be another time. Shrinking moves rows and loses none, which
// TRUNCATE of a log that looked empty would.
func shrink(ctx context.Context, c *sql.Conn, t replication.SourceTable) error {
	var large string
	err := c.QueryRowContext(ctx, fmt.Sprintf("SELECT CASE WHEN COALESCE(SUM(BYTES), 0) > %d AND NOT EXISTS (SELECT 1 FROM %s) THEN '1' ELSE '0' END\nFROM USER_SEGMENTS WHERE SEGMENT_NAME = '%s'",
		shrinkOver, quote(logTable(t.ID)), logTable(t.ID))).Scan(&large)
	if err != nil || large != "1" {
		return err
	}
	_, err = c.ExecContext(ctx, "ALTER TABLE "+quote(logTable(t.ID))+" SHRINK SPACE")
	switch code(err) {
	case errBusy, errBusyTimeout, errCannotShrink, errNoRowMovement:
		return nil
	}
	return err
}
