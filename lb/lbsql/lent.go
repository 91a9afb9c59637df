package lbsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// lent is a connection of a server while it is used, with all that must be
// given back at the end.
type lent struct {
	c       *Cluster
	r       *replica // nil: the primary
	db      *sql.DB
	lease   lb.Lease // of r
	counted bool     // one of the reads that the primary may have
	begin   time.Time

	conn *sql.Conn
	dc   driver.Conn // conn's; ours alone until it is given back

	outcome lb.Outcome
	broken  bool // the connection is gone
	spent   bool // it is not to be used again, though it is well

	// What the job made, and room for arguments: with them a read of few
	// arguments costs one allocation of ours.
	rows   rows
	result driver.Result
	tx     driver.Tx
	args   [4]driver.NamedValue
}

func (l *lent) name() string {
	if l.r == nil {
		return primaryName
	}
	return l.r.id
}

// start takes a connection and does j with it. A pooled connection that turns
// out to have gone before anything was sent (driver.ErrBadConn) is thrown away
// and the next one taken, as often as there were pooled ones. sent is false if
// the server certainly saw nothing of it. After an error no connection is held.
func (l *lent) start(ctx context.Context, j job) (sent bool, err error) {
	l.begin = time.Now()
	for left := -1; ; left-- {
		l.conn, err = l.db.Conn(ctx)
		if err != nil {
			return false, l.failed("connect", err)
		}
		err = l.conn.Raw(func(dc any) error {
			l.dc = dc.(driver.Conn)
			return nil
		})
		if err == nil {
			err = j.do(ctx, l)
		}
		if err == nil {
			l.outcome.Latency = time.Since(l.begin)
			return true, nil
		}
		v := judge(ctx, err, l.dc)
		l.outcome = v.outcome(ctx, err)
		l.broken = v == lost
		l.release()
		if !errors.Is(err, driver.ErrBadConn) {
			if v == lost || v == conflict && l.r != nil {
				err = l.failed(j.op, err)
			}
			return true, err
		}
		if left < 0 {
			left = l.db.Stats().OpenConnections + 1
		}
		if left == 0 || ctx.Err() != nil {
			return false, l.failed(j.op, err)
		}
	}
}

// failed notes that the server, not the statement, is at fault.
func (l *lent) failed(op string, err error) error {
	l.outcome = lb.Outcome{Err: err, Class: lb.Failed}
	if errors.Is(err, context.Canceled) {
		l.outcome.Class = lb.Canceled
	}
	return &Error{Node: l.name(), Op: op, Err: err}
}

// note keeps what an error in the middle of an answer says of the server.
func (l *lent) note(ctx context.Context, err error) {
	if l == nil {
		return
	}
	v := judge(ctx, err, l.dc)
	if v == answer {
		return
	}
	l.broken = l.broken || v == lost
	latency := l.outcome.Latency
	l.outcome = v.outcome(ctx, err)
	l.outcome.Latency = latency
}

// release gives the connection back to its own pool, or closes it.
func (l *lent) release() {
	if l.conn == nil {
		return
	}
	if l.broken || l.spent {
		_ = l.conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it
	}
	_ = l.conn.Close()
	l.conn, l.dc, l.broken = nil, nil, false
}

// end gives everything back.
func (l *lent) end() {
	l.release()
	if l.counted {
		l.c.share.give()
	}
	if l.r == nil {
		return
	}
	l.lease.Done(l.outcome)
	if l.outcome.Class == lb.Failed {
		l.r.ask() // sooner than its turn
	}
}
