package cache

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

var (
	// ErrNotFound is returned by Load for a key that the source does not have,
	// and by Get then and for as long as the absence is remembered.
	ErrNotFound = errors.New("cache: not found")

	// ErrLoadAborted is every waiter's error when Load ended its goroutine by
	// runtime.Goexit (as testing.T.FailNow does) instead of returning.
	ErrLoadAborted = errors.New("cache: load ended its goroutine")

	// ErrLoadTimeout is in the error of a Get whose Load took longer than
	// Config.LoadTimeout, together with context.DeadlineExceeded.
	ErrLoadTimeout = errors.New("cache: load timed out")
)

// PanicError is every waiter's error when Load panicked.
type PanicError struct {
	Value any    // what Load panicked with
	Stack []byte // the stack of the goroutine that ran Load
}

// Error says what Load panicked with; the stack is only in the field.
func (e *PanicError) Error() string { return fmt.Sprintf("cache: load panicked: %v", e.Value) }

// Unwrap returns the panic's value when it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ManyError says which keys of a GetMany have no answer, and why. The keys
// that do are in the map that came with it.
type ManyError[K comparable] struct {
	Errs map[K]error // the keys' errors; never ErrNotFound
}

// Error counts the failed keys and gives one cause.
func (e *ManyError[K]) Error() string {
	for _, err := range e.Errs {
		return fmt.Sprintf("cache: %d keys failed, one of them: %v", len(e.Errs), err)
	}
	return "cache: no keys failed"
}

// Unwrap returns the errors of all failed keys, so that errors.Is finds a cause.
func (e *ManyError[K]) Unwrap() []error { return slices.Collect(maps.Values(e.Errs)) }
