package ha

import (
	"fmt"
)

// Term is one time of owning a group. With Config.Quorum its Epoch rises with
// each term of the group, so that it serves as a fencing token: storage that
// refuses tokens lower than the highest it has seen is safe from an owner that
// does not know yet that it lost the group. This holds as long as of each quorum
// one member has not forgotten, which is as long as it runs, or the members' wall
// clocks differ by less than a Lease. Without a quorum both sides of a partition
// have terms of their own, and what Epoch says ends at the partition.
type Term struct {
	Group  string
	Member string
	Epoch  uint64
}

func (t Term) String() string { return fmt.Sprintf("%s/%s/%d", t.Group, t.Member, t.Epoch) }

// EventKind says what happened.
type EventKind string

// What happened. Those with a group carry its term, if there is one.
const (
	MemberUp    EventKind = "member up"       // Member is heard
	MemberDown  EventKind = "member down"     // Member is not heard any more, or said that it leaves
	Matured     EventKind = "mature"          // this node may own groups
	Taken       EventKind = "taken"           // this node owns Group
	Given       EventKind = "given up"        // this node gives Group up; Reason says why
	Refused     EventKind = "refused"         // Group could not be taken; Err says why
	Stuck       EventKind = "stuck"           // Group's addresses could not be removed; tried again
	Restored    EventKind = "restored"        // somebody removed an address of Group; it is back
	Mismatch    EventKind = "config mismatch" // Member has another definition of Group; nobody takes it anew
	Suspended   EventKind = "suspended"       // this node was not run for a while and gave everything up
	DuplicateID EventKind = "duplicate id"    // another process uses this node's ID
	Stranger    EventKind = "stranger"        // Member is not in Config.Members
	Unheard     EventKind = "unheard"         // most others do not hear this node, which gave everything up
)

// Event is something worth a line in a log: never a heartbeat.
type Event struct {
	Kind   EventKind
	Member string
	Group  string
	Term   Term
	Reason string
	Err    error
}
