package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ashlar-go/ashlar/replication"
)

// Stream runs a query of Select, Lookup or Changes. The driver hands its values
// straight to decoders, which write into one buffer for each row.
func (dialect) Stream(ctx context.Context, c *sql.Conn, query string, columns []replication.Column, fn func(row [][]byte) error) error {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("sqlite: reading: %w", err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("sqlite: reading: %w", err)
	}
	if len(names) != len(columns) {
		return fmt.Errorf("sqlite: reading: the query selects %d columns, not %d", len(names), len(columns))
	}
	cells, dest, row := make([]decoder, len(columns)), make([]any, len(columns)), make([][]byte, len(columns))
	for i := range columns {
		aff := affinityOf(columns[i].Native)
		cells[i] = decoder{column: &columns[i], key: names[i] == keyColumn, number: aff != affText && aff != affBlob}
		dest[i] = &cells[i]
	}
	for rows.Next() {
		for i := range cells {
			cells[i].buf = cells[i].buf[:0]
		}
		if err := rows.Scan(dest...); err != nil {
			return fmt.Errorf("sqlite: reading: %w", err)
		}
		for i := range cells {
			d := &cells[i]
			if d.reason != "" {
				return &replication.TypeLossError{Column: d.column.Name, Value: valueText(d.seen), Reason: d.reason}
			}
			if row[i] = d.buf; d.null {
				row[i] = nil
			} else if row[i] == nil {
				row[i] = []byte{}
			}
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("sqlite: reading: %w", err)
	}
	return nil
}

// valueText is the beginning of a value, for an error.
func valueText(v any) string {
	if b, ok := v.([]byte); ok {
		return fmt.Sprintf("X'%X'", b[:min(len(b), 30)])
	}
	if v == nil {
		return "NULL"
	}
	s := fmt.Sprint(v)
	return s[:min(len(s), 80)]
}
