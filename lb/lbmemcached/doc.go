// Package lbmemcached places the keys of a memcached client on the members of
// an lb pool: by the nodes' IDs, around nodes that do not answer.
//
// Start with [New], keep the Selector's Run going, and give it to gomemcache,
// whose ServerSelector it is without importing it:
//
//	s, err := lbmemcached.New(lbmemcached.Config{Nodes: []lb.Node{
//		{ID: "mc1", Addr: "10.0.0.1:11211"},
//		{ID: "mc2", Addr: "10.0.0.2:11211"},
//	}})
//	...
//	go s.Run(ctx)
//	client := memcache.NewFromSelector(s)
//
// # Guarantees
//
//   - Keys are placed by ID and weight (rendezvous hashing), the same in every
//     process: a node that leaves or is out moves its own keys only, one that
//     changes its address moves none.
//   - A node that was out, was added, or changed its address is emptied by
//     flush_all before it is used, unless Config.Keep says otherwise.
//   - Keys with a segment's prefix stay on the segment's nodes.
//
// # What happens when
//
//   - a node stops answering: after Fall checks its keys go to other nodes, or
//     nowhere with Config.NoFailover. Until then calls to it fail in the
//     client: the selector is asked where a key lives and never told how the
//     call went, so only its own checks can find out.
//   - no node may hold a key: PickServer returns [ErrNoServer].
//   - Run does not run: all first nodes count as well for ever, and nodes that
//     are added are never used.
//
// # What moving keys costs
//
// A value that was written to another node while its own was out stays there
// until it expires. If its own node fails a second time before that, such a
// value is found again, although it was changed meanwhile on its own node.
// Emptying the node that comes back does not cure this. Whoever cannot live
// with a value as old as its expiry sets NoFailover: then a node that is out
// makes misses, and no old value. Clients do not all see a node fail at the
// same moment either, which has the same effect for as long as they disagree.
// cache/memcached notices its own failed writes, and gives better promises.
//
// # What it does not do
//
// It does not place keys as libmemcached's ketama, or any other client, does:
// all clients of a cluster must use this package. It cannot bound what is in
// flight on a node, because it is never told when an operation ends.
//
// Chapter 5 of the book; placement after Thaler and Ravishankar, 1998.
package lbmemcached
