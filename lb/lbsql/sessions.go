package lbsql

import (
	"errors"
	"fmt"
)

// ErrSession is the error of a statement outside of a transaction that would
// change, or needs, the session of a connection: SET, a temporary table, BEGIN
// as a text, LISTEN, LOCK TABLES and the like. The next statement would run on
// another connection, and the one after it, somebody else's, on this one. In a
// transaction they are allowed: its connection is closed at the end, so that
// nobody inherits what they did.
var ErrSession = errors.New("lbsql: a connection of a Cluster has no session of its own: use a transaction, or the primary's *sql.DB")

func sessionError(word string) error { return fmt.Errorf("%w: %s", ErrSession, word) }

// session reports whether a statement changes or needs a session, and by which
// word. It looks at the beginning only: a guard against what is done by
// mistake, which functions and several statements in one get by.
//
// In a transaction SET LOCAL is its own matter, as PostgreSQL has it; MySQL and
// MariaDB take LOCAL for SESSION, which is the word to use there.
func session(query string, inTx bool) (word string, ok bool) {
	l := lexer{s: query}
	if l.next() != name {
		return "", false
	}
	first := string(l.word()) // not allocated when it is compared only
	switch first {
	case "select", "insert", "update", "delete", "with": // nearly always
		return "", false
	case "begin", "savepoint", "release", "abort", "end", "use", "listen", "unlisten",
		"deallocate", "declare", "fetch", "move", "close", "discard", "reset", "lock", "unlock", "handler", "xa":
		return first, true
	case "set", "start", "commit", "rollback", "prepare", "create":
	default:
		return "", false
	}
	second := ""
	if l.next() == name {
		second = string(l.word())
	}
	switch first {
	case "set": // of the server; of one statement; of one transaction
		switch second {
		case "global", "persist", "password", "statement":
		case "local", "constraints", "transaction":
			ok = !inTx
		default:
			ok = true
		}
	case "start": // a replica is no session
		ok = second == "transaction"
	case "commit", "rollback": // of two phases
		ok = second != "prepared"
	case "prepare":
		ok = second != "transaction"
	case "create":
		ok = second == "temporary" || second == "temp"
		if second == "or" && l.next() == name && l.next() == name { // OR REPLACE TEMPORARY
			ok = string(l.word()) == "temporary" || string(l.word()) == "temp"
		}
	}
	return first, ok
}
