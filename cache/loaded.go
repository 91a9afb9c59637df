package cache

import "time"

// Loaded is what a Load function read from the source for one key.
type Loaded[V any] struct {
	// Value is shared by all callers from then on: they must not change what
	// it points to.
	Value V
	// Version orders the states of one key in the source, such as a commit
	// sequence number or an update counter; zero is unknown. A value older
	// than one already seen is returned to its callers and not stored.
	Version uint64
	// TTL is how long the value is fresh, in place of Config.TTL; zero takes
	// Config.TTL, negative says not to store the value at all.
	TTL time.Duration
	// Tags name the groups that the value belongs to, for InvalidateTag.
	Tags []string
}
