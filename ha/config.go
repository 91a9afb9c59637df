package ha

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
)

// Config says what a member is and does. The list of groups, the timing and the
// keys have to be the same on all members.
type Config struct {
	// Self is this member's ID: unique, and the same after a restart. Required.
	Self string
	// Members are the IDs of all members, this one included: others are not
	// heard. Required with Quorum; default anybody with a key.
	Members []string
	// Groups are what the cluster serves; Node.Update changes them.
	Groups []Group
	// Quorum makes only the members that reach it serve, so that no two do:
	// quorum.Rule, for example. New refuses one that cannot promise this. Default:
	// each side of a partition serves everything (the book's N-1 tolerance).
	Quorum Quorum
	// Timing is how fast all this goes; default LAN().
	Timing

	// Paths are the networks that heartbeats travel on; a member is heard as long
	// as one of them works. Required by New.
	Paths []Path
	// Keys seal the heartbeats (HMAC-SHA256): the first one those that are sent,
	// any one those that come. To change a key without a gap, append the new one
	// on all members, then put it first on all, then remove the old one.
	Keys [][]byte
	// Insecure allows an empty Keys: whoever can send a packet can then take all
	// addresses away.
	Insecure bool
	// Plumber attaches addresses. Required by New if a group has any.
	Plumber Plumber
	// Hooks are told before and after.
	Hooks Hooks
	// Logger hears of each Event; default none.
	Logger *slog.Logger
	// Trace hears of what happens; default nothing.
	Trace Trace
}

// Path is one network between the members. The same port carries heartbeats (UDP)
// and lifelines (TCP): connections that say nothing, and whose end is the end of
// the process.
type Path struct {
	// Listen is this member's address on that network. Required.
	Listen netip.AddrPort
	// Peers are the other members' addresses.
	Peers []netip.AddrPort
	// Multicast is a group to send to instead of Peers, such as 224.0.0.x for one
	// LAN: others are link-local too, but switches that listen to IGMP may forget
	// them.
	Multicast netip.AddrPort
}

// Hooks make a group more than addresses. They are called on a goroutine of the
// group, one at a time and in order, and never delay a heartbeat. ctx ends after
// Timing.Hook, or when the group has to be given up; a hook that goes on after
// that is not waited for, and a panic is an error.
type Hooks struct {
	// Promote is called before the addresses are attached: whatever has to be
	// ready first, such as a database that becomes the master. An error refuses
	// the group: another member is asked.
	Promote func(ctx context.Context, t Term, g Group) error
	// Demote is called when the addresses are gone, also after a Promote that
	// took too long. t may have ended for a while: what it does must not harm the
	// next term.
	Demote func(ctx context.Context, t Term, g Group) error
}

// Trace has functions that are called as things happen; each may be nil.
type Trace struct {
	// Event is called for each Event, in order, on a goroutine of its own. If it
	// is too slow events are lost, which Stats counts.
	Event func(Event)
}

// fill completes and checks what a Core needs.
func (cfg Config) fill() (Config, error) {
	var err error
	if cfg.Timing, err = cfg.Timing.fill(); err != nil {
		return cfg, err
	}
	cfg.Members = slices.Sorted(slices.Values(cfg.Members))
	cfg.Groups = slices.Clone(cfg.Groups)
	switch {
	case cfg.Self == "" || len(cfg.Self) > 255:
		return cfg, fmt.Errorf("ha: Config.Self %q: 1 to 255 bytes are needed", cfg.Self)
	case len(cfg.Members) == 0 && cfg.Quorum != nil:
		return cfg, errors.New("ha: Config.Quorum requires Config.Members: a quorum is one of a known set")
	case len(cfg.Members) > 0 && !slices.Contains(cfg.Members, cfg.Self):
		return cfg, fmt.Errorf("ha: Config.Members does not contain Config.Self %q", cfg.Self)
	}
	if len(cfg.Members) == 0 {
		cfg.Members = nil
	}
	if cfg.Quorum != nil {
		if err := cfg.Quorum.Verify(cfg.Members); err != nil {
			return cfg, fmt.Errorf("ha: Config.Quorum: %w", err)
		}
	}
	return cfg, checkGroups(cfg.Groups)
}

// fillNode completes and checks what only a Node needs.
func (cfg Config) fillNode() (Config, error) {
	cfg.Paths = slices.Clone(cfg.Paths)
	cfg.Keys = slices.Clone(cfg.Keys)
	if len(cfg.Paths) == 0 {
		return cfg, errors.New("ha: Config.Paths is empty: there is no way to the others")
	}
	for i, p := range cfg.Paths {
		switch {
		case !p.Listen.IsValid():
			return cfg, fmt.Errorf("ha: Config.Paths[%d].Listen is required", i)
		case p.Multicast.IsValid() && !p.Multicast.Addr().IsMulticast():
			return cfg, fmt.Errorf("ha: Config.Paths[%d].Multicast %v is no multicast address", i, p.Multicast)
		case p.Multicast.IsValid() && len(p.Peers) > 0:
			return cfg, fmt.Errorf("ha: Config.Paths[%d] has Peers and Multicast", i)
		}
	}
	for _, k := range cfg.Keys {
		if len(k) < 16 {
			return cfg, errors.New("ha: a key in Config.Keys is shorter than 16 bytes")
		}
	}
	if len(cfg.Keys) == 0 {
		if !cfg.Insecure {
			return cfg, errors.New("ha: Config.Keys is empty: anybody could take the addresses; Config.Insecure allows it")
		}
		cfg.Keys = [][]byte{nil}
	}
	if err := cfg.needsPlumber(cfg.Groups); err != nil {
		return cfg, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, nil
}

func (cfg Config) needsPlumber(groups []Group) error {
	for _, g := range groups {
		if len(g.VIPs) > 0 && cfg.Plumber == nil {
			return fmt.Errorf("ha: group %s has addresses, and Config.Plumber is nil", g.Name)
		}
	}
	return nil
}
