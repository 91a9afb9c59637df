package lbsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// tx is a transaction on one server.
type tx struct {
	conn  *conn
	l     *lent
	inner driver.Tx
	stmts []*stmt // prepared in it
}

// Commit implements driver.Tx.
func (t *tx) Commit() error { return t.end(t.inner.Commit) }

// Rollback implements driver.Tx.
func (t *tx) Rollback() error { return t.end(t.inner.Rollback) }

// rows returns rows that leave the connection with the transaction.
func (t *tx) rows(ctx context.Context, inner driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		t.l.note(ctx, err)
		return nil, err
	}
	return &rows{Rows: inner, l: t.l, ctx: ctx}, nil
}

// keep sees to it that what a statement changes in the session ends with the
// transaction: the connection is closed then, and not used again by others.
func (t *tx) keep(text string) {
	if _, ok := session(text, true); ok {
		t.l.spent = true
	}
}

// end gives the connection back. database/sql closes the transaction's
// statements after that, when the connection may be somebody else's: they are
// closed here.
func (t *tx) end(f func() error) error {
	if t.conn.tx != t {
		return sql.ErrTxDone
	}
	err := f()
	t.l.note(context.Background(), err)
	for _, s := range t.stmts {
		_ = s.Close() // with the connection at the latest
	}
	t.conn.tx = nil
	t.l.end()
	return err
}

// stmt is a prepared statement: of a transaction, or a text that is prepared on
// the server that is chosen for each use.
type stmt struct {
	conn  *conn
	text  string
	inner driver.Stmt // nil unless prepared in tx
	tx    *tx
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

// NumInput leaves counting the arguments to the statement of the server.
func (*stmt) NumInput() int { return -1 }

// QueryContext implements driver.StmtQueryContext.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.tx == nil {
		return s.conn.QueryContext(ctx, s.text, args)
	}
	inner, err := queryStmt(ctx, s.tx.l.dc, s.inner, args)
	return s.tx.rows(ctx, inner, err)
}

// ExecContext implements driver.StmtExecContext.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.tx == nil {
		return s.conn.ExecContext(ctx, s.text, args)
	}
	res, err := execStmt(ctx, s.tx.l.dc, s.inner, args)
	s.tx.l.note(ctx, err)
	return res, err
}

// Query implements driver.Stmt.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

// Exec implements driver.Stmt.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// Close implements driver.Stmt. A statement may be closed when its transaction
// is over: it was closed then.
func (s *stmt) Close() error {
	if s.inner == nil || s.tx.conn.tx != s.tx {
		return nil
	}
	inner := s.inner
	s.inner = nil
	return inner.Close()
}
