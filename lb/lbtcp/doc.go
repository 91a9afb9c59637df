// Package lbtcp puts a pool of servers behind TCP, and DNS servers behind UDP:
// what chapter 5 of the book asks of a balancer for SMTP, IMAP, POP, LDAP,
// databases and everything else that is not HTTP.
//
// Start with [Proxy]: it accepts connections, asks the pool for a node for each,
// connects, on another node if need be, and moves bytes both ways. The pool's
// checks find out which nodes serve, with probes that speak their protocols
// ([SMTP], [LDAP], [MySQL], [HTTP] and others): a server whose port is open and
// whose greeting never comes is down.
//
// # Guarantees
//
//   - Bytes arrive unchanged and in order, whatever the protocol.
//   - Each direction ends by itself: the end of one is passed on as an end of
//     sending (a TCP half-close) while the other goes on.
//   - Who the client is according to a PROXY header is believed only if the
//     connection comes from a trusted address.
//   - An idle connection holds no buffer and no pipe; on Linux, where both ends
//     are TCP, no goroutine either: one for each processor carries them all.
//   - A connection that broke ends with a reset for whoever is still there, so
//     that nobody takes a part for the whole.
//
// # What happens when
//
//   - a node does not accept: another one is asked, up to Config.Attempts; no
//     byte of the client was sent yet, so that every protocol allows it.
//   - no node does: the client's connection is closed.
//   - a client resets its connection: the node's is reset at once, also if the
//     node is not reading. (Where a pair has goroutines, when the node has read.)
//   - the process has no descriptors left: accepting waits, up to a second, and
//     goes on.
//   - nothing moves for Config.IdleTimeout: both connections are closed.
//   - the context of Run ends: no more connections are accepted, and those
//     there are have Config.Drain to end.
//
// [Listener] is for servers behind such a proxy: it puts the client's address in
// place of the proxy's. [DNS] is for UDP.
//
// What it does not do: it ends no TLS (but looks at the server name in a
// ClientHello, so that [Config.Route] can use it), and it knows nothing of
// requests within a connection. A pool behind lbtcp chooses once per connection;
// for a choice per request see lb/lbhttp.
package lbtcp
