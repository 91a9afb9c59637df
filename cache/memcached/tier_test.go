package memcached_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
	"github.com/ashlar-go/ashlar/cache/memcached"
	"github.com/ashlar-go/ashlar/internal/testservers"
)

// open returns a tier over the servers at addrs, named s0, s1 and so on.
func open(t testing.TB, cfg memcached.Config, addrs ...string) *memcached.Tier {
	t.Helper()
	cfg.Servers = servers(addrs...)
	tier, err := memcached.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tier.Close() })
	return tier
}

func servers(addrs ...string) []memcached.Server {
	var list []memcached.Server
	for i, addr := range addrs {
		list = append(list, memcached.Server{Name: "s" + string(rune('0'+i)), Addr: addr})
	}
	return list
}

func start(t testing.TB, n int) (list []*testservers.Server, addrs []string) {
	t.Helper()
	for range n {
		s := testservers.Memcached(t)
		list, addrs = append(list, s), append(addrs, s.Addr)
	}
	return list, addrs
}

func TestOneServerKeepsTheContract(t *testing.T) {
	_, addrs := start(t, 1)
	cachetest.TestTier(t, func(t *testing.T) cache.Tier { return open(t, memcached.Config{}, addrs...) })
}

func TestThreeServersKeepTheContract(t *testing.T) {
	_, addrs := start(t, 3)
	cachetest.TestTier(t, func(t *testing.T) cache.Tier {
		return open(t, memcached.Config{Placement: memcached.Ketama}, addrs...)
	})
}
