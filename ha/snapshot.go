package ha

import "time"

// Snapshot is what a member knows, at one moment.
type Snapshot struct {
	Self     string
	Mature   bool // watched for long enough to own groups
	Eligible bool // may be given groups: mature, heard, with a quorum if one is needed, not draining
	Draining bool
	Agreed   bool // all members that are heard believe in the same members
	Members  []MemberState
	Groups   []GroupState
}

// MemberState is another member as this one sees it.
type MemberState struct {
	ID       string
	Alive    bool          // heard, by this member or by others
	Indirect bool          // heard only by others
	OneWay   bool          // it does not answer to what this member says
	Eligible bool          // it may be given groups
	Silent   time.Duration // since it was last heard
}

// GroupState is a group as this member sees it.
type GroupState struct {
	Name     string
	Owner    string // "" if nobody serves it
	Epoch    uint64 // of the owner's term
	Here     bool   // this member has its addresses, completely
	Changing bool   // it is being taken, given up or handed over
	Pinned   bool   // an operator moved it to where it is
}

// Snapshot returns what the machine knows.
func (c *Core) Snapshot() Snapshot {
	views, tables := c.agreed()
	s := Snapshot{Self: c.self, Mature: c.mature, Eligible: c.eligible, Draining: c.draining, Agreed: views && tables}
	for _, p := range c.peers {
		s.Members = append(s.Members, MemberState{
			ID: p.id, Alive: p.alive, Indirect: p.indirect, Eligible: p.alive && p.eligible,
			OneWay: p.alive && (!p.met || !p.hears), Silent: c.now - p.heard,
		})
	}
	for _, l := range c.locals {
		cl, key := c.claimant(l)
		g := GroupState{
			Name: l.group.Name, Epoch: cl.epoch, Here: l.phase == owned, Pinned: cl.fixed,
			Changing: l.phase != idle && l.phase != owned || key != 0 && (cl.state != owning || cl.to != 0),
		}
		if key == c.key {
			g.Owner = c.self
		} else if p := c.peerByKey(key); p != nil {
			g.Owner = p.id
		}
		s.Groups = append(s.Groups, g)
	}
	return s
}
