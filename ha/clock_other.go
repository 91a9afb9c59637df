//go:build !linux

package ha

import "time"

var processBegan = time.Now()

// uptime may stand still while the host is suspended: a member that was notices
// by what the others say.
func uptime() time.Duration { return time.Since(processBegan) }
