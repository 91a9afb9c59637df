// Package lbhttp puts a pool of servers behind HTTP: a node is chosen for each
// request and not for each connection, as chapter 5 of the book asks.
//
// There are three ways in. [Server] is a reverse proxy that speaks HTTP/1.1 by
// itself and costs about what HAProxy costs. [Proxy] is one as an http.Handler,
// for HTTP/2, gRPC and servers that do other things too. [Transport] is an
// http.RoundTripper, for clients of a service that has several servers. They
// follow the same rules, which [Rules] and [AttemptError] describe.
//
// # Guarantees
//
//   - Requests of one connection are answered in order.
//   - Nothing reaches a node that two programs could read in two ways: both
//     lengths at once, folded lines, bare CR or LF, white space before a colon and
//     the like are answered with 400 and the end of the connection. The handler
//     gets what net/http made of a message, and that is written anew.
//   - What only a proxy may say, a client cannot: X-Forwarded-*, Forwarded,
//     certificate fields and Lb-* are dropped unless the client is trusted.
//   - A request that is not idempotent is never sent to a node once another may
//     have seen some of it (RFC 9110, section 9.2.2).
//   - A retry goes to a node that was not tried while there is one.
//   - Bodies are streamed; how much of one is held is bounded by a buffer each way.
//   - A response that breaks off is never passed on as if it were whole.
//   - The lease of a request is given back when the last byte of its response
//     has been passed on.
//
// # What happens when
//
//   - no node may be used: 503. Which error it was is in Proxy-Status (RFC 9209),
//     here and below.
//   - a node does not accept: another one is asked, whatever the method.
//   - a node closes before it answers, or answers what is no HTTP: another one
//     is asked if the request is idempotent and the budget allows it, else 502.
//   - a node takes too long: likewise, and 504.
//   - a kept connection turns out to be closed: likewise, and its node is not
//     charged. Requests that cannot be repeated look before they use one.
//   - a client goes away: its request leaves the pool's queue, or the node's
//     connection is closed, within half a second also when nothing was being
//     written, and the node is not charged. A client that only closes its
//     sending half while it waits counts as gone.
//   - a client sends too slowly, or too much: 408, 431 or 413, and the end of the
//     connection. The node is not charged.
//   - the context of Run ends: requests in progress have time to end, and
//     their responses say Connection: close.
//
// What it does not do: it does not buffer bodies, so that a request whose body
// has begun to stream is not sent twice; it does not rewrite URLs, compress or
// cache (see cache/accel); Server speaks no HTTP/2. Lines of a backend must end
// in CR LF too.
package lbhttp
