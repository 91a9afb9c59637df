package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/ashlar-go/ashlar/replication"
)

// trimAtOnce bounds a transaction, during which no rows are put into order.
const trimAtOnce = 5000

// Trim puts the log into order first, which leaves one row for each key, and then
// deletes the keys of batches that everybody has. It touches only this package's
// own tables. What is gone is noted, so that a position from before is refused.
func (d dialect) Trim(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, needed []string) (int64, error) {
	if err := d.Sequence(ctx, c, group, tables); err != nil {
		return 0, err
	}
	rows, err := trim(ctx, c, group, tables, needed)
	if err != nil {
		return 0, fmt.Errorf("mysql: trim the log of group %s: %w", group, err)
	}
	return rows, nil
}

func trim(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable, needed []string) (int64, error) {
	least := int64(-1)
	for _, at := range needed {
		p, err := parsePosition(at)
		if err != nil {
			return 0, err
		}
		if least < 0 || p.batch < least {
			least = p.batch
		}
	}
	g := textLiteral(group)
	// chunk is a transaction that keeps the sequencer out, since both would lock
	// rows of the same table.
	chunk := func(f func(last int64) (more bool, err error)) error {
		for more := true; more; {
			tx, err := dialect{}.Begin(ctx, c, replication.Write)
			if err != nil {
				return err
			}
			var last int64
			err = c.QueryRowContext(ctx, "SELECT batch FROM "+groupTable+" WHERE name="+g+" FOR UPDATE").Scan(&last)
			if err == nil {
				more, err = f(last)
			}
			if err != nil {
				_ = tx.Rollback()
				return err
			}
			if err := tx.Commit(); err != nil {
				return err
			}
		}
		return nil
	}
	err := chunk(func(last int64) (bool, error) {
		if least < 0 || least > last {
			least = last
		}
		_, err := c.ExecContext(ctx, "UPDATE "+groupTable+" SET oldest=GREATEST(oldest, "+strconv.FormatInt(least, 10)+") WHERE name="+g)
		return false, err
	})
	if err != nil {
		return 0, err
	}
	var remain int64
	for _, t := range tables {
		err := chunk(func(int64) (bool, error) {
			r, err := c.ExecContext(ctx, "DELETE FROM "+qualified(keyName(t))+" WHERE ashlar_batch <= "+
				strconv.FormatInt(least, 10)+" LIMIT "+strconv.Itoa(trimAtOnce))
			if err != nil {
				return false, err
			}
			n, err := r.RowsAffected()
			return n == trimAtOnce, err
		})
		if err != nil {
			return 0, err
		}
		var n int64
		err = c.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM "+qualified(keyName(t))+") + (SELECT COUNT(*) FROM "+qualified(logName(t))+")").Scan(&n)
		if err != nil {
			return 0, err
		}
		remain += n
	}
	return remain, nil
}
