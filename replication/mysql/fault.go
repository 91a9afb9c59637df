package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/go-sql-driver/mysql"
)

// Fault classifies by the server's error number, and what is no answer of the
// server as a lost connection.
func (dialect) Fault(err error) replication.Fault {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return replication.Other // the caller's own wish
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return faults[e.Number]
	}
	if _, ok := errors.AsType[*replication.TypeLossError](err); ok {
		return replication.Integrity
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, mysql.ErrMalformPkt) || errors.Is(err, mysql.ErrPktSync) || errors.Is(err, io.ErrUnexpectedEOF) {
		return replication.Transient
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return replication.Transient
	}
	return replication.Other
}

var faults = map[uint16]replication.Fault{
	1020: replication.Transient, // record has changed since last read (snapshot isolation of MariaDB)
	1037: replication.Transient, // out of memory
	1040: replication.Transient, // too many connections
	1041: replication.Transient, // out of memory
	1053: replication.Transient, // server shutdown in progress
	1077: replication.Transient, // normal shutdown
	1079: replication.Transient, // shutdown complete
	1129: replication.Transient, // host blocked for a while
	1158: replication.Transient, // network read
	1159: replication.Transient, // network read time-out
	1160: replication.Transient, // network write
	1161: replication.Transient, // network write time-out
	1203: replication.Transient, // too many connections of this user
	1205: replication.Transient, // lock wait time-out
	1206: replication.Transient, // lock table full
	1213: replication.Transient, // deadlock
	1226: replication.Transient, // resource limit of the user, per hour
	1290: replication.Transient, // read only: a replica that is not yet promoted
	1317: replication.Transient, // query was interrupted
	1412: replication.Transient, // table definition has changed, retry transaction
	1613: replication.Transient, // XA: rolled back, took too long
	1614: replication.Transient, // XA: deadlock
	1637: replication.Transient, // too many active transactions
	1792: replication.Transient, // read only transaction
	1836: replication.Transient, // read only mode
	1927: replication.Transient, // connection was killed
	1969: replication.Transient, // statement time-out of MariaDB
	2006: replication.Transient, // server has gone away
	2013: replication.Transient, // connection lost
	3024: replication.Transient, // statement time-out of MySQL
	3032: replication.Transient, // server is offline
	3058: replication.Transient, // user lock deadlock
	3572: replication.Transient, // NOWAIT
	3168: replication.Transient, // server not yet available
	4031: replication.Transient, // disconnected for inactivity

	1022: replication.Unique,
	1062: replication.Unique,
	1169: replication.Unique,
	1586: replication.Unique,
	1761: replication.Unique,
	1762: replication.Unique,

	1048: replication.Integrity, // NULL
	1121: replication.Integrity, // NULL in a key
	1138: replication.Integrity, // NULL in ALTER
	1216: replication.Integrity, // no such parent
	1217: replication.Integrity, // has children
	1263: replication.Integrity, // NULL in LOAD DATA
	1264: replication.Integrity, // out of range
	1265: replication.Integrity, // truncated
	1292: replication.Integrity, // incorrect date, or other value
	1364: replication.Integrity, // no default
	1366: replication.Integrity, // incorrect value
	1367: replication.Integrity, // illegal value
	1406: replication.Integrity, // too long
	1411: replication.Integrity, // incorrect value for a function
	1416: replication.Integrity, // no geometry
	1451: replication.Integrity, // has children
	1452: replication.Integrity, // no such parent
	1526: replication.Integrity, // no partition
	1690: replication.Integrity, // out of range in an expression
	1748: replication.Integrity, // not in this partition
	3140: replication.Integrity, // no JSON
	3819: replication.Integrity, // CHECK, MySQL
	4025: replication.Integrity, // CHECK, MariaDB
	4035: replication.Integrity, // JSON, MariaDB: four ways to be broken
	4036: replication.Integrity,
	4037: replication.Integrity,
	4038: replication.Integrity,

	1049: replication.Missing, // database
	1051: replication.Missing, // table
	1054: replication.Missing, // column
	1109: replication.Missing, // table in a multi-table statement
	1146: replication.Missing, // table
	1360: replication.Missing, // trigger

	1044: replication.Denied,
	1045: replication.Denied,
	1130: replication.Denied, // host
	1142: replication.Denied,
	1143: replication.Denied,
	1227: replication.Denied, // SUPER, PROCESS and the like
	1370: replication.Denied, // routine
	1410: replication.Denied, // GRANT
	1419: replication.Denied, // CREATE TRIGGER with the binary log on
	1698: replication.Denied,
	1820: replication.Denied, // password expired
	1862: replication.Denied,
	3118: replication.Denied, // account locked
	4151: replication.Denied, // account locked, MariaDB
}

// isNumber reports whether the server's error has that number.
func isNumber(err error, number uint16) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == number
}
