// Package cache puts a fast, forgetful copy in front of a slow source of truth.
//
// Start with [LookAside]: give it a Load function that reads the source, then
// call Get. [WriteThru] adds writes, [Memo] remembers pure functions, and
// [Shared] joins a second tier that several processes use together, such as
// the memcached servers of package cache/memcached.
//
// The source stays the authority. A cache is not needed for operation: with
// Config.Bypass the same answers come straight from the source, and no failure
// of a tier ever fails a Get that Load can answer.
//
// # Guarantees
//
// Each line has a test of its name in consistency_test.go.
//
//   - Concurrent misses for one key in one process call Load once; with a
//     shared tier that answers, in all processes once.
//   - A caller leaves at its own deadline; its leaving disturbs no other caller.
//   - A Get that begins after Invalidate returned never sees, on this node, a
//     value that was loaded before: a load in flight when its key is
//     invalidated is never stored, in no tier.
//   - A value is served as fresh no longer than its TTL, in both tiers
//     together, and as stale no longer than the configured windows.
//   - The newest version wins in every tier, whatever the order of arrival.
//   - What Load reports as absent is remembered for NegativeTTL at most.
//   - A panic or Goexit in Load becomes an error of every waiter, and the key
//     stays usable.
//
// There is no atomicity across keys, and no write-back: it loses data when a
// node dies (chapter 7 of the book).
//
// # What happens when
//
//   - Load fails: every waiter gets that error and nothing is stored; a stale
//     value within StaleIfError is served instead.
//   - the shared tier is down: Get loads from the source; the error goes to
//     Trace.TierError and Stats, never to the caller.
//   - an invalidation cannot reach the shared tier: Invalidate returns the
//     error; the local tier is void all the same, and other nodes may serve the
//     old value until its TTL ends.
//   - a node dies between a commit and its cache update: see [WriteThru].
//   - the process is stopped and continued (SIGSTOP, a paused machine): an
//     entry that ended meanwhile may be served until the first timer runs,
//     within about 10 milliseconds of running time.
//
// Other nodes' local tiers learn of an invalidation when Shared.LocalTTL ends:
// keep it short, or negative, where that matters.
//
// Chapter 7 of the book (look-aside, write-thru, computational reuse); leases
// follow Nishtala et al., Scaling Memcache at Facebook (NSDI 2013); early
// refresh follows Vattani et al., Optimal Probabilistic Cache Stampede
// Prevention (VLDB 2015); the local tier's policy is W-TinyLFU by otter.
package cache
