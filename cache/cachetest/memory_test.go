package cachetest_test

import (
	"testing"
	"testing/synctest"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	cachetest.TestTier(t, func(*testing.T) cache.Tier { return cachetest.NewMemory() })
}

var _ = synctest.Test
