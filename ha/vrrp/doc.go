// Package vrrp takes part in virtual routers as RFC 9568 (version 3, IPv4 and
// IPv6) and RFC 3768 (version 2) define them, together with keepalived, with
// routers, and with itself: chapter 4 of the book, with the addresses of one
// virtual router moving as one.
//
// A [Router] is one host's part in one virtual router; a Plumber, such as that of
// package ha/netvip, gives the host the addresses. An [Advertisement] is the
// protocol's only message, as a value; [Advertisement.Marshal] and [Parse] work
// without a network.
//
// # Guarantees
//
//   - The table of states of RFC 9568, 6.4, is followed: the highest priority is
//     active, of equal ones the higher source address; a backup waits three
//     intervals of the active router, and a skew; a priority of 0 shortens that to
//     the skew; 255 never waits.
//   - Messages with another TTL or hop limit than 255, with a wrong length,
//     version or checksum, or with authentication, change nothing and are counted.
//   - Both checksums that are in use for version 3 over IPv4 are accepted; the
//     answer has the one that was heard last, unless [Config.Checksum] says which.
//   - The addresses are asked for before the first advertisement is sent, and a
//     Plumber that hangs delays no advertisement.
//   - An end by Run's context, or an address that cannot be attached, is told to
//     the others by priority 0, so that they need not wait.
//
// # Beyond the RFC
//
//   - A router that was late by as long as the others wait gives its addresses up
//     without a word, and begins as a backup: it was stopped, and somebody else
//     is active.
//   - The active router announces its addresses again when another one turns out
//     to have been active too, for neighbours may have learned the wrong hardware
//     address; besides, 0.1, 1.1 and 5 s after each take-over, and each minute.
//   - An address that others removed is attached again. If that fails, the others
//     have the addresses for ten seconds, if they want.
//
// # What happens when
//
//   - the interface has no carrier, or goes away: the addresses are given up; the
//     router begins as a backup when it is back, after [Config.PreemptDelay] for
//     preemption.
//   - two configurations disagree: [Trace.Refused] gets [ErrMismatch]. Intervals
//     may differ in version 3, as the RFC wants. Lists of addresses are not
//     compared: each router attaches its own.
//   - the process is killed: the others take over after their wait. With a
//     netvip.Plumber in mode Bound the addresses are gone at once, else with their
//     lease.
//
// The shortest interval is 10 ms, so that a silent death costs at least 30 ms.
// Accept_Mode is always on: addresses are for serving. There is no unicast mode
// and no authentication; whoever can send on the LAN can become active.
package vrrp
