package group

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	flushWait   = 10 * time.Second
	storeWait   = 2 * time.Second // for one acknowledgement
	forgetsWhen = 2 * time.Minute // messages sent twice within it are kept once
)

// stream returns the stream that keeps the group's ordered messages, made now
// if it is not there.
func (g *Group) stream(ctx context.Context) (jetstream.Stream, error) {
	name := "ashlar_" + g.cfg.Group
	s, err := g.link.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = g.link.js.CreateStream(ctx, jetstream.StreamConfig{
			Name:       name,
			Subjects:   []string{g.subject("o.>")},
			Replicas:   g.cfg.Replicas,
			MaxBytes:   g.cfg.Keep,
			Discard:    jetstream.DiscardOld,
			Duplicates: forgetsWhen,
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // somebody else was quicker
			s, err = g.link.js.Stream(ctx, name)
		}
	}
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%w: no member has Config.Dir: %w", ErrUnordered, err)
	case err != nil:
		return nil, fmt.Errorf("group: ordered messages: %w", err)
	}
	return s, nil
}

// store publishes a frame and waits until it is kept. What is not acknowledged
// in time is sent again under the same name, which is kept once.
func (g *Group) store(ctx context.Context, subject string, f frame) error {
	wire := Ordered.wire(subject)
	g.mu.Lock()
	g.history.last[wire]++
	f.seq = g.history.last[wire]
	g.mu.Unlock()
	name := g.subject(wire)
	m := &nats.Msg{Subject: name, Data: f.encode(nil, g.keys.frames, name)}
	id := fmt.Sprintf("%s.%d.%d.%s", f.from, f.epoch, f.seq, subject)
	for made := false; ; {
		try, cancel := context.WithTimeout(ctx, storeWait)
		_, err := g.link.js.PublishMsg(try, m, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
		cancel()
		switch {
		case err == nil:
			g.counts.published.Add(1)
			return nil
		case g.closing() || errors.Is(err, nats.ErrConnectionClosed):
			return ErrClosed
		case errors.Is(err, jetstream.ErrNoStreamResponse) && !made:
			if _, err = g.stream(ctx); errors.Is(err, ErrUnordered) {
				return err
			}
			if made = err == nil; made {
				continue
			}
		case ctx.Err() != nil:
			return fmt.Errorf("%w: publish on %q: %w", ErrNotStored, subject, context.Cause(ctx))
		}
		g.cfg.Logger.Debug("group: not acknowledged yet", "subject", subject, "err", err)
		select {
		case <-time.After(g.cfg.Heartbeat):
		case <-ctx.Done():
			return fmt.Errorf("%w: publish on %q: %w", ErrNotStored, subject, err)
		}
	}
}

// read delivers kept messages from that number on, or from now on if it is 0.
func (g *Group) read(ctx context.Context, subject string, from uint64, deliver func(Message) error) error {
	s, err := g.stream(ctx)
	if err != nil {
		return err
	}
	name := g.subject(Ordered.wire(subject))
	info, err := s.Info(ctx)
	if err != nil {
		return g.failed("subscribe to", subject, err)
	}
	if from == 0 {
		from = info.State.LastSeq + 1
	}
	if first := info.State.FirstSeq; from > 1 && first > from {
		if err := g.gone(subject, "the group", 0, deliver); err != nil {
			return err
		}
	}
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{name},
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    from,
	})
	if err != nil {
		return g.failed("subscribe to", subject, err)
	}
	it, err := c.Messages()
	if err != nil {
		return g.failed("subscribe to", subject, err)
	}
	stop := context.AfterFunc(ctx, it.Stop)
	defer func() {
		stop()
		it.Stop()
	}()
	track := newTracker()
	for {
		m, err := it.Next()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case g.closing():
			return ErrClosed
		case err != nil:
			return g.failed("subscription to", subject, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return g.failed("subscription to", subject, err)
		}
		f, err := decode(m.Data(), g.keys.frames, name)
		if err != nil {
			g.forged(name)
			continue
		}
		if err := g.inOrder(track, subject, f, meta.Sequence.Stream, deliver); err != nil {
			return err
		}
	}
}

// inOrder delivers a kept message. Its publisher's numbers tell whether others
// went before the reader came to them; one that its publisher gave up with
// ErrNotStored looks the same.
func (g *Group) inOrder(track *tracker, subject string, f frame, seq uint64, deliver func(Message) error) error {
	for {
		switch track.see(f.from, f.epoch, f.seq, false) {
		case expected:
			g.counts.received.Add(1)
			return deliver(Message{From: f.from, Epoch: f.epoch, Seq: seq, Data: f.body})
		case duplicate:
			g.counts.duplicates.Add(1)
			return nil
		case stale:
			g.counts.stale.Add(1)
			return nil
		case gap:
			n := f.seq - track.next(f.from)
			track.skip(f.from, f.seq)
			if err := g.gone(subject, f.from, n, deliver); err != nil {
				return err
			}
		case reborn: // what it published before is kept, and was read
		}
	}
}

// gone tells that n kept messages went before they were read; 0 if nobody
// knows how many.
func (g *Group) gone(subject, from string, n uint64, deliver func(Message) error) error {
	return g.lost(&GapError{Subject: subject, From: from, Lost: n, Why: "older than what is kept, or never kept"}, deliver)
}

// lost counts and tells a gap.
func (g *Group) lost(e *GapError, deliver func(Message) error) error {
	g.counts.gaps.Add(1)
	g.counts.lost.Add(int64(e.Lost))
	g.cfg.Logger.Warn("group: messages are missing", "subject", e.Subject, "from", e.From, "lost", e.Lost, "why", e.Why)
	if f := g.cfg.Trace.Gap; f != nil {
		f(e)
	}
	return deliver(Message{From: e.From, Gap: e})
}
