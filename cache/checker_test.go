package cache_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

func TestNoReaderSeesAStateOlderThanTheLastInvalidation(t *testing.T) {
	tier := cachetest.NewMemory()
	cachetest.TestConsistency(t, 2*time.Second, func(*testing.T) cache.Tier { return tier }, nil)
}

func TestNoReaderSeesAStateOlderThanTheLastInvalidationWhileTheTierFails(t *testing.T) {
	tier := cachetest.NewMemory()
	ops := []string{"get", "fill", "put", "invalidate", "invalidatetags"}
	cachetest.TestConsistency(t, 2*time.Second, func(*testing.T) cache.Tier { return tier }, func(rng *rand.Rand) {
		switch op := ops[rng.IntN(len(ops))]; rng.IntN(3) {
		case 0:
			tier.Fail(op, 1+rng.IntN(5), errors.New("connection reset"))
		case 1:
			tier.Delay(op, time.Duration(rng.IntN(3))*time.Millisecond)
		case 2:
			tier.Heal()
		}
		time.Sleep(time.Millisecond)
	})
}
