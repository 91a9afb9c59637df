package lb

import (
	"errors"
	"fmt"
)

var (
	// ErrNoNodes is returned by Acquire when no node may take the request: the
	// pool is empty, all nodes drain, or a candidacy step left none.
	ErrNoNodes = errors.New("lb: no node may take the request")

	// ErrClosed is returned by Acquire after Shutdown began.
	ErrClosed = errors.New("lb: pool is shut down")

	// ErrQueueFull is returned by Acquire when all nodes are at their limit and
	// the queue is full too.
	ErrQueueFull = errors.New("lb: all nodes are at their limit and the queue is full")

	// ErrQueueTimeout is returned by Acquire when a request waited in the
	// queue for as long as it may.
	ErrQueueTimeout = errors.New("lb: waited too long for a node")

	// ErrBudget is returned instead of a retry or a hedge that the budget does
	// not allow.
	ErrBudget = errors.New("lb: retry budget is spent")
)

func errRange(what string, value any) error {
	return fmt.Errorf("lb: %s is %v, out of range", what, value)
}
