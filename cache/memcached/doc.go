// Package memcached is the second tier of package cache over memcached servers:
// leases, versions, tags and fences on top of gomemcache, so that several
// processes share what one of them has loaded and none ever keeps a value that
// was overtaken by a write.
//
//	tier, err := memcached.New(memcached.Config{Servers: []memcached.Server{
//		{Name: "a", Addr: "10.0.0.1:11211"}, {Name: "b", Addr: "10.0.0.2:11211"},
//	}})
//	articles, err := cache.New(cache.Config[int64, Article]{
//		Load:   loadArticle,
//		Shared: &cache.Shared[int64, Article]{Tier: tier, Namespace: "article"},
//	})
//
// [Selector] places keys alike for a plain gomemcache client.
//
// # Guarantees
//
//   - The contract of cache.Tier, on any number of servers: one lease per key in
//     the cluster, and no value is stored that was overtaken. TestTier and
//     TestConsistency of package cachetest run against real servers here, also
//     while these are stopped and killed.
//   - A call ends with its context, whatever the server does. A change goes on to
//     its end without the caller.
//   - A server that hangs costs at most three time-outs in a row; then it is
//     ejected, and calls for its keys fail with [ErrEjected] at once.
//   - A server is purged before it is used again: what it held from before, or
//     missed meanwhile, is never read.
//   - Any string is a key: what memcached cannot take, or could confuse, is
//     hashed. No key reaches the wire that could be read as a command.
//   - Adding or removing a server moves only that server's keys.
//   - Get returns what it can; what failed is an [Error] for each server.
//   - After Close no goroutine and no connection is left.
//
// # What happens when
//
//   - a server does not answer: the first callers wait for Config.Timeout; after
//     three such failures it is ejected, and tried again after half a second, then
//     after twice as long, up to 30 seconds. Nobody waits for these attempts.
//   - a change cannot reach a server: the call says so, and this client ejects the
//     server until it has purged it. Another client that still reaches it may be
//     served the old value until then: that is for as long as this client does
//     not reach the server, and at most for the value's TTL.
//   - the key's server is ejected: its keys are misses without leases, so each
//     process loads for itself; with Config.Gutter another server stands in.
//   - a value is too large: [ErrTooLarge]; the lease ends, and nothing older stays.
//   - memcached evicts: a miss. Evicted leases and fences are void, and what they
//     were for is not stored; without its mark a tag's values are void. When the
//     memory of a version is evicted, a late Put without a fence may store an
//     older one; cache.WriteThru always lays a fence.
//   - clocks differ: TTLs are judged by each reader's clock, so a value may be
//     taken for fresh that much longer or shorter.
//
// # What it is not
//
// The servers are the cache's own: purging is flush_all. There is no replication
// between servers and none between sites. Programs that write the same keys
// without this package are not part of the contract.
//
// Chapter 7 and appendix A of the book; leases and the gutter follow Nishtala et
// al., Scaling Memcache at Facebook (NSDI 2013, sections 3.2.1 and 3.3).
package memcached
