package oracle

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ashlar-go/ashlar/replication"
)

// Stream reads rows by the thousand. A LOB is read at once, and whole.
func (dialect) Stream(ctx context.Context, c *sql.Conn, query string, columns []replication.Column, fn func(row [][]byte) error) (err error) {
	rows, err := c.QueryContext(ctx, query, fetchOptions()...)
	if err != nil {
		return fmt.Errorf("oracle: reading rows: %w", err)
	}
	defer func() {
		if closing := rows.Close(); err == nil && closing != nil {
			err = fmt.Errorf("oracle: reading rows: %w", closing)
		}
	}()
	names, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("oracle: reading rows: %w", err)
	}
	if len(names) != len(columns) {
		return fmt.Errorf("oracle: reading rows: the query has %d columns, not %d", len(names), len(columns))
	}
	types := resolve(columns, nil)
	values, into, row := make([]any, len(columns)), make([]any, len(columns)), make([][]byte, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("oracle: reading rows: %w", err)
		}
		for i, v := range values {
			if row[i], err = types[i].decode(v); err != nil {
				return err
			}
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("oracle: reading rows: %w", err)
	}
	return nil
}
