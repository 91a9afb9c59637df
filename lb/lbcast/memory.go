package lbcast

import "time"

// memory knows the newest message of each sender. It decides which ones are
// news; it is not safe for concurrent use.
type memory struct {
	maxAge  time.Duration
	most    int
	newest  map[string]heard
	cleaned int64 // when it was searched for what may be forgotten, Unix ns
}

type heard struct {
	epoch, seq uint64
	at         int64
}

// check reports whether m, which comes at now, is news, and how many messages
// are missing before it.
func (y *memory) check(m message, now int64) (lost uint64, err error) {
	if !y.fresh(m.at, now) {
		return 0, ErrStale
	}
	last, known := y.newest[m.id]
	switch {
	case !known:
		if len(y.newest) >= y.most && !y.forget(now) {
			return 0, ErrFull
		}
	case m.epoch == last.epoch && m.seq > last.seq:
		lost = m.seq - last.seq - 1
	case m.epoch == last.epoch || m.at <= last.at:
		// Of two epochs the later one has the later time.
		return 0, ErrReplayed
	}
	return lost, nil
}

// note remembers a message that check let pass.
func (y *memory) note(m message) {
	last := y.newest[m.id]
	// A clock that is set back while the sender runs must not make room for
	// another epoch's packets that were heard already.
	y.newest[m.id] = heard{epoch: m.epoch, seq: m.seq, at: max(m.at, last.at)}
}

// fresh compares without overflow: at comes from outside.
func (y *memory) fresh(at, now int64) bool {
	return at >= now-int64(y.maxAge) && at <= now+int64(y.maxAge)
}

// forget drops the senders whose newest message would be refused by its time
// alone, and reports whether there is room then. It searches twice in a MaxAge
// at most.
func (y *memory) forget(now int64) bool {
	if now-y.cleaned < int64(y.maxAge)/2 && now >= y.cleaned {
		return false
	}
	y.cleaned = now
	for id, h := range y.newest {
		if !y.fresh(h.at, now) && h.at < now {
			delete(y.newest, id)
		}
	}
	return len(y.newest) < y.most
}
