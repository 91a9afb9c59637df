package memcached_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
	"github.com/ashlar-go/ashlar/cache/memcached"
)

// quick finds out soon that a server is stopped, and not that the machine is busy.
var quick = memcached.Config{Timeout: 300 * time.Millisecond}

func TestNoReaderSeesAnOldState(t *testing.T) {
	_, addrs := start(t, 2)
	cachetest.TestConsistency(t, 3*time.Second, func(t *testing.T) cache.Tier {
		return open(t, memcached.Config{}, addrs...)
	}, nil)
}

func TestNoReaderSeesAnOldStateWhileServersAreStopped(t *testing.T) {
	list, addrs := start(t, 2)
	cachetest.TestConsistency(t, 6*time.Second, func(t *testing.T) cache.Tier {
		return open(t, quick, addrs...)
	}, func(rng *rand.Rand) {
		s := list[rng.IntN(len(list))]
		s.Pause()
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
		s.Resume()
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
	})
}

func TestNoReaderSeesAnOldStateWhileServersAreKilled(t *testing.T) {
	list, addrs := start(t, 2)
	cachetest.TestConsistency(t, 6*time.Second, func(t *testing.T) cache.Tier {
		return open(t, quick, addrs...)
	}, func(rng *rand.Rand) {
		s := list[rng.IntN(len(list))]
		s.Kill()
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
		s.Restart()
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
	})
}
