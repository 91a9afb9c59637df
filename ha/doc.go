// Package ha keeps addresses served while machines die, hang, lose half their
// network and come back. A cluster of equals is responsible for groups of
// addresses; whoever lives shares them, without a master and without a witness.
//
// Start with [Node]: each member runs one, with the same groups.
//
//	node, err := ha.New(ha.Config{
//		Self:    "n1",
//		Groups:  []ha.Group{{Name: "www", VIPs: []ha.VIP{{Iface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.80/32")}}}},
//		Paths:   []ha.Path{{Listen: me, Peers: others}},
//		Keys:    [][]byte{secret},
//		Plumber: plumber, // of ha/netvip
//	})
//	...
//	err = node.Run(ctx)
//
// Members send each other heartbeats. Who is not heard for a window (Heartbeat
// times Misses) is dead, unless others hear it; whose process ends is dead at
// once, since its kernel says so on a TCP connection. What the dead had is shared
// among the living by a pure function, [Assign], that all of them compute from
// what all of them know. Decisions are those of a deterministic machine, [Core],
// which package ha/hatest runs in simulated clusters.
//
// # Guarantees
//
//   - One living member suffices to serve every group (N-1 tolerance), and exactly
//     one member serves each once the members that hear each other agree. In
//     between, and on each side of a partition, there may be one each, unless
//     Config.Quorum forbids it.
//   - With Config.Quorum no two terms of a group are ever active at once, and their
//     epochs rise. This needs clocks that run alike to a quarter of Timing.Lease,
//     hooks that end when their context does, and hosts that do nothing while they
//     are not run.
//   - A member that was not run for as long as others take for its death gives up
//     all it has before it reads what came meanwhile.
//   - A starting member owns nothing before Timing.Maturity is over and it knows
//     what the others own.
//   - A death moves only what the dead had. Balance is restored later, a few groups
//     at a time, by the fewest moves, and by members that are all well.
//   - A planned move attaches the addresses at the new owner before the old one
//     lets go, except for groups with BreakFirst and with a quorum.
//   - One frame for each heartbeat and path tells everything, whatever the number
//     of addresses.
//   - Frames without a valid seal are not looked at; recorded ones change nothing.
//     (One recorded from a member can delay the start of a member that never heard
//     it, not more.)
//   - No hook, and no Plumber, delays a heartbeat.
//
// # What happens when
//
//   - a hook or the Plumber refuses: another member is asked, and this one tries
//     again after Timing.Backoff. Where all refuse, nobody serves the group, and an
//     [Event] says so.
//   - an address cannot be removed: it is tried again, and said in an event.
//   - somebody else removes an address: it is attached again.
//   - an interface loses its link: its groups move; it gets none for a quarter of
//     Maturity after the link is back.
//   - a partition ends: of two owners one lets go, by a rule that gives the same
//     result on both: the preferred one stays, else the older claim, else the lower
//     ID. The other announces its addresses again, several times.
//   - A hears B and B does not hear A: B is right, and A gives up what B has. A
//     member that most others do not hear gives up everything.
//   - the lists of groups differ: groups that differ keep their owner and are not
//     taken anew; a group that only some have is served among these.
//   - two processes have one ID: the newer one never owns anything, and says why.
//
// # What it does not do
//
// It does not look at the service behind the address: a health check that fails
// calls Node.Drain, or a hook refuses. It does not fence a host that hangs; the
// leases of ha/netvip take its addresses, and storage that checks [Term] its
// writes.
//
// Chapters 4, 6 and 8 of the book; the idea is that of Wackamole.
package ha
