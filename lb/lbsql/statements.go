package lbsql

import (
	"container/list"
	"context"
	"database/sql/driver"
)

// Statements returns a connector whose connections keep the last size statements
// that the driver had to prepare: go-sql-driver prepares, executes and closes
// each query that has arguments, three round trips where one is enough. Use it
// for the DB of a [Replica], or anywhere:
//
//	replica := sql.OpenDB(lbsql.Statements(connector, 100))
//
// A driver that runs queries in one round trip, such as pgx or go-sql-driver
// with interpolateParams=true, is asked for that first and gains nothing. Each
// connection keeps its own statements, and the server bounds their sum (MySQL's
// max_prepared_stmt_count). One that fails is forgotten, so that one which the
// server invalidated is prepared anew the next time. sql.Conn.Raw shows a
// connection with the method Unwrap() driver.Conn. size must be positive.
func Statements(inner driver.Connector, size int) driver.Connector {
	if size <= 0 {
		panic("lbsql: Statements with a size that is not positive")
	}
	return keeper{inner, size}
}

type keeper struct {
	driver.Connector
	size int
}

// Connect implements driver.Connector.
func (k keeper) Connect(ctx context.Context) (driver.Conn, error) {
	dc, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &keeping{Conn: dc, size: k.size, kept: make(map[string]*list.Element)}, nil
}

// keeping is a connection that keeps statements. Like every driver.Conn it is
// used by one goroutine at a time.
type keeping struct {
	driver.Conn
	size int
	kept map[string]*list.Element // by text
	used list.List                // of *kept; last used first
}

type kept struct {
	text string
	st   driver.Stmt
	busy bool // its rows are open
}

var (
	_ driver.ConnBeginTx        = (*keeping)(nil)
	_ driver.ConnPrepareContext = (*keeping)(nil)
	_ driver.ExecerContext      = (*keeping)(nil)
	_ driver.NamedValueChecker  = (*keeping)(nil)
	_ driver.Pinger             = (*keeping)(nil)
	_ driver.QueryerContext     = (*keeping)(nil)
	_ driver.SessionResetter    = (*keeping)(nil)
	_ driver.Validator          = (*keeping)(nil)
)

// Unwrap returns the driver's connection.
func (c *keeping) Unwrap() driver.Conn { return c.Conn }

// CheckNamedValue takes all: arguments are converted below, where it is known
// whether a statement converts them.
func (*keeping) CheckNamedValue(*driver.NamedValue) error { return nil }

// QueryContext implements driver.QueryerContext.
func (c *keeping) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := c.Conn.(driver.QueryerContext); ok {
		converted, err := convert(nil, c.Conn, nil, args)
		if err != nil {
			return nil, err
		}
		if rows, err := q.QueryContext(ctx, text, converted); err != driver.ErrSkip {
			return rows, err
		}
	}
	k, err := c.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	inner, err := queryStmt(ctx, c.Conn, k.st, args)
	if err != nil {
		c.forget(k)
		return nil, err
	}
	k.busy = true
	return &rows{Rows: inner, stop: func() { c.free(k) }}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *keeping) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := c.Conn.(driver.ExecerContext); ok {
		converted, err := convert(nil, c.Conn, nil, args)
		if err != nil {
			return nil, err
		}
		if res, err := e.ExecContext(ctx, text, converted); err != driver.ErrSkip {
			return res, err
		}
	}
	k, err := c.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	res, err := execStmt(ctx, c.Conn, k.st, args)
	if err != nil {
		c.forget(k)
		return nil, err
	}
	c.free(k)
	return res, nil
}

// prepared returns the statement for a text. One whose rows are still open, in a
// transaction, is not used a second time.
func (c *keeping) prepared(ctx context.Context, text string) (*kept, error) {
	if e := c.kept[text]; e != nil && !e.Value.(*kept).busy {
		c.used.MoveToFront(e)
		return e.Value.(*kept), nil
	}
	st, err := prepare(ctx, c.Conn, text)
	if err != nil {
		return nil, err
	}
	k := &kept{text: text, st: st}
	if c.kept[text] == nil {
		c.kept[text] = c.used.PushFront(k)
	}
	return k, nil
}

// free keeps a statement that has done its work, and closes the one that was
// used the longest ago if there are too many now. What Close says is of no use
// to anybody: a broken connection shows when it is used next.
func (c *keeping) free(k *kept) {
	k.busy = false
	if e := c.kept[k.text]; e == nil || e.Value != k {
		_ = k.st.Close() // another of that text is kept
	}
	for c.used.Len() > c.size {
		last := c.used.Back().Value.(*kept)
		if last.busy {
			break
		}
		c.forget(last)
	}
}

// forget closes a statement and keeps it no more.
func (c *keeping) forget(k *kept) {
	if e := c.kept[k.text]; e != nil && e.Value == k {
		c.used.Remove(e)
		delete(c.kept, k.text)
	}
	_ = k.st.Close()
}

// PrepareContext implements driver.ConnPrepareContext. The caller closes what he
// prepares: that is not kept.
func (c *keeping) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	return prepare(ctx, c.Conn, text)
}

// BeginTx implements driver.ConnBeginTx.
func (c *keeping) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return begin(ctx, c.Conn, opts)
}

// Ping implements driver.Pinger.
func (c *keeping) Ping(ctx context.Context) error { return ping(ctx, c.Conn) }

// ResetSession implements driver.SessionResetter.
func (c *keeping) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

// IsValid implements driver.Validator.
func (c *keeping) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}
