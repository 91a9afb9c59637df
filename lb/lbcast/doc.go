// Package lbcast carries load reports from servers to balancers by UDP, by
// multicast or to a list of addresses, as mod_backhand's servers told each
// other their state every second.
//
// A server runs a [Sender], which asks an [lb.Tracker] for its report several
// times a second. A balancer runs a [Receiver], which hands what it hears to
// [lb.Pool.Report]. The sender's ID is the node's ID in the pool. Put
// [lb.ByAge] among the pool's steps and nodes that fell silent get no requests
// while others still speak.
//
// # Guarantees
//
//   - Nothing in a packet is believed, and nothing about its sender is
//     remembered, before its HMAC-SHA256 with one of the secrets was checked.
//   - A packet is accepted at most once, and never after a newer one of the same
//     sender.
//   - A packet is never accepted when its time differs by more than
//     ReceiverConfig.MaxAge from the receiver's clock. So after a receiver's
//     restart, which forgets what it heard, a packet may be played to it once
//     more, but none that is older than that, and only until the sender's next
//     one. This assumes that the clocks of servers and balancers agree to within
//     MaxAge.
//   - Memory is bounded by ReceiverConfig.Senders, whoever sends what.
//   - Clusters with different names or secrets do not hear each other, on one
//     group and port too.
//
// # What happens when
//
//   - packets are lost or the network is down: the sender goes on and counts
//     what it could not send; the balancers go on with older reports, which
//     policies trust less and less.
//   - a secret changes: give it to all receivers as a further one, then to the
//     senders as the first, then take the old one from the receivers.
//   - a sender starts again: its packets have a new epoch and are accepted as
//     long as their time is later than what was heard before; if its clock was
//     set back meanwhile, it is not heard for as long as that, at most MaxAge
//     times two.
//   - a packet is refused: it is counted by cause in [Stats], and
//     ReceiverTrace.Refused hears of it.
//
// Reports are not secret: they are signed, not encrypted. Multicast stays on
// its network (a TTL of 1); lists of addresses go anywhere.
//
// Chapter 5 of the book: candidacy functions are fed by resource data that the
// servers tell each other every second.
package lbcast
