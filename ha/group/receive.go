package group

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// What waits for a subscription that is slow; beyond that messages are dropped,
// and had again from their publishers' histories.
const (
	pendingMessages = 1 << 16
	pendingBytes    = 64 << 20
)

// receiver is one subscription. All of it is owned by its goroutine.
type receiver struct {
	g       *Group
	wire    string // subject with the level before it
	subject string // as the caller knows it
	repair  bool
	began   time.Time
	sub     *nats.Subscription
	track   *tracker
	deliver func(Message) error
}

// receive delivers what is published on subject until ctx or Run ends, or
// deliver returns an error.
func (g *Group) receive(ctx context.Context, level Level, subject string, deliver func(Message) error) error {
	r := &receiver{g: g, wire: level.wire(subject), subject: subject, repair: level == FIFO, track: newTracker(), deliver: deliver}
	sub, err := g.link.nc.SubscribeSync(g.subject(r.wire))
	if err != nil {
		return g.failed("subscribe to", subject, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(g.pending, pendingBytes); err != nil {
		return g.failed("subscribe to", subject, err)
	}
	if err := g.flush(ctx); err != nil {
		return g.failed("subscribe to", subject, err)
	}
	r.sub, r.began = sub, time.Now()
	stop := context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	defer stop()
	err = r.run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, nats.ErrBadSubscription) || errors.Is(err, nats.ErrConnectionClosed):
		return ErrClosed
	}
	return err
}

// run takes messages, and looks each heartbeat for what is missing at the end.
// What the members said then counts once the messages that had come until then
// are delivered.
func (r *receiver) run() error {
	beat := r.g.cfg.Heartbeat
	due := time.Now().Add(beat)
	var said *roster
	backlog := 0
	for {
		if said == nil && !time.Now().Before(due) {
			due = time.Now().Add(beat)
			said = r.g.roster(r.wire)
			backlog, _, _ = r.sub.Pending()
		}
		if said != nil && backlog <= 0 {
			if err := r.compare(said); err != nil {
				return err
			}
			said = nil
		}
		m, err := r.sub.NextMsg(max(time.Until(due), time.Millisecond))
		switch {
		case errors.Is(err, nats.ErrTimeout):
			backlog = 0
			continue
		case errors.Is(err, nats.ErrSlowConsumer):
			continue // the numbers tell what was dropped
		case err != nil:
			return err
		}
		backlog--
		f, ok := r.g.open(m, m.Subject)
		if !ok || f.kind != kindData {
			continue
		}
		if err := r.take(f, false); err != nil {
			return err
		}
	}
}

// newborn reports whether a life that lasts age ms began after the
// subscription.
func (r *receiver) newborn(age uint64) bool {
	return time.Duration(age)*time.Millisecond < time.Since(r.began)
}

// take delivers a message, after those that are missing before it.
func (r *receiver) take(f frame, repaired bool) error {
	for {
		switch r.track.see(f.from, f.epoch, f.seq, r.newborn(f.age)) {
		case expected:
			r.g.counts.received.Add(1)
			if repaired {
				r.g.counts.repaired.Add(1)
			}
			return r.deliver(Message{From: f.from, Epoch: f.epoch, Seq: f.seq, Data: f.body})
		case duplicate:
			r.g.counts.duplicates.Add(1)
			return nil
		case stale:
			r.g.counts.stale.Add(1)
			return nil
		case gap:
			if err := r.fill(f.from, f.epoch, f.seq-1); err != nil {
				return err
			}
		case reborn:
			if err := r.lost(f.from, 0, "it started again"); err != nil {
				return err
			}
		}
	}
}

// fill gets the messages of a member up to last from its history, and gives up
// those that it cannot get.
func (r *receiver) fill(from string, epoch, last uint64) error {
	why := "not repaired at this level"
	for r.repair && r.track.next(from) <= last {
		first, list, err := r.g.ask(r.sub, from, epoch, r.wire, r.track.next(from), last)
		if err != nil {
			why = err.Error()
			break
		}
		if next := r.track.next(from); first > next {
			n := min(first, last+1) - next
			r.track.skip(from, next+n)
			if err := r.lost(from, n, "older than its history"); err != nil {
				return err
			}
		}
		for i, body := range list {
			f := frame{kind: kindData, from: from, epoch: epoch, seq: first + uint64(i), body: body}
			if err := r.take(f, true); err != nil {
				return err
			}
		}
		if len(list) == 0 && first <= last {
			why = "its answer was empty"
			break
		}
	}
	if next := r.track.next(from); next <= last {
		r.track.skip(from, last+1)
		return r.lost(from, last+1-next, why)
	}
	return nil
}

// lost tells of n messages that are missing for good; 0 if nobody knows how
// many.
func (r *receiver) lost(from string, n uint64, why string) error {
	return r.g.lost(&GapError{Subject: r.subject, From: from, Lost: n, Why: why}, r.deliver)
}

// compare holds what the members said they have published against what came.
func (r *receiver) compare(said *roster) error {
	for from, s := range r.track.senders {
		m, ok := said.members[from]
		if ok && m.epoch >= s.epoch && !m.left {
			continue
		}
		next := s.next
		epoch := s.epoch
		delete(r.track.senders, from)
		switch {
		case !ok || m.epoch != epoch:
			// Nobody says up to where it had come.
			if err := r.lost(from, 0, "it failed"); err != nil {
				return err
			}
		case next != 0 && m.last >= next: // it cannot be asked any more
			if err := r.lost(from, m.last+1-next, "it left"); err != nil {
				return err
			}
		}
	}
	for from, m := range said.members {
		if m.left {
			continue
		}
		first, last, again := r.track.hear(from, m.epoch, m.last, r.newborn(m.age))
		if again {
			if err := r.lost(from, 0, "it started again"); err != nil {
				return err
			}
		}
		if first <= last {
			if err := r.fill(from, m.epoch, last); err != nil {
				return err
			}
		}
	}
	return nil
}

// roster is what the members have said, as far as it concerns one subject.
type roster struct {
	members map[string]standing
}

type standing struct {
	epoch, age, last uint64
	left             bool
}

func (g *Group) roster(wire string) *roster {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	list := map[string]standing{}
	for name, h := range g.heard {
		if _, in := g.roll.heard[name]; !in && !h.left && name != g.cfg.Name {
			continue
		}
		list[name] = standing{h.epoch, h.age + uint64((now-h.at)/time.Millisecond), h.tails[wire], h.left}
	}
	return &roster{list}
}

const (
	askTries = 3
	askWait  = time.Second
	// repairRoom is how many bytes of messages an answer carries.
	repairRoom = maxPayload - overhead - 1<<10
)

// ask has a member repeat messages of the subject; what it has of them, from
// the number it gives. The member may be this one.
func (g *Group) ask(sub *nats.Subscription, from string, epoch uint64, wire string, first, last uint64) (uint64, [][]byte, error) {
	subject := g.subject("a." + from)
	f := frame{kind: kindAsk, from: g.cfg.Name, epoch: epoch, seq: first, body: asked{last, wire}.encode()}
	text := f.encode(nil, g.keys.frames, subject)
	var err error
	for range askTries {
		if !sub.IsValid() {
			return 0, nil, nats.ErrBadSubscription
		}
		var m *nats.Msg
		if m, err = g.link.nc.Request(subject, text, askWait); err != nil {
			continue
		}
		r, ok := g.open(m, subject)
		if !ok || r.kind != kindRepair || r.epoch != epoch {
			return 0, nil, errors.New("it started again")
		}
		list, err := decodeMessages(r.body)
		return r.seq, list, err
	}
	return 0, nil, fmt.Errorf("it does not answer: %w", err)
}

// onAsk answers a member that misses messages of ours.
func (g *Group) onAsk(m *nats.Msg) {
	f, ok := g.open(m, m.Subject)
	if !ok || f.kind != kindAsk {
		return
	}
	a, err := decodeAsked(f.body)
	if err != nil {
		return
	}
	r := frame{kind: kindRepair, from: g.cfg.Name, epoch: g.link.epoch}
	if f.epoch == g.link.epoch {
		g.mu.Lock()
		first, list := g.history.messages(a.subject, f.seq, a.last, repairRoom)
		g.mu.Unlock()
		r.seq, r.body = first, encodeMessages(list)
	}
	if err := m.Respond(r.encode(nil, g.keys.frames, m.Subject)); err != nil {
		g.cfg.Logger.Warn("group: repair", "err", err)
	}
}
