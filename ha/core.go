package ha

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// Core decides for one member: a deterministic machine without clock, goroutine
// or network. [Node] drives one on real sockets, ha/hatest thousands in a
// simulation. It must not be used concurrently.
type Core struct {
	timing  Timing
	members []string // of the configuration; nil: anybody
	quorum  Quorum   // nil: each side of a partition serves
	self    string
	key     uint64
	boot    uint64

	now   time.Duration
	wake  time.Duration // when Step has to be called next
	born  time.Duration // when the process began, which boot is the wall clock of
	began time.Duration // Maturity counts from here
	seq   uint64
	sent  [256]time.Duration // by seq
	out   []Effect

	peers []*peer // sorted by ID

	locals  []*local // sorted by name
	config  uint64   // hash of all definitions
	version uint64   // of the table of claims
	clock   uint64   // highest epoch seen
	ops     uint64
	defsAt  int // rotates through the definitions that are sent

	grants    map[uint64]grant // by group; see grant.go
	grantFrom time.Duration

	mature, eligible, draining, left bool
	unheard                          bool
	eligibleAt                       time.Duration
	duplicate                        time.Duration // when our ID was last heard from another process; 0 never
	near                             near
	down                             map[string]bool
	orders                           []pendingOrder
	strangers                        map[string]bool

	view    uint64
	viewAt  time.Duration // when view last changed
	movedAt time.Duration // when a group last changed its owner
	beatAt  time.Duration // when the next heartbeat is due
	extraAt time.Duration // when the last one out of turn was sent
	lookAt  time.Duration // when to decide again although nothing happened
	dirty   bool          // something happened that may change a decision
	soon    bool          // others should hear of us before the next heartbeat
}

// pendingOrder is remembered for longer than its sender repeats it.
type pendingOrder struct {
	order
	mine bool // made here: others are told
	done bool // executed, or replaced by a later one
	at   time.Duration
}

// Quorum says which members may act together, and proves that no others can at
// the same time. quorum.Rule is one.
type Quorum interface {
	// Reached reports whether the present members suffice.
	Reached(present, members []string) bool
	// Verify returns an error if two disjoint sets of members could both suffice.
	Verify(members []string) error
}

// InputKind says what an [Input] is.
type InputKind uint8

// The inputs of a [Core], with the fields of [Input] that they use.
const (
	Tick     InputKind = iota // time has passed
	Heard                     // Heartbeat has come
	Gone                      // the process Member with Boot is known to have ended
	Done                      // the effect with Op has ended, with Err
	Plumbing                  // Event of the Plumber
	Drain                     // give all groups to others, and take none
	Undrain                   // end of Drain
	Move                      // give Group to Member, wherever it is now
	Update                    // Groups are the cluster's groups from now on
	Leave                     // give everything up for good
	Sampled                   // Addrs are the neighbours on the interface Iface
)

// Input is something that a [Core] hears of.
type Input struct {
	Kind      InputKind
	Heartbeat *Heartbeat
	Member    string
	Boot      uint64
	Op        uint64
	Err       error
	Event     PlumberEvent
	Group     string
	Groups    []Group
	Iface     string
	Addrs     []netip.Addr
}

// EffectKind says what an [Effect] asks for.
type EffectKind uint8

// The effects of a [Core]. Those with an Op are answered by Done when they ended;
// of one group they are executed in their order. A Detach does not wait for a
// Take that hangs: it cancels it.
const (
	Send     EffectKind = iota // Heartbeat to all members, on all paths
	Take                       // ask Hooks.Promote and attach Group; undo all if that fails
	Attach                     // attach Group's addresses again
	Announce                   // announce Group's addresses; without Op
	Detach                     // remove Group's addresses
	Demote                     // call Hooks.Demote
	Report                     // tell the user of Event; without Op
)

// Effect is something that a [Core] wants done.
type Effect struct {
	Kind      EffectKind
	Heartbeat *Heartbeat
	Op        uint64 // 0: nobody waits for it
	Group     Group
	Term      Term
	Event     Event
	To        map[string][]netip.Addr // Announce: by interface, whom to tell besides all

	ctx context.Context // Node only: that of a Take
}

// NewCore returns the machine of one member. boot has to be higher each time the
// member starts: its wall clock in nanoseconds. now is the time on a clock that
// goes on while the host sleeps; it is compared only with later ones.
func NewCore(cfg Config, boot uint64, now time.Duration) (*Core, error) {
	cfg, err := cfg.fill()
	if err != nil {
		return nil, err
	}
	c := &Core{
		timing: cfg.Timing, members: cfg.Members, quorum: cfg.Quorum, self: cfg.Self, key: hashOf(cfg.Self), boot: boot,
		now: now, born: now, began: now, beatAt: now, viewAt: now,
		grants: make(map[uint64]grant), grantFrom: now + graceful(cfg.Timing.Lease),
		down: make(map[string]bool), strangers: make(map[string]bool),
	}
	c.clock = c.wall()
	c.setGroups(cfg.Groups)
	return c, nil
}

// Step takes in what happened and returns what has to be done, in order. It is
// called for each input, and with Tick at [Core.Next].
func (c *Core) Step(now time.Duration, in Input) []Effect {
	c.out = nil
	c.judge(max(now, c.now))
	c.take(in)
	c.expire()
	if c.dirty || c.now >= c.lookAt {
		c.decide()
	}
	c.announceDue()
	c.beat()
	c.wake = c.next()
	return c.out
}

// Next is when Step has to be called with Tick if nothing happens before.
func (c *Core) Next() time.Duration { return c.wake }

// judge asks whether this process itself was late before it believes that others
// are. A little late: everybody is given the time back. So late that others must
// believe it dead: it gives up all it has before it looks at anything else.
func (c *Core) judge(now time.Duration) {
	late := now - c.wake
	c.now = now
	if c.wake == 0 || late <= c.timing.Heartbeat {
		return
	}
	if late <= min(c.timing.window(), c.timing.Lease) {
		for _, p := range c.peers {
			p.heard += late
		}
		return
	}
	c.report(Event{Kind: Suspended, Reason: late.String()})
	c.began, c.mature = now, false
	for _, l := range c.locals {
		c.release(l, "suspended", free)
	}
	for _, p := range c.peers {
		p.heard = max(p.heard, now) // what it sent meanwhile waits to be read
		p.aliveSince = now
		p.met = false
	}
	c.dirty = true
}

func (c *Core) take(in Input) {
	switch in.Kind {
	case Heard:
		c.hear(in.Heartbeat)
	case Gone:
		if p := c.peer(in.Member); p != nil && p.boot == in.Boot {
			p.gone, p.goneAt = true, c.now
			c.lose(p, "process ended")
		}
	case Done:
		c.done(in.Op, in.Err)
	case Plumbing:
		c.plumbing(in.Event)
	case Drain, Undrain:
		c.draining = in.Kind == Drain
		c.dirty, c.soon = true, true
	case Move:
		c.ops++
		c.order(order{hashOf(in.Group), hashOf(in.Member), mix(c.boot + c.ops)}, true)
	case Update:
		c.setGroups(in.Groups)
	case Sampled:
		c.sampled(in.Iface, in.Addrs)
	case Leave:
		c.left = true
		for _, l := range c.locals {
			c.release(l, "leaving", free)
		}
		c.dirty = true
	}
}

// Idle reports whether no group is owned here, or about to be, or still being
// given up.
func (c *Core) Idle() bool {
	return !slices.ContainsFunc(c.locals, func(l *local) bool { return l.phase != idle })
}

func (c *Core) report(e Event) { c.out = append(c.out, Effect{Kind: Report, Event: e}) }

// wall is the time in milliseconds, so that epochs rise also if all members
// forgot the last ones.
func (c *Core) wall() uint64 { return c.boot/1e6 + uint64((c.now-c.born)/time.Millisecond) }

// next finds the earliest time at which something is due. What may be late by a
// heartbeat is looked at with the heartbeats.
func (c *Core) next() time.Duration {
	at := c.beatAt
	if c.soon {
		at = min(at, c.extraAt+c.extraGap())
	}
	for _, p := range c.peers {
		if p.alive && !p.indirect {
			at = min(at, p.heard+c.timing.window())
		}
	}
	for _, l := range c.locals {
		if l.phase == owned {
			at = min(at, l.announceAt)
		}
		if c.quorum != nil && (l.phase == taking || l.phase == owned) {
			at = min(at, l.lease)
		}
	}
	return max(at, c.now+1)
}
