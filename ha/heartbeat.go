package ha

import "net/netip"

// Heartbeat is what a member tells all others in each interval, in one frame
// whatever the number of its addresses: that it lives, whom it hears, and which of
// its claims changed since what the others are known to have. It never changes
// once it was made, and may be given to several members.
type Heartbeat struct {
	from    string
	boot    uint64 // when the process began, in nanoseconds of its clock; higher is newer
	seq     uint64 // from 1, rising
	flags   uint8
	clock   uint64 // the highest epoch known to the sender
	view    uint64 // hash of the members that it believes in
	config  uint64 // hash of its groups' definitions
	echoes  []echo
	base    uint64 // changes are those behind this version of the table of claims
	upTo    uint64 // and up to this one
	version uint64 // the table's newest version
	changes []claim
	defs    []definition
	orders  []order
	near    neighbour      // one that the sender knows; none if its address is not valid
	at      netip.AddrPort // where it came from; not sent
}

// From returns the ID of the sender.
func (h *Heartbeat) From() string { return h.from }

const (
	flagRipe     = 1 << iota // its Maturity is over
	flagEligible             // it may be given groups
	flagLeaving              // it is about to end and owns nothing
)

// echo is what the sender knows of another member.
type echo struct {
	member  uint64 // hash of its ID
	boot    uint64
	seq     uint64 // the last heard
	have    uint64 // of its table of claims
	granted uint64 // of its table of claims, see grant.go
	heard   bool   // within half a window
}

type claimState uint8

const (
	free    claimState = iota // not ours, and we could take it
	refused                   // not ours, and we cannot take it now
	wanting                   // about to be ours
	owning                    // ours
	leaving                   // being given up
)

// claim is one line of a member's table of claims.
type claim struct {
	group   uint64 // hash of its name
	state   claimState
	fixed   bool   // an operator put it here: not moved to balance
	epoch   uint64 // of the term
	since   uint64 // orders claims by age
	to      uint64 // the member that is to take it over; 0 none
	asked   uint64 // version of the table when the term was asked for
	version uint64 // version of the table when the line changed; unique in it
}

// active reports whether the group is served, or is about to be.
func (c claim) active() bool { return c.state == wanting || c.state == owning }

// definition is what a member makes of a group; sent to those that differ.
type definition struct{ group, hash uint64 }

// order is an operator's wish that was made on a member that does not own the
// group.
type order struct{ group, to, id uint64 }
