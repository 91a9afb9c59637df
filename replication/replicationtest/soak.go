package replicationtest

import (
	"os"
	"time"
)

// soak returns how long a test with random faults runs: ASHLAR_SOAK, such as
// 10m, or else usual.
func soak(usual time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv("ASHLAR_SOAK")); err == nil {
		return d
	}
	return usual
}
