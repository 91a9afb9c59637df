package group

// tracker knows which messages of one subject have come, by sender.
type tracker struct {
	senders map[string]*sender
}

// sender is what a receiver knows about one member.
type sender struct {
	epoch uint64
	next  uint64 // number of the message that comes next; 0: any may be the first
	// met says that a message has come. Before, next may only be what the member
	// said it had published already: an older one that comes is no duplicate.
	met bool
}

// verdict says what a message is to its receiver.
type verdict uint8

const (
	expected  verdict = iota // the next one, or the first of this sender
	duplicate                // came before
	stale                    // of an earlier life of its sender
	gap                      // others are missing before it
	reborn                   // its sender started again: the end of its earlier life may be missing
)

func newTracker() *tracker { return &tracker{map[string]*sender{}} }

// see judges a message. newborn says that its sender's life began after the
// subscription: all its messages concern the receiver. After gap and reborn
// the caller acts on it, and asks again.
func (t *tracker) see(from string, epoch, seq uint64, newborn bool) verdict {
	s := t.senders[from]
	switch {
	case s == nil:
		s = &sender{epoch: epoch}
		if newborn {
			s.next = 1
		}
		t.senders[from] = s
	case epoch < s.epoch:
		return stale
	case epoch > s.epoch:
		delete(t.senders, from)
		return reborn
	}
	switch {
	case s.next != 0 && seq > s.next:
		return gap
	case s.met && seq < s.next:
		return duplicate
	}
	s.next, s.met = seq+1, true
	return expected
}

// hear takes in that a member lives, and that it has published up to last, 0 if
// it does not say. It returns the numbers of those that are missing, first >
// upTo if none are, and whether the member started again since it was last
// heard.
func (t *tracker) hear(from string, epoch, last uint64, newborn bool) (first, upTo uint64, again bool) {
	s := t.senders[from]
	if s != nil && epoch > s.epoch {
		s, again = nil, true
	}
	switch {
	case s == nil:
		s = &sender{epoch: epoch}
		t.senders[from] = s
		if newborn {
			s.next = 1
			break
		}
		fallthrough
	case s.next == 0:
		// What it published before the receiver came is none of its business.
		if last > 0 {
			s.next = last + 1
		}
	}
	if epoch < s.epoch || s.next == 0 || last < s.next {
		return 1, 0, again
	}
	return s.next, last, again
}

// skip gives up what is missing before seq.
func (t *tracker) skip(from string, seq uint64) {
	if s := t.senders[from]; s != nil && seq > s.next {
		s.next, s.met = seq, true
	}
}

// next returns the number of the message that comes next, 0 if any may.
func (t *tracker) next(from string) uint64 {
	if s := t.senders[from]; s != nil {
		return s.next
	}
	return 0
}
