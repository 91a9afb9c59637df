package replication

import "time"

// SetIdleAfter makes idle connections be asked sooner. It is called before any
// is open.
func SetIdleAfter(d time.Duration) { idleAfter = d }
