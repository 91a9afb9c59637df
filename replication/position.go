package replication

import (
	"fmt"
	"strings"
)

// Position says up to where a replica has followed its master: the system, and
// the place in that system's order of commits. To everybody but the system's
// dialect it is opaque text.
type Position struct {
	System string // of Dialect.Identity, after the dialect's name and a colon
	At     string // of Dialect.Now
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return p == Position{} }

// String returns the text that [ParsePosition] reads.
func (p Position) String() string {
	if p.IsZero() {
		return ""
	}
	return p.System + " " + p.At
}

// ParsePosition reads what Position.String wrote.
func ParsePosition(text string) (Position, error) {
	if text == "" {
		return Position{}, nil
	}
	system, at, ok := strings.Cut(text, " ")
	if !ok || system == "" || at == "" {
		return Position{}, fmt.Errorf("replication: %q is no position", text)
	}
	return Position{system, at}, nil
}
