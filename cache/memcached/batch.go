package memcached

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

const (
	// getSlots is how many connections the single Gets of one server use. What
	// comes while all are busy travels together in the next batch: measured,
	// more connections make each Get slower than waiting for a batch does.
	getSlots = 4
	// maxBatch is how many keys are asked for in one request.
	maxBatch = 128
)

// waiter is a single Get in the queue for a batch.
type waiter struct {
	key  string
	item *memcache.Item
	err  error
	done chan struct{} // gets one signal when item and err are set
	left bool          // guarded by server.mu: its caller is gone
}

var waiters = sync.Pool{New: func() any { return &waiter{done: make(chan struct{}, 1)} }}

// get asks for one key; a nil item is a miss. A caller that finds a free
// connection uses it in its own goroutine; one that does not is served together
// with all others in the same position, and leaves when its own ctx ends.
func (s *server) get(ctx context.Context, key string) (*memcache.Item, error) {
	s.mu.Lock()
	if err := s.usable(ctx); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	if s.getters == getSlots {
		return s.getQueued(ctx, key)
	}
	s.getters++
	sl := s.takeOut()
	s.mu.Unlock()

	item, err := sl.get(ctx, key)

	s.mu.Lock()
	if err != nil {
		err = s.judge(ctx, sl, err)
	} else {
		s.health.succeeded()
	}
	s.passOn(sl)
	s.mu.Unlock()
	return item, err
}

// passOn gives the slot of a single Get to the queue, or puts it back. The
// caller holds mu.
func (s *server) passOn(sl *slot) {
	s.putBack(sl)
	if len(s.queue) > 0 && !s.closed {
		next := s.takeOut()
		if s.run(func() { s.serve(next) }) {
			return
		}
		s.putBack(next)
	}
	s.getters--
}

// getQueued waits for the next batch. The caller holds mu, which is given back.
func (s *server) getQueued(ctx context.Context, key string) (*memcache.Item, error) {
	w := waiters.Get().(*waiter)
	w.key = key
	s.queue = append(s.queue, w)
	s.mu.Unlock()

	if ctx.Done() == nil {
		<-w.done
	} else {
		select {
		case <-w.done:
		case <-ctx.Done():
			s.mu.Lock()
			w.left = true
			s.mu.Unlock()
			return nil, context.Cause(ctx)
		}
	}
	item, err := w.item, w.err
	w.key, w.item, w.err = "", nil, nil
	waiters.Put(w)
	return item, err
}

// serve answers the queue until it is empty.
func (s *server) serve(sl *slot) {
	var batch []*waiter
	var keys []string
	for {
		// Those who were answered a moment ago may be about to ask again.
		runtime.Gosched()
		s.mu.Lock()
		if sl.doomed { // and yet asked: by changes before the server is taken back
			s.putBack(sl)
			sl = s.takeOut()
		}
		batch, keys = s.nextBatch(batch[:0], keys[:0])
		if len(batch) == 0 {
			s.putBack(sl)
			s.getters--
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()

		items, err := sl.getBatch(keys)

		s.mu.Lock()
		if err != nil {
			err = s.judge(context.Background(), sl, err)
		} else {
			s.health.succeeded()
		}
		s.mu.Unlock()
		for i, w := range batch {
			w.item, w.err = items.of(w.key), err
			batch[i] = nil
			w.done <- struct{}{}
		}
	}
}

// nextBatch takes the oldest waiters out of the queue. The caller holds mu.
func (s *server) nextBatch(batch []*waiter, keys []string) ([]*waiter, []string) {
	n := 0
	for _, w := range s.queue {
		if len(batch) == maxBatch {
			break
		}
		n++
		if !w.left {
			batch = append(batch, w)
			keys = append(keys, w.key)
		}
	}
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	return batch, keys
}

// failQueue sends away all who wait for a batch. The caller holds mu.
func (s *server) failQueue(err error) {
	for i, w := range s.queue {
		s.queue[i] = nil
		if !w.left {
			w.err = err
			w.done <- struct{}{}
		}
	}
	s.queue = s.queue[:0]
}

// get is a Get in the caller's goroutine.
func (sl *slot) get(ctx context.Context, key string) (item *memcache.Item, err error) {
	err = sl.run(ctx, func(c *memcache.Client) (err error) {
		item, err = c.Get(key)
		return err
	})
	if err == memcache.ErrCacheMiss {
		err = nil
	}
	return item, err
}

// answers are those of a batch, or one.
type answers struct {
	one  *memcache.Item
	many map[string]*memcache.Item
}

func (a answers) of(key string) *memcache.Item {
	if a.many != nil {
		return a.many[key]
	}
	return a.one
}

// getBatch asks for all keys in one request.
func (sl *slot) getBatch(keys []string) (a answers, err error) {
	if len(keys) == 1 {
		a.one, err = sl.get(context.Background(), keys[0])
		return a, err
	}
	sl.server.stats.batches.Add(1)
	err = sl.run(context.Background(), func(c *memcache.Client) (err error) {
		a.many, err = c.GetMulti(keys)
		return err
	})
	return a, err
}

// The other commands, each once on one connection.

func (s *server) getMany(ctx context.Context, keys []string) (items map[string]*memcache.Item, err error) {
	err = s.do(ctx, func(c *memcache.Client) (err error) {
		items, err = c.GetMulti(keys)
		return err
	})
	return items, err
}

// swap holds b in place of what was seen, or as the first when old is nil. ok
// is false when something else is held by now.
func (s *server) swap(ctx context.Context, key string, old *memcache.Item, b []byte, life time.Duration) (ok bool, err error) {
	item := memcache.Item{Key: key, Value: b, Expiration: expiry(life, time.Now())}
	err = s.do(ctx, func(c *memcache.Client) error {
		if old == nil {
			return c.Add(&item)
		}
		item.CasID = old.CasID
		return c.CompareAndSwap(&item)
	})
	return changed(err)
}

// removeSeen forgets what was seen: a swap for something that is over at once.
func (s *server) removeSeen(ctx context.Context, key string, old *memcache.Item) (ok bool, err error) {
	if old == nil {
		return true, nil
	}
	item := memcache.Item{Key: key, Expiration: -1, CasID: old.CasID}
	return changed(s.do(ctx, func(c *memcache.Client) error { return c.CompareAndSwap(&item) }))
}

func (s *server) set(ctx context.Context, key string, b []byte, life time.Duration) error {
	item := memcache.Item{Key: key, Value: b, Expiration: expiry(life, time.Now())}
	return s.do(ctx, func(c *memcache.Client) error { return c.Set(&item) })
}

func (s *server) delete(ctx context.Context, key string) error {
	_, err := changed(s.do(ctx, func(c *memcache.Client) error { return c.Delete(key) }))
	return err
}

// increment advances a counter; ok is false when there is none.
func (s *server) increment(ctx context.Context, key string) (n uint64, ok bool, err error) {
	err = s.do(ctx, func(c *memcache.Client) (err error) {
		n, err = c.Increment(key, 1)
		return err
	})
	ok, err = changed(err)
	return n, ok, err
}

func changed(err error) (bool, error) {
	switch err {
	case nil:
		return true, nil
	case memcache.ErrNotStored, memcache.ErrCASConflict, memcache.ErrCacheMiss:
		return false, nil
	}
	return false, err
}
