package lbsql

import (
	"context"
	"database/sql/driver"
)

// job is what is to be done with a server's connection: a query, a statement
// without rows, the beginning of a transaction, or a ping. It is passed by
// value, so that it costs no allocation.
type job struct {
	op   string // of Error
	text string
	args []driver.NamedValue
	opts driver.TxOptions
}

const (
	opQuery = "query"
	opExec  = "exec"
	opBegin = "begin"
	opPing  = "ping"
)

// do does it on the lent connection. The result stays in l.
func (j *job) do(ctx context.Context, l *lent) (err error) {
	switch j.op {
	case opQuery:
		l.rows.Rows, err = query(ctx, l.dc, j.text, j.args, l.args[:])
		l.rows.l, l.rows.ctx, l.rows.last = l, ctx, true
	case opExec:
		l.result, err = exec(ctx, l.dc, j.text, j.args)
	case opBegin:
		l.tx, err = begin(ctx, l.dc, j.opts)
	case opPing:
		err = ping(ctx, l.dc)
	}
	return err
}
