package cachetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// source is a row of a database with an update counter.
type source struct {
	mu      sync.Mutex
	version uint64
}

func (r *source) commit() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version++
	return r.version
}

func (r *source) read() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version
}

func (s *suite) writers() {
	for round := range 6 {
		key, row := s.key(), new(source)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5 {
					var fence cache.Lease
					if round%3 != 2 && rand.IntN(4) > 0 {
						var err error
						fence, err = s.Fence(s.ctx, key, 10*time.Second)
						s.check(err)
					}
					v := row.commit()
					pause()
					if rand.IntN(8) == 0 {
						s.check(s.Invalidate(s.ctx, []string{key}, 0))
					}
					_, err := s.Put(s.ctx, key, fence, entry(fmt.Sprint(v), v))
					s.check(err)
				}
			})
		}
		wg.Wait()
		if it := s.get(key, cache.Want{}); it.Found && it.Entry.Version != row.read() {
			s.t.Fatalf("round %d: version %d is held, the source has %d", round, it.Entry.Version, row.read())
		}
	}
}

// readersAndWriters plays random interleavings of all operations, with and
// without versions, and looks for a value that was void before the look began.
func (s *suite) readersAndWriters() {
	for round := range 6 {
		versioned := round%2 == 0
		key, row := s.key(), new(source)
		var done atomic.Uint64 // newest version whose write has returned
		stamp := func(v uint64) cache.Entry {
			e := entry(fmt.Sprint(v), 0)
			if versioned {
				e.Version = v
			}
			return e
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 10 {
					var v uint64
					if rand.IntN(3) > 0 {
						fence, err := s.Fence(s.ctx, key, 10*time.Second)
						s.check(err)
						v = row.commit()
						pause()
						_, err = s.Put(s.ctx, key, fence, stamp(v))
						s.check(err)
					} else {
						v = row.commit()
						pause()
						s.check(s.Invalidate(s.ctx, []string{key}, 0))
					}
					for old := done.Load(); old < v && !done.CompareAndSwap(old, v); old = done.Load() {
					}
				}
			})
		}
		for range 6 {
			wg.Go(func() {
				for range 25 {
					least := done.Load()
					want := lease
					want.Refresh = rand.IntN(2) == 0
					items, err := s.Get(s.ctx, []string{key}, want)
					s.check(err)
					if it := items[0]; it.Found {
						var v uint64
						fmt.Sscan(string(it.Entry.Value), &v)
						if v < least {
							s.t.Errorf("versioned %v: version %d was served after the write of %d had returned", versioned, v, least)
						}
					}
					if l := items[0].Lease; l.Token != 0 {
						v := row.read()
						pause()
						_, err := s.Fill(s.ctx, key, l, stamp(v))
						s.check(err)
					}
				}
			})
		}
		wg.Wait()
		if it := s.get(key, cache.Want{}); it.Found && string(it.Entry.Value) != fmt.Sprint(row.read()) {
			s.t.Fatalf("versioned %v: %s is held in the end, the source has %d", versioned, it.Entry.Value, row.read())
		}
	}
}

func (s *suite) check(err error) {
	if err != nil {
		s.t.Errorf("%v", err)
	}
}

// pause lets others run, sometimes for longer.
func pause() {
	if rand.IntN(2) == 0 {
		time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
	}
}
