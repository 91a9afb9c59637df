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

// persist calls f, each time for storeWait at most, until it succeeds, ctx or
// Run ends, or nobody keeps messages: a question that comes while those who keep
// them choose a leader is never answered.
func (g *Group) persist(ctx context.Context, f func(ctx context.Context) error) error {
	for {
		try, cancel := context.WithTimeout(ctx, storeWait)
		err := f(try)
		cancel()
		switch {
		case err == nil || errors.Is(err, ErrUnordered):
			return err
		case g.closing() || errors.Is(err, nats.ErrConnectionClosed):
			return ErrClosed
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		g.cfg.Logger.Debug("group: ordered messages are not ready", "err", err)
		select {
		case <-time.After(g.cfg.Heartbeat):
		case <-ctx.Done():
		}
	}
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
	err := g.persist(ctx, func(ctx context.Context) error {
		_, err := g.link.js.PublishMsg(ctx, m, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
		if errors.Is(err, jetstream.ErrNoStreamResponse) { // not made yet, or without a leader
			if _, err := g.stream(ctx); err != nil {
				return err
			}
		}
		return err
	})
	switch {
	case err == nil:
		g.counts.published.Add(1)
		return nil
	case errors.Is(err, ErrUnordered) || errors.Is(err, ErrClosed):
		return err
	}
	return fmt.Errorf("%w: publish on %q: %w", ErrNotStored, subject, err)
}

// read delivers kept messages from that number on, or from now on if it is 0.
func (g *Group) read(ctx context.Context, subject string, from uint64, deliver func(Message) error) error {
	name := g.subject(Ordered.wire(subject))
	var it jetstream.MessagesContext
	var first uint64
	err := g.persist(ctx, func(ctx context.Context) error {
		s, err := g.stream(ctx)
		if err != nil {
			return err
		}
		info, err := s.Info(ctx)
		if err != nil {
			return err
		}
		if from == 0 {
			from = info.State.LastSeq + 1
		}
		first = info.State.FirstSeq
		c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{name},
			DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
			OptStartSeq:    from,
		})
		if err != nil {
			return err
		}
		it, err = c.Messages()
		return err
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	stop := context.AfterFunc(ctx, it.Stop)
	defer func() {
		stop()
		it.Stop()
	}()
	if from > 1 && first > from {
		if err := g.gone(subject, "the group", 0, deliver); err != nil {
			return err
		}
	}
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
