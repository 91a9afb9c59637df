package lbsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// conn is what database/sql takes for a connection. It has none: each use takes
// one of the server that is chosen for it, and a transaction keeps it.
type conn struct {
	c  *Cluster
	tx *tx // nil outside of a transaction
}

var (
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// CheckNamedValue takes all: the arguments are converted by the connection that
// gets them.
func (*conn) CheckNamedValue(*driver.NamedValue) error { return nil }

// QueryContext sends a query to the transaction's server, or to the one that
// is best for it.
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if c.tx != nil {
		c.tx.keep(text)
		inner, err := query(ctx, c.tx.l.dc, text, args, nil)
		return c.tx.rows(ctx, inner, err)
	}
	do := c.c.read
	if onPrimary(ctx) || !c.c.cfg.ReadOnly(text) {
		if word, ok := session(text, false); ok {
			return nil, sessionError(word)
		}
		do = c.c.write
	}
	l, err := do(ctx, job{op: opQuery, text: text, args: args})
	if err != nil {
		return nil, err
	}
	return &l.rows, nil
}

// ExecContext sends a statement to the transaction's server, or to the primary.
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if c.tx != nil {
		c.tx.keep(text)
		res, err := exec(ctx, c.tx.l.dc, text, args)
		c.tx.l.note(ctx, err)
		return res, err
	}
	if word, ok := session(text, false); ok {
		return nil, sessionError(word)
	}
	l, err := c.c.write(ctx, job{op: opExec, text: text, args: args})
	if err != nil {
		return nil, err
	}
	defer l.end()
	return l.result, nil
}

// PrepareContext prepares at once in a transaction, where the server is known,
// and else when the statement is used.
func (c *conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if c.tx == nil {
		if word, ok := session(text, false); ok {
			return nil, sessionError(word)
		}
		return &stmt{conn: c, text: text}, nil
	}
	c.tx.keep(text)
	inner, err := prepare(ctx, c.tx.l.dc, text)
	c.tx.l.note(ctx, err)
	if err != nil {
		return nil, err
	}
	s := &stmt{conn: c, text: text, inner: inner, tx: c.tx}
	c.tx.stmts = append(c.tx.stmts, s)
	return s, nil
}

// Prepare implements driver.Conn.
func (c *conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// BeginTx begins a transaction, on a replica if it is read-only and ctx does
// not want the primary.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.tx != nil {
		return nil, errors.New("lbsql: a transaction is open on this connection")
	}
	do := c.c.write
	if opts.ReadOnly && !onPrimary(ctx) {
		do = c.c.read
	}
	l, err := do(ctx, job{op: opBegin, opts: opts})
	if err != nil {
		return nil, err
	}
	c.tx = &tx{conn: c, l: l, inner: l.tx}
	return c.tx, nil
}

// begin begins on a server's connection, as database/sql would.
func begin(ctx context.Context, dc driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := dc.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != driver.IsolationLevel(sql.LevelDefault) || opts.ReadOnly {
		return nil, errors.New("lbsql: the driver knows neither isolation levels nor read-only transactions")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	//lint:ignore SA1019 for drivers without contexts
	return dc.Begin()
}

// Begin implements driver.Conn.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// Ping succeeds if a read would find a server that answers.
func (c *conn) Ping(ctx context.Context) error {
	if c.tx != nil {
		return ping(ctx, c.tx.l.dc)
	}
	do := c.c.read
	if onPrimary(ctx) {
		do = c.c.write
	}
	l, err := do(ctx, job{op: opPing})
	if err != nil {
		return err
	}
	l.end()
	return nil
}

func ping(ctx context.Context, dc driver.Conn) error {
	if p, ok := dc.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return ctx.Err()
}

// ResetSession has nothing to reset: the servers' own pools do.
func (*conn) ResetSession(context.Context) error { return nil }

// IsValid is false if a transaction was left open.
func (c *conn) IsValid() bool { return c.tx == nil }

// Close ends a transaction that was left open.
func (c *conn) Close() error {
	if c.tx != nil {
		return c.tx.Rollback()
	}
	return nil
}
