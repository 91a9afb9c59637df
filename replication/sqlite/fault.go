package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// SQLite's result codes that mean something to the engine. The low byte is the
// primary code, the whole the extended one.
const (
	codeError      = 1
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeProtocol   = 15
	codeSchema     = 17
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codeAuth       = 23

	codePrimaryKey = codeConstraint | 6<<8
	codeUnique     = codeConstraint | 8<<8
	codeRowid      = codeConstraint | 10<<8
)

// coded is an error of a driver that tells the result code. Others are known by
// their text, which SQLite makes and drivers pass on.
type coded interface {
	error
	Code() int
}

// Fault classifies an error of the driver.
func (dialect) Fault(err error) replication.Fault {
	if err == nil {
		return replication.Other
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return replication.Transient
	}
	if e, ok := errors.AsType[coded](err); ok {
		switch e.Code() {
		case codeUnique, codePrimaryKey, codeRowid:
			return replication.Unique
		}
		switch e.Code() & 0xff {
		case codeBusy, codeLocked, codeProtocol, codeSchema:
			return replication.Transient
		case codeMismatch, codeTooBig:
			return replication.Integrity
		case codePerm, codeReadOnly, codeAuth:
			return replication.Denied
		case codeError, codeConstraint: // the text says more
		default:
			return replication.Other
		}
	}
	return faultOfText(err.Error())
}

// faults are what SQLite's messages contain, the first match counting.
var faults = []struct {
	text  string
	fault replication.Fault
}{
	{"UNIQUE constraint failed", replication.Unique},
	{"PRIMARY KEY must be unique", replication.Unique},
	{"constraint failed", replication.Integrity},
	{"datatype mismatch", replication.Integrity},
	{"cannot store ", replication.Integrity}, // of STRICT tables
	{"string or blob too big", replication.Integrity},
	{"no such ", replication.Missing},
	{"has no column named", replication.Missing},
	{"no column named", replication.Missing},
	{"database is locked", replication.Transient},
	{"database table is locked", replication.Transient},
	{"database schema is locked", replication.Transient},
	{"database schema has changed", replication.Transient},
	{"locking protocol", replication.Transient},
	{"readonly database", replication.Denied},
	{"not authorized", replication.Denied},
	{"access permission denied", replication.Denied},
}

func faultOfText(text string) replication.Fault {
	for _, f := range faults {
		if strings.Contains(text, f.text) {
			return f.fault
		}
	}
	return replication.Other
}
