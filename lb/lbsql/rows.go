package lbsql

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"
)

// rows are a query's rows. Outside of a transaction closing them gives the
// connection and the lease back. What the driver's own rows can do besides is
// passed through, and what they cannot is answered as database/sql answers for
// them.
type rows struct {
	driver.Rows
	l      *lent           // nil: of a connection that keeps statements
	ctx    context.Context // of the query: its end explains an error
	last   bool            // they are the last use of l
	stop   func()          // what else is to be done when they are closed; may be nil
	closed bool
}

var (
	_ driver.RowsNextResultSet              = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err != nil && err != io.EOF {
		r.l.note(r.ctx, err)
	}
	return err
}

// Close implements driver.Rows.
func (r *rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.Rows.Close()
	if err != nil {
		r.l.note(r.ctx, err)
	}
	if r.last {
		r.l.end()
	}
	if r.stop != nil {
		r.stop()
	}
	return err
}

// HasNextResultSet implements driver.RowsNextResultSet.
func (r *rows) HasNextResultSet() bool { return hasNextResultSet(r.Rows) }

// NextResultSet implements driver.RowsNextResultSet.
func (r *rows) NextResultSet() error {
	err := nextResultSet(r.Rows)
	if err != nil && err != io.EOF {
		r.l.note(r.ctx, err)
	}
	return err
}

// ColumnTypeScanType implements driver.RowsColumnTypeScanType.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if t, ok := under(r.Rows).(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if t, ok := under(r.Rows).(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

// ColumnTypeLength implements driver.RowsColumnTypeLength.
func (r *rows) ColumnTypeLength(i int) (int64, bool) {
	if t, ok := under(r.Rows).(driver.RowsColumnTypeLength); ok {
		return t.ColumnTypeLength(i)
	}
	return 0, false
}

// ColumnTypeNullable implements driver.RowsColumnTypeNullable.
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if t, is := under(r.Rows).(driver.RowsColumnTypeNullable); is {
		return t.ColumnTypeNullable(i)
	}
	return false, false
}

// ColumnTypePrecisionScale implements driver.RowsColumnTypePrecisionScale.
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if t, is := under(r.Rows).(driver.RowsColumnTypePrecisionScale); is {
		return t.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}

// stmtRows are rows whose statement is closed with them.
type stmtRows struct {
	driver.Rows
	st driver.Stmt
}

// Close implements driver.Rows.
func (r *stmtRows) Close() error {
	err := r.Rows.Close()
	if e := r.st.Close(); err == nil {
		err = e
	}
	return err
}

// under returns the driver's own rows.
func under(r driver.Rows) driver.Rows {
	if s, ok := r.(*stmtRows); ok {
		return s.Rows
	}
	return r
}

func hasNextResultSet(r driver.Rows) bool {
	n, ok := under(r).(driver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

func nextResultSet(r driver.Rows) error {
	if n, ok := under(r).(driver.RowsNextResultSet); ok {
		return n.NextResultSet()
	}
	return io.EOF
}
