// Package cachetest checks implementations of cache.Tier and offers one that
// lives in memory and breaks on demand.
//
// [TestTier] holds an implementation against the contract of cache.Tier,
// clause by clause; each subtest is named after the clause it checks:
//
//	func TestContract(t *testing.T) {
//		cachetest.TestTier(t, func(t *testing.T) cache.Tier { return open(t) })
//	}
//
// [NewMemory] is a working tier without a server, for the tests of programs
// that use one. It keeps time by time.Now and never waits while it holds a
// lock, so that it works inside a testing/synctest bubble, and its faults
// ([Memory.Fail], [Memory.Lose], [Memory.Hang], [Memory.Drop], [Memory.Delay],
// [Memory.Evict]) are those that a network and a server have.
//
// Chapter 7 of the book; leases as in Nishtala et al., Scaling Memcache at
// Facebook (NSDI 2013).
package cachetest
