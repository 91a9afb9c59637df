package oracle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// Sequence asks first, without a lock, if there is anything to do. The row of the
// group is both the lock and the counter: who finds it taken leaves the work to
// its holder, because what is not sequenced is read from the log.
func (dialect) Sequence(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable) error {
	var due string
	if err := c.QueryRowContext(ctx, dueQuery(group, tables)).Scan(&due); err != nil {
		return fmt.Errorf("oracle: sequencing group %s: %w", group, err)
	}
	if due != "1" {
		return nil
	}
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := sequence(ctx, c, group, tables)
		switch code(err) {
		case errBusy:
			return nil
		case errSerialize:
			// Another node sequenced or trimmed since our snapshot.
			if attempt < attempts {
				if err := sleep(ctx, time.Duration(attempt)*10*time.Millisecond); err != nil {
					return err
				}
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("oracle: sequencing group %s: %w", group, err)
		}
		return nil
	}
}

func dueQuery(group string, tables []replication.SourceTable) string {
	position := quote(positionTable(group))
	var due []string
	for _, t := range tables {
		due = append(due, "EXISTS (SELECT 1 FROM "+quote(logTable(t.ID))+")")
	}
	for _, t := range tables {
		due = append(due, fmt.Sprintf("EXISTS (SELECT 1 FROM %s s WHERE s.ID = '%s' AND (s.SIG IS NULL OR s.SIG <> %s))", position, t.ID, segments(t.Name)))
	}
	if due == nil {
		due = []string{"1 = 0"}
	}
	return fmt.Sprintf("SELECT CASE WHEN %s THEN '1' ELSE '0' END DUE\nFROM %s p WHERE p.ID = '%s'",
		strings.Join(due, "\n  OR "), position, groupRow)
}

// sequence is one transaction. Being SERIALIZABLE, its MERGE and its DELETE see
// the same log rows, and none that commits later.
func sequence(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable) (err error) {
	tx, err := begin(ctx, c, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, rolledBack(tx))
		}
	}()
	position := quote(positionTable(group))
	var at string
	if err := c.QueryRowContext(ctx, "SELECT TO_CHAR(BATCH, 'TM9') FROM "+position+" WHERE ID = '"+groupRow+"' FOR UPDATE NOWAIT").Scan(&at); err != nil {
		return err
	}
	last, ok := parseBatch(at)
	if !ok {
		return fmt.Errorf("%q is no number of a batch", at)
	}
	batch := last + 1
	for _, t := range tables {
		result, err := c.ExecContext(ctx, mergeLog(t), batch, batch)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n > 0 {
			if _, err := c.ExecContext(ctx, emptyLog(t)); err != nil {
				return err
			}
		}
		if _, err := c.ExecContext(ctx, noteSegments(group, t), batch); err != nil {
			return err
		}
	}
	if _, err := c.ExecContext(ctx, "UPDATE "+position+" SET BATCH = :1 WHERE ID = '"+groupRow+"'", batch); err != nil {
		return err
	}
	return tx.Commit()
}

func mergeLog(t replication.SourceTable) string {
	n := len(t.Key)
	on := make([]string, n)
	for i := range on {
		on[i] = fmt.Sprintf("k.K%d = l.K%d", i+1, i+1)
	}
	names := strings.Join(keyNames(n, ""), ", ")
	return fmt.Sprintf("MERGE INTO %s k USING (SELECT DISTINCT %s FROM %s) l ON (%s)\n"+
		"WHEN MATCHED THEN UPDATE SET k.BATCH = :1\n"+
		"WHEN NOT MATCHED THEN INSERT (%s, BATCH) VALUES (%s, :2)",
		quote(keysTable(t.ID)), names, quote(logTable(t.ID)), strings.Join(on, " AND "),
		names, strings.Join(keyNames(n, "l"), ", "))
}

func emptyLog(t replication.SourceTable) string { return "DELETE FROM " + quote(logTable(t.ID)) }

func noteSegments(group string, t replication.SourceTable) string {
	now := segments(t.Name)
	return fmt.Sprintf("UPDATE %s p SET p.SIG = %s, p.BATCH = :1\nWHERE p.ID = '%s' AND (p.SIG IS NULL OR p.SIG <> %s)",
		quote(positionTable(group)), now, t.ID, now)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
