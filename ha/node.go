package ha

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrNotRunning is returned by what needs Run, while it does not run.
	ErrNotRunning = errors.New("ha: node is not running")
	// ErrNoCandidate is returned by Drain and Move when no other member can take
	// a group.
	ErrNoCandidate = errors.New("ha: no other member can take the group")
)

// Node is a member of a cluster. All methods are safe for concurrent use.
type Node struct {
	cfg      Config
	inputs   chan Input // from readers, workers, watchers
	requests chan func(c *Core) []Effect
	events   chan Event
	running  atomic.Bool
	stopped  chan struct{} // closed when a Run ends
	mu       sync.Mutex    // guards stopped

	stats struct {
		sent, heard, bad, dropped, taken, given, lostEvents atomic.Int64
	}

	// Owned by the goroutine of the loop.
	core    *Core
	workers map[string]*worker
	lines   map[string]string // members whose process is watched, and where
	paths   []*udpPath
	seal    *sealer
	frame   []byte
	wait    sync.WaitGroup
	ctx     context.Context // of all goroutines
	beats   int             // heartbeats since Leave
}

// New checks cfg and returns a Node that does nothing until Run.
func New(cfg Config) (*Node, error) {
	cfg, err := cfg.fill()
	if err == nil {
		cfg, err = cfg.fillNode()
	}
	if err != nil {
		return nil, err
	}
	return &Node{cfg: cfg, requests: make(chan func(*Core) []Effect), stopped: make(chan struct{})}, nil
}

// ask runs f with the machine, on the goroutine that owns it.
func (n *Node) ask(ctx context.Context, f func(c *Core) []Effect) error {
	n.mu.Lock()
	stopped := n.stopped
	n.mu.Unlock()
	if !n.running.Load() {
		return ErrNotRunning
	}
	done := make(chan struct{})
	select {
	case n.requests <- func(c *Core) []Effect { defer close(done); return f(c) }:
		<-done
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-stopped:
		return ErrNotRunning
	}
}

// Snapshot returns what this member knows now. While Run does not run it is empty.
func (n *Node) Snapshot() Snapshot {
	s := Snapshot{Self: n.cfg.Self}
	_ = n.ask(context.Background(), func(c *Core) []Effect { s = c.Snapshot(); return nil })
	return s
}

// Drain gives all groups to other members, each of which is ready before this one
// lets go, and takes none until Undrain. It returns when none is here. If nobody
// else can take a group it stays here, and the error is ErrNoCandidate; draining
// goes on in case somebody comes.
func (n *Node) Drain(ctx context.Context) error {
	if err := n.ask(ctx, func(c *Core) []Effect { return c.Step(uptime(), Input{Kind: Drain}) }); err != nil {
		return err
	}
	alone := 0
	return n.until(ctx, func(s Snapshot) error {
		for _, g := range s.Groups {
			if !g.Here && (g.Owner != s.Self || !g.Changing) {
				continue
			}
			if alone++; alone > 20 && !g.Changing && !s.others() {
				return fmt.Errorf("%w: %s", ErrNoCandidate, g.Name)
			}
			return errNotYet
		}
		return nil
	})
}

// others reports whether anybody else may own groups.
func (s Snapshot) others() bool {
	return slices.ContainsFunc(s.Members, func(m MemberState) bool { return m.Eligible })
}

// Undrain ends Drain: groups come back when the load is balanced.
func (n *Node) Undrain(ctx context.Context) error {
	return n.ask(ctx, func(c *Core) []Effect { return c.Step(uptime(), Input{Kind: Undrain}) })
}

// Move gives the group to that member, wherever it is now, and returns when that
// member has it. It stays there until that member loses it: it is not moved to
// balance the load, nor to where it is preferred. The error is ErrNoCandidate if
// the member does not take it.
func (n *Node) Move(ctx context.Context, group, to string) error {
	var unknown error
	err := n.ask(ctx, func(c *Core) []Effect {
		if c.local(hashOf(group)) == nil {
			unknown = fmt.Errorf("ha: there is no group %q", group)
			return nil
		}
		return c.Step(uptime(), Input{Kind: Move, Group: group, Member: to})
	})
	if err != nil || unknown != nil {
		return errors.Join(err, unknown)
	}
	patience := int((n.cfg.Hook+10*n.cfg.window())/n.cfg.Heartbeat) + 10
	return n.until(ctx, func(s Snapshot) error {
		for _, g := range s.Groups {
			if g.Name == group && g.Owner == to && !g.Changing {
				return nil
			}
		}
		if patience--; patience < 0 {
			return fmt.Errorf("%w: %s to %s", ErrNoCandidate, group, to)
		}
		return errNotYet
	})
}

var errNotYet = errors.New("not yet")

// until looks at the node once in a heartbeat.
func (n *Node) until(ctx context.Context, done func(Snapshot) error) error {
	for {
		var s Snapshot
		if err := n.ask(ctx, func(c *Core) []Effect { s = c.Snapshot(); return nil }); err != nil {
			return err
		}
		if err := done(s); err != errNotYet {
			return err
		}
		select {
		case <-time.After(n.cfg.Heartbeat):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Update replaces the list of groups. Groups that stay keep their owner, whose
// added and removed addresses come and go. Members with another list are told of
// in events, and groups that differ are not taken anew until they agree.
func (n *Node) Update(ctx context.Context, groups []Group) error {
	groups = slices.Clone(groups)
	if err := errors.Join(checkGroups(groups), n.cfg.needsPlumber(groups)); err != nil {
		return err
	}
	return n.ask(ctx, func(c *Core) []Effect { return c.Step(uptime(), Input{Kind: Update, Groups: groups}) })
}

// Stats counts what a Node did since New.
type Stats struct {
	Sent       int64 // heartbeats, counted once for all members and paths
	Heard      int64 // frames with a good seal
	Bad        int64 // frames without
	Dropped    int64 // frames that came faster than they could be looked at
	Taken      int64 // groups that this member took
	Given      int64 // groups that it gave up
	LostEvents int64 // events that Trace.Event and Logger were too slow for
}

// Stats returns what was counted until now.
func (n *Node) Stats() Stats {
	s := &n.stats
	return Stats{s.sent.Load(), s.heard.Load(), s.bad.Load(), s.dropped.Load(), s.taken.Load(), s.given.Load(), s.lostEvents.Load()}
}
