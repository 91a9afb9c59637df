package group

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned while Run does not run.
	ErrClosed = errors.New("group: not running")
	// ErrTooLarge is returned by Publish for messages beyond MaxMessage.
	ErrTooLarge = errors.New("group: message too large")
	// ErrNameTaken is returned by Run when another living member has the name.
	// The one that started later returns it.
	ErrNameTaken = errors.New("group: another member has the same name")
	// ErrNotStored is returned by Ordered.Publish when no majority of the
	// members that keep messages acknowledged in time. The message may have been
	// stored all the same.
	ErrNotStored = errors.New("group: not acknowledged")
	// ErrUnordered is returned by Ordered where nobody keeps messages.
	ErrUnordered = errors.New("group: ordered messages are not set up")
)

// GapError says that messages are missing and cannot be had any more.
type GapError struct {
	Subject string
	From    string // the member that published them
	// Lost is how many; 0 if nobody knows, because their publisher ended
	// without saying up to where it had come.
	Lost uint64
	Why  string // such as "failed", or "older than its history"
}

func (e *GapError) Error() string {
	if e.Lost == 0 {
		return fmt.Sprintf("group: messages of %s on %q may be missing: %s", e.From, e.Subject, e.Why)
	}
	return fmt.Sprintf("group: %d messages of %s on %q are missing: %s", e.Lost, e.From, e.Subject, e.Why)
}
