package group

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
)

// Level is how much care a message gets. Messages of one level are not seen by
// subscriptions of another.
type Level uint8

const (
	// FIFO delivers the messages of each publisher in the order in which it
	// published them, and repairs what was lost on the way as long as the
	// publisher lives and has it in its history. Different publishers' messages
	// have no order among each other (Spread's FIFO).
	FIFO Level = iota
	// BestEffort is as FIFO without repair: what is missing is counted and told
	// (Spread's unreliable, in order).
	BestEffort
	// Ordered delivers all messages of the group in one order, the same for all
	// subscribers, and returns from Publish when the members that keep messages
	// have it: a majority of Config.Replicas, on disk with Config.Sync. That is
	// less than Spread's safe, which waits for every member.
	Ordered
)

// String returns the level's name.
func (l Level) String() string {
	switch l {
	case FIFO:
		return "fifo"
	case BestEffort:
		return "best effort"
	case Ordered:
		return "ordered"
	}
	return "level?"
}

func (l Level) wire(subject string) string { return "fbo"[l:l+1] + "." + subject }

// Message is what a subscription gets.
type Message struct {
	From  string // the member that published it
	Epoch uint64 // of the member's life
	// Seq is its number: with Ordered in the group's one order, else among those
	// of this member and subject. It grows; with Ordered it leaves out numbers.
	Seq uint64
	// Data must not be changed, nor kept after deliver has returned.
	Data []byte
	// Gap says that messages of From are missing before this place; then the
	// other fields but From are zero.
	Gap *GapError
}

// Bus publishes and subscribes at one level. Its methods are safe for
// concurrent use.
type Bus struct {
	g     *Group
	level Level
}

// At returns the group's bus of a level.
func (g *Group) At(l Level) *Bus { return &Bus{g, l} }

// Publish is At(FIFO).Publish.
func (g *Group) Publish(ctx context.Context, subject string, data []byte) error {
	return g.At(FIFO).Publish(ctx, subject, data)
}

// Subscribe is At(FIFO).Subscribe.
func (g *Group) Subscribe(ctx context.Context, subject string, deliver func(data []byte)) error {
	return g.At(FIFO).Subscribe(ctx, subject, deliver)
}

// Publish sends data to all who subscribe to subject, this member included. A
// subject is words with dots between them. Calls on one subject are sent in
// the order in which they were made, one at a time.
//
// At FIFO and BestEffort nil means that it is on its way: it may block for some
// seconds while the server does not read, and fails while there is no
// connection to it; then nothing was sent. At Ordered nil means that it is
// kept; [ErrNotStored] means that nobody knows.
func (b *Bus) Publish(ctx context.Context, subject string, data []byte) error {
	g := b.g
	if err := checkSubject(subject); err != nil {
		return err
	}
	if len(data) > MaxMessage {
		return fmt.Errorf("%w: %d bytes on %q, at most %d", ErrTooLarge, len(data), subject, MaxMessage)
	}
	if err := g.wait(ctx); err != nil {
		return err
	}
	wire := b.level.wire(subject)
	turn := g.turn(wire)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f := frame{kind: kindData, from: g.cfg.Name, epoch: g.link.epoch, age: g.age(), body: data}
	if b.level == Ordered {
		return g.store(ctx, subject, f)
	}
	g.mu.Lock()
	f.seq = g.history.next(wire)
	g.mu.Unlock()
	name := g.subject(wire)
	if err := g.link.nc.Publish(name, f.encode(nil, g.keys.frames, name)); err != nil {
		return g.failed("publish on", subject, err)
	}
	g.mu.Lock()
	if b.level == FIFO {
		g.history.add(wire, slices.Clone(data))
	} else {
		g.history.last[wire]++
	}
	g.recent[wire] = g.tailBeats()
	g.mu.Unlock()
	g.counts.published.Add(1)
	return nil
}

// turn is a place for one: who publishes on the wire subject.
func (g *Group) turn(wire string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.turns[wire]
	if t == nil {
		t = make(chan struct{}, 1)
		g.turns[wire] = t
	}
	return t
}

// Subscribe delivers what is published on subject from now on, one message at
// a time, until ctx or Run ends. It also returns, with a [*GapError], when
// messages are missing for good: the caller forgets what it has built on them
// and subscribes again. deliver must not change data nor keep it.
func (b *Bus) Subscribe(ctx context.Context, subject string, deliver func(data []byte)) error {
	return b.listen(ctx, subject, 0, func(m Message) error {
		if m.Gap != nil {
			return m.Gap
		}
		deliver(m.Data)
		return nil
	})
}

// Receive is as Subscribe for those who want to know who published, and to go
// on after gaps: they come in their place, as messages with Gap.
func (b *Bus) Receive(ctx context.Context, subject string, deliver func(Message)) error {
	return b.listen(ctx, subject, 0, func(m Message) error {
		deliver(m)
		return nil
	})
}

// Replay is as Receive, and begins with the messages that are kept after the
// one with number after; 0 is all. Only at Ordered.
func (b *Bus) Replay(ctx context.Context, subject string, after uint64, deliver func(Message)) error {
	if b.level != Ordered {
		return fmt.Errorf("group: replay %q: only ordered messages are kept", subject)
	}
	return b.listen(ctx, subject, after+1, func(m Message) error {
		deliver(m)
		return nil
	})
}

func (b *Bus) listen(ctx context.Context, subject string, from uint64, deliver func(Message) error) error {
	if err := checkSubject(subject); err != nil {
		return err
	}
	if err := b.g.wait(ctx); err != nil {
		return err
	}
	if b.level == Ordered {
		return b.g.read(ctx, subject, from, deliver)
	}
	return b.g.receive(ctx, b.level, subject, deliver)
}

// failed is the error for what the connection refused.
func (g *Group) failed(what, subject string, err error) error {
	if g.closing() || errors.Is(err, nats.ErrConnectionClosed) {
		return ErrClosed
	}
	return fmt.Errorf("group: %s %q: %w", what, subject, err)
}

// flush returns when the server has all that was sent until now.
func (g *Group) flush(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flushWait)
		defer cancel()
	}
	return g.link.nc.FlushWithContext(ctx)
}
