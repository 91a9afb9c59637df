package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5/pgconn"
)

func (dialect) Fault(err error) replication.Fault {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return faultOfState(pe.Code)
	}
	// A context of the caller's that ended is not the database's fault, though
	// its error also looks like a time-out of the network.
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return replication.Other
	}
	if errors.Is(err, errRewritten) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err) {
		return replication.Transient
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return replication.Transient
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return replication.Transient
	}
	return replication.Other
}

// faultOfState knows the classes of Appendix A of PostgreSQL's manual.
func faultOfState(code string) replication.Fault {
	if len(code) != 5 {
		return replication.Other
	}
	switch code {
	case "23505":
		return replication.Unique
	case "42501":
		return replication.Denied
	case "42P01", "42703", "42704", "42883", "3D000", "3F000", "57P04":
		return replication.Missing
	case "25006", // a master that has become a standby: the name will point elsewhere
		"55P03", "55006", "57014", "57P01", "57P02", "57P03", "57P05":
		return replication.Transient
	}
	switch code[:2] {
	case "08", "40", "53":
		return replication.Transient
	case "22", "23":
		return replication.Integrity
	case "28":
		return replication.Denied
	}
	return replication.Other
}
