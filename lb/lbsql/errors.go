package lbsql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/ashlar-go/ashlar/lb"
)

// ErrNoReplica is the error of a read that no replica may serve now, while the
// primary has as many reads as it may have. It wraps lb.ErrNoNodes.
var ErrNoReplica = fmt.Errorf("lbsql: no replica may be read, and the primary has its share: %w", lb.ErrNoNodes)

// Error is the failure of a server, as opposed to an error that the server
// answered, which is returned as its driver made it.
type Error struct {
	Node string // ID of the replica; "primary"
	Op   string // "connect", "query", "exec", "begin", "ping", "measure"
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("lbsql: %s: %s: %v", e.Node, e.Op, e.Err) }

// Unwrap returns the cause, except driver.ErrBadConn: the question whether to
// send it again has been answered here, and database/sql would ask it anew.
func (e *Error) Unwrap() error {
	if errors.Is(e.Err, driver.ErrBadConn) {
		return nil
	}
	return e.Err
}

// verdict is what an error says of the server that it came from.
type verdict int

const (
	answer   verdict = iota // nothing: no error, or the answer to a bad statement
	ended                   // the caller gave up, or had its time
	conflict                // the server is well but cannot do this now; another may
	lost                    // the connection, or the server, is gone
)

// judge finds the verdict. Drivers say that a connection is gone in ways of
// their own, so the connection is asked too.
func judge(ctx context.Context, err error, dc driver.Conn) verdict {
	switch {
	case err == nil:
		return answer
	case errors.Is(err, driver.ErrBadConn):
		return lost
	case ctx.Err() != nil:
		return ended
	}
	if s, ok := errors.AsType[interface {
		error
		SQLState() string // PostgreSQL's drivers show it by a method
	}](err); ok {
		return stateVerdict(s.SQLState())
	}
	if v, ok := dc.(driver.Validator); ok && !v.IsValid() {
		return lost
	}
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return lost
		}
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return lost
	}
	return answer
}

// stateVerdict reads an SQLSTATE.
func stateVerdict(code string) verdict {
	switch {
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "57P"): // connection; shutdown
		return lost
	case code == "40001", code == "40P01": // a standby's query against what it replays
		return conflict
	}
	return answer
}

// outcome is what a verdict means for a node of the pool.
func (v verdict) outcome(ctx context.Context, err error) lb.Outcome {
	switch {
	case v == ended && errors.Is(ctx.Err(), context.Canceled):
		return lb.Outcome{Err: err, Class: lb.Canceled}
	case v == answer:
		return lb.Outcome{}
	}
	return lb.Outcome{Err: err, Class: lb.Failed}
}
