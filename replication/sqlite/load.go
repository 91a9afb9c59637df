package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Limits of one INSERT: SQLite's on variables, and how many rows are worth it.
const (
	mostVariables = 32766
	mostRows      = 128
)

// Load inserts rows by one prepared statement for many.
func (dialect) Load(ctx context.Context, c *sql.Conn, into replication.Name, columns []replication.Column, next func() ([][]byte, error)) (rows int64, err error) {
	l := &loader{conn: c, into: into, columns: columns, batch: min(max(1, mostVariables/max(1, len(columns))), mostRows)}
	defer l.close()
	for _, col := range columns {
		l.encode = append(l.encode, encoderOf(col))
	}
	for {
		row, err := next()
		if errors.Is(err, io.EOF) {
			return rows, l.flush(ctx)
		}
		if err != nil {
			return rows, err
		}
		if err := l.add(row); err != nil {
			return rows, err
		}
		rows++
		if len(l.args) == l.batch*len(columns) {
			if err := l.flush(ctx); err != nil {
				return rows, err
			}
		}
	}
}

type loader struct {
	conn    *sql.Conn
	into    replication.Name
	columns []replication.Column
	encode  []encoder
	batch   int
	args    []any
	full    *sql.Stmt // for a whole batch, once there is one
}

func (l *loader) add(row [][]byte) error {
	for i, v := range row {
		if v == nil {
			l.args = append(l.args, nil)
			continue
		}
		x, err := l.encode[i](v)
		if err != nil {
			return &replication.TypeLossError{Table: l.into.String(), Column: l.columns[i].Name, Value: string(v[:min(len(v), 80)]), Reason: err.Error()}
		}
		l.args = append(l.args, x)
	}
	return nil
}

// flush inserts what has been added.
func (l *loader) flush(ctx context.Context) (err error) {
	n := len(l.args) / len(l.columns)
	switch {
	case n == 0:
		return nil
	case n < l.batch:
		_, err = l.conn.ExecContext(ctx, l.text(n), l.args...)
	default:
		if l.full == nil {
			if l.full, err = l.conn.PrepareContext(ctx, l.text(n)); err != nil {
				return fmt.Errorf("sqlite: loading %s: %w", l.into, err)
			}
		}
		_, err = l.full.ExecContext(ctx, l.args...)
	}
	clear(l.args)
	l.args = l.args[:0]
	if err != nil {
		return fmt.Errorf("sqlite: loading %s: %w", l.into, err)
	}
	return nil
}

func (l *loader) text(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table(l.into) + " (")
	for i, c := range l.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(c.Name))
	}
	b.WriteString(") VALUES ")
	one := "(?" + strings.Repeat(",?", len(l.columns)-1) + ")"
	b.WriteString(one)
	for range rows - 1 {
		b.WriteString("," + one)
	}
	return b.String()
}

func (l *loader) close() {
	if l.full != nil {
		_ = l.full.Close()
	}
}
