// Package lb spreads requests over nodes so that the slowest of them wait as
// little as possible.
//
// Start with [Pool]: give it nodes, call Acquire for each request, send the
// request to the lease's node, and call Done when the last byte of the reply
// has come. A [Policy] says how nodes are chosen.
//
//	pool, err := lb.New(lb.Config{Nodes: []lb.Node{{ID: "a", Addr: "10.0.0.1:80"}, {ID: "b", Addr: "10.0.0.2:80"}}})
//	...
//	lease, err := pool.Acquire(ctx, lb.Request{})
//	...
//	resp, err := send(lease.Node().Addr, req)
//	lease.Done(lb.Outcome{Err: err, Latency: time.Since(begin)})
//
// The package opens no connection: lb/lbhttp, lb/lbtcp, lb/lbsql and
// lb/lbmemcached put the same pool behind their protocols, lb/lbcast brings it
// the nodes' reports, and lb/lbsim runs it on a simulated farm.
//
// # Guarantees
//
//   - A choice is made per request, and no request sticks to a node unless a
//     policy that hashes is asked for.
//   - Set never waits for Acquire, nor Acquire for Set; what was learnt about a
//     node that stays is kept, also when its address, weight or attributes
//     change, with its requests in flight. Leases of nodes that leave stay valid.
//   - A node in Request.Exclude is never chosen while another may be, and never
//     at all if Request.Strict is set.
//   - A node never gets a request while it has as many as its limit says, be it
//     Config.Limit or what Config.Adaptive found.
//   - With Check.First a node gets no request before a check of it succeeded.
//   - A node that drains gets no new requests, in a panic neither.
//   - Requests in flight are counted exactly: each lease counts from Acquire to
//     its first Done, a second Done changes nothing.
//   - A request that its own client gave up costs its node nothing.
//
// # What happens when
//
//   - no node may be used: Acquire returns [ErrNoNodes] at once.
//   - all nodes that may have a request are at their limit: it waits in
//     Config.Queue, tiers in turn; without one, or when it is full, Acquire
//     returns [ErrQueueFull] at once.
//   - fewer nodes are healthy than Config.Panic: health is not believed, and all
//     are used but those that drain.
//   - a report is nonsense: it is counted and forgotten.
//   - a lease is lost: its node counts one request too many for ever.
//     Config.FindLeaks finds such places in tests.
//
// Balancing is not high availability: what spreads the load must itself
// survive, by other means (chapter 4 of the book).
//
// Chapter 5 of the book: a balancer is a framework for allocating resources;
// its decisions belong to requests, not to connections.
package lb
