package replication

import (
	"database/sql/driver"
	"errors"
)

// errBadConn makes database/sql throw a connection away.
var errBadConn = driver.ErrBadConn

// sideError says at which end something failed.
type sideError struct {
	role string // master or replica
	op   string
	err  error
}

func (e *sideError) Error() string {
	return "replication: " + e.role + ": " + e.op + ": " + e.err.Error()
}
func (e *sideError) Unwrap() error { return e.err }

// at wraps an error of a side; nil stays nil. An error that names its side
// already stays as it is.
func at(role, op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*sideError](err); ok {
		return err
	}
	return &sideError{role, op, err}
}

// transient reports whether trying again, with new connections, can help.
func (c *Config) transient(err error) bool {
	for _, fatal := range []error{ErrLocked, ErrForeignPosition, ErrNeedResync, ErrDrift, ErrTypeLoss, ErrNoTable, ErrNoKey, ErrCascade} {
		if errors.Is(err, fatal) {
			return false
		}
	}
	return c.Source.Dialect.Fault(err) == Transient || c.Target.Dialect.Fault(err) == Transient
}
