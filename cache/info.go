package cache

import "time"

// Info says how a Lookup was answered.
type Info struct {
	Status  Status
	From    Origin
	Age     time.Duration // since the source was read, or was asked for an absent key
	Version uint64        // of the value; zero is unknown
}

// Status is what a Lookup found in the local tier, and what it did.
type Status uint8

// The statuses of a Lookup.
const (
	Miss      Status = iota // nothing of use: it asked the shared tier or the source
	Hit                     // a fresh value
	Stale                   // a value past its TTL, within the configured windows
	Negative                // a remembered absence: the error is ErrNotFound
	Coalesced               // as Miss, but it waited for what another caller had begun
	Bypassed                // Config.Bypass sent it to the source
)

// String returns the status in lower case.
func (s Status) String() string {
	return nameOf(s, "miss", "hit", "stale", "negative", "coalesced", "bypassed")
}

// Origin is where an answer came from.
type Origin uint8

// The origins of an answer.
const (
	FromSource Origin = iota // Load
	FromLocal                // the local tier
	FromShared               // the shared tier
)

// String returns the origin in lower case.
func (o Origin) String() string { return nameOf(o, "source", "local", "shared") }

func nameOf[T ~uint8](v T, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}
