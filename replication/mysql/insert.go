package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/go-sql-driver/mysql"
)

// insert returns a statement with as many rows as come before it is longer than
// limit, so the last row may be longer by itself.
func (l *load) insert(limit int) (statement string, rows int64) {
	var b []byte
	for len(b) < limit {
		row := l.row()
		if row == nil {
			break
		}
		if rows == 0 {
			b = append(b, "INSERT INTO "+qualified(l.table)+" ("...)
			for i := range l.slots {
				if i > 0 {
					b = append(b, ',')
				}
				b = append(b, quote(l.slots[i].column.Name)...)
			}
			b = append(b, ") VALUES ("...)
		} else {
			b = append(b, ",("...)
		}
		if b, l.err = appendValues(b, l.slots, row, l.gone(row)); l.err != nil {
			break
		}
		b = append(b, ')')
		rows++
	}
	return string(b), rows
}

func appendValues(dst []byte, slots []slot, row [][]byte, gone bool) ([]byte, error) {
	for i, v := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		s := &slots[i]
		v, err := s.prepare(v, gone)
		switch {
		case err != nil:
			return dst, err
		case v == nil:
			dst = append(dst, "NULL"...)
		case s.form == number: // checked to be digits
			dst = append(dst, v...)
		case s.form == hexed:
			dst = append(appendHex(append(dst, "X'"...), v), '\'')
		case s.form == digit:
			dst = append(appendQuoted(append(dst, "UNHEX("...), v), ')')
		default:
			dst = appendQuoted(dst, v)
		}
	}
	return dst, nil
}

// appendQuoted is right in every charset whose bytes below 0x80 are ASCII's own,
// as those of UTF-8 are, and with the sql_mode that Prepare has set.
func appendQuoted(dst, v []byte) []byte {
	dst = append(dst, '\'')
	from := 0
	for i, b := range v {
		var as byte
		switch b {
		case 0:
			as = '0'
		case '\'', '\\':
			as = b
		default:
			continue
		}
		dst = append(append(dst, v[from:i]...), '\\', as)
		from = i + 1
	}
	return append(append(dst, v[from:]...), '\'')
}

func (l *load) run(ctx context.Context, c *sql.Conn, statement string, rows int64) error {
	result, err := c.ExecContext(ctx, statement)
	if err != nil {
		return l.explain(err)
	}
	return l.verify(ctx, c, result, rows)
}

// verify makes an error of any warning or missing row.
func (l *load) verify(ctx context.Context, c *sql.Conn, result sql.Result, rows int64) error {
	warned, err := warning(ctx, c)
	if err != nil {
		return fmt.Errorf("mysql: load %s: read the warnings: %w", l.table, err)
	}
	if warned != nil {
		return l.explain(warned)
	}
	n, err := result.RowsAffected()
	if err == nil && n != rows {
		err = fmt.Errorf("%d of %d rows were stored", n, rows)
	}
	if err != nil {
		return fmt.Errorf("mysql: load %s: %w", l.table, err)
	}
	return nil
}

// warning returns the worst of what the statement before left, as the error that
// it would have been.
func warning(ctx context.Context, c *sql.Conn) (*mysql.MySQLError, error) {
	rows, err := c.QueryContext(ctx, "SHOW WARNINGS")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var worst *mysql.MySQLError
	for rows.Next() {
		var level, message string
		var number uint16
		if err := rows.Scan(&level, &number, &message); err != nil {
			return nil, err
		}
		if worst == nil || severity(number) > severity(worst.Number) {
			worst = &mysql.MySQLError{Number: number, Message: message}
		}
	}
	return worst, rows.Err()
}

// severity puts warnings into order. For a skipped duplicate the engine has a way
// out; but if a value was changed as well, that is of no use.
func severity(number uint16) int {
	switch faults[number] {
	case replication.Unique:
		return 0
	case replication.Other:
		return 1
	}
	return 2
}

// explain makes a TypeLossError of what says that a value does not fit.
func (l *load) explain(err error) error {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return fmt.Errorf("mysql: load %s: %w", l.table, err)
	}
	switch e.Number {
	case 1264, 1265, 1292, 1300, 1301, 1366, 1367, 1406, 1411, 1416, 3140:
		loss := &replication.TypeLossError{Table: l.table.String(), Reason: e.Message}
		loss.Column, loss.Value = l.named(e.Message)
		return &valueError{loss, e}
	}
	return fmt.Errorf("mysql: load %s: %w", l.table, e)
}

// valueError is a TypeLossError with the server's error behind it.
type valueError struct {
	*replication.TypeLossError
	cause *mysql.MySQLError
}

func (e *valueError) Unwrap() []error { return []error{e.TypeLossError, e.cause} }

var (
	inColumn = regexp.MustCompile("(?s)[Cc]olumn (?:'([^']+)'|(?:`[^`]*`\\.){0,2}`([^`]+)`)")
	ofValue  = regexp.MustCompile("(?s)value: '(.*?)'(?: for column| at row|$)")
)

// named finds the column and value in a message of the server.
func (l *load) named(message string) (column, value string) {
	if m := inColumn.FindStringSubmatch(message); m != nil {
		column = m[1] + m[2]
	}
	if column == "" || !l.has(column) {
		for i := range l.slots { // such as a column whose name has quotes in it
			if strings.Contains(message, l.slots[i].column.Name) {
				column = l.slots[i].column.Name
			}
		}
	}
	if m := ofValue.FindStringSubmatch(message); m != nil {
		value = m[1]
	}
	return column, value
}

func (l *load) has(column string) bool {
	for i := range l.slots {
		if l.slots[i].column.Name == column {
			return true
		}
	}
	return false
}
