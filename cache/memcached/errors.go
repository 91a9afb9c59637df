package memcached

import (
	"errors"
	"fmt"
	"net"
)

var (
	// ErrEjected is in the error of a call for a server that this client does
	// not use at present, because it failed or missed an invalidation. The call
	// cost no time.
	ErrEjected = errors.New("server is ejected")

	// ErrTooLarge is in the error of a Fill or Put whose value is over the
	// limit of the server or of Config.MaxValue; nothing is stored.
	ErrTooLarge = errors.New("value is too large")

	// ErrNoServers is returned by New, NewSelector and SetServers for an empty
	// list.
	ErrNoServers = errors.New("memcached: no servers")

	// ErrClosed is returned by calls that begin or wait after Close.
	ErrClosed = errors.New("memcached: closed")

	// errAnswer stands for answers that are no memcached protocol; their text
	// may hold keys and is not passed on.
	errAnswer = errors.New("unexpected answer")
)

// Error says what failed on which server. When several servers fail, the
// Errors are joined: errors.AsType finds the first of them. Keys are never in
// the text.
type Error struct {
	Server string // its name
	Op     string // get, fill, put, invalidate, invalidatetags or purge
	Err    error
}

// Error names the server and the operation.
func (e *Error) Error() string {
	return fmt.Sprintf("memcached: %s %s: %v", e.Op, e.Server, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether the server did not answer in time.
func (e *Error) Timeout() bool {
	ne, ok := errors.AsType[net.Error](e.Err)
	return ok && ne.Timeout()
}
