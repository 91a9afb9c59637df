package cache

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// flight is one key being fetched, with everybody who waits for it. It is what
// makes a thousand concurrent misses one load.
type flight[K comparable, V any] struct {
	key   K
	batch *batch[K, V] // fetches it
	began uint64       // tag clock when it began

	waiters int  // guarded by the shard: callers that wait
	void    bool // guarded by the shard: what it fetches must not be stored

	// pinned and than are constant once others can join: a flight in the
	// background goes on without waiters, and is to bring something that is
	// fresh for longer than what it replaces.
	pinned bool
	than   int64

	lease  Lease     // owned by the goroutine that fetches
	ageing *entry[V] // owned by the goroutine that fetches: the shared tier's stale value

	// certain says that the shared tier accepted the value: no node invalidated
	// it before then. Set before done is closed.
	certain bool

	ended bool          // guarded by the shard
	done  chan struct{} // closed at the end
	res   result[V]     // set before done is closed
}

// batch is the flights that one goroutine fetches together. It is cancelled
// when nobody waits for any of them.
type batch[K comparable, V any] struct {
	ctx     context.Context // the first caller's values, no deadline of its own
	cancel  context.CancelCauseFunc
	flights []*flight[K, V]
	live    atomic.Int32 // flights that somebody waits for
}

var errAbandoned = errors.New("cache: nobody waits for the load any more")

func (c *LookAside[K, V]) newBatch(ctx context.Context) *batch[K, V] {
	b := new(batch[K, V])
	b.ctx, b.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return b
}

// begin adds a flight; the caller holds its shard's lock.
func (b *batch[K, V]) begin(key K, clock uint64) *flight[K, V] {
	f := &flight[K, V]{key: key, batch: b, began: clock, done: make(chan struct{})}
	b.flights = append(b.flights, f)
	b.live.Add(1)
	return f
}

// left notes that nobody waits for one of the flights any more.
func (b *batch[K, V]) left() {
	if b.live.Add(-1) == 0 {
		b.cancel(errAbandoned)
	}
}

// result is how a flight ended: an entry, which may say that the key is
// absent, or an error.
type result[V any] struct {
	entry *entry[V]
	from  Origin
	err   error
}

// shard is a part of the keys with their flights and fences. Everything that
// decides whether a value may be stored happens under its lock, so that a
// load and the invalidation of its key cannot miss each other.
type shard[K comparable, V any] struct {
	mu      sync.Mutex
	flights map[K]*flight[K, V] // guarded by mu
	fences  map[K]fence         // guarded by mu
	sweep   int                 // guarded by mu: number of fences at which ended ones are removed
}

const shards = 64 // a power of two

type shardSet[K comparable, V any] struct {
	seed maphash.Seed
	all  [shards]shard[K, V]
}

func newShards[K comparable, V any]() *shardSet[K, V] {
	s := &shardSet[K, V]{seed: maphash.MakeSeed()}
	for i := range s.all {
		s.all[i].flights = make(map[K]*flight[K, V])
		s.all[i].fences = make(map[K]fence)
	}
	return s
}

func (s *shardSet[K, V]) of(key K) *shard[K, V] {
	return &s.all[maphash.Comparable(s.seed, key)&(shards-1)]
}

// detach makes sure that nobody joins f any more and that its value is not
// stored. The caller holds mu.
func (s *shard[K, V]) detach(f *flight[K, V]) {
	f.void = true
	if s.flights[f.key] == f {
		delete(s.flights, f.key)
	}
}

// setFence records what key's past says; a fence that says nothing is removed.
// The caller holds mu.
func (s *shard[K, V]) setFence(key K, f fence, now int64) {
	if f.over(now) {
		delete(s.fences, key)
		return
	}
	s.fences[key] = f
	if len(s.fences) <= max(s.sweep, 64) {
		return
	}
	for k, f := range s.fences {
		if f.over(now) {
			delete(s.fences, k)
		}
	}
	s.sweep = 2 * len(s.fences)
}
