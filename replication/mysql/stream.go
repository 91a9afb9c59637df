package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/ashlar-go/ashlar/replication"
)

// drain is how many rows are read and thrown away after fn has had enough, so
// that the connection and its transaction live on. Beyond that it is cheaper to
// lose both.
const drain = 1000

// Stream runs the query over the text protocol and takes the rows from the driver
// directly: the values are in the driver's buffer, and nothing is allocated for a
// row but the driver's own slice headers. fn must not use the connection.
func (dialect) Stream(ctx context.Context, c *sql.Conn, query string, columns []replication.Column, fn func(row [][]byte) error) error {
	var result error
	err := c.Raw(func(conn any) error {
		q, ok := conn.(driver.QueryerContext)
		if !ok {
			result = errors.New("mysql: stream: the driver has no direct queries")
			return nil
		}
		rows, err := q.QueryContext(ctx, query, nil)
		if err != nil {
			result = fmt.Errorf("mysql: stream: %w", err)
			return badOnly(err)
		}
		if n := len(rows.Columns()); n != len(columns) {
			rows.Close()
			result = fmt.Errorf("mysql: stream: the query has %d columns, not %d", n, len(columns))
			return nil
		}
		result = each(rows, columns, fn)
		lost := false
		if result != nil {
			lost = !drained(rows, len(columns))
		}
		if lost {
			return driver.ErrBadConn // closes the connection, and with it the rows
		}
		if err := rows.Close(); err != nil && result == nil {
			result = fmt.Errorf("mysql: stream: %w", err)
		}
		return nil
	})
	if result != nil {
		return result
	}
	if err != nil {
		return fmt.Errorf("mysql: stream: %w", err)
	}
	return nil
}

// each hands the rows over.
func each(rows driver.Rows, columns []replication.Column, fn func(row [][]byte) error) error {
	k := canon{columns: columns, buf: make([]byte, 0, 64+32*len(columns))}
	from := make([]driver.Value, len(columns))
	row := make([][]byte, len(columns))
	for {
		switch err := rows.Next(from); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("mysql: stream: %w", err)
		}
		k.buf = k.buf[:0]
		for i, v := range from {
			var err error
			if row[i], err = k.value(i, v); err != nil {
				return err
			}
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}

// drained reads the rest, if it is short.
func drained(rows driver.Rows, columns int) bool {
	from := make([]driver.Value, columns)
	for range drain {
		if err := rows.Next(from); err != nil {
			return err == io.EOF
		}
	}
	return false
}

// badOnly lets database/sql see that a connection is lost, and nothing else.
func badOnly(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		return driver.ErrBadConn
	}
	return nil
}
