package cachetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// TestConsistency lets several nodes read and write through caches that share
// a tier, for as long as run, and checks what every reader sees: never a state
// older than the newest one whose invalidation, or whose Write, had returned
// without an error when the reader began. At the end all nodes must agree with
// the source.
//
// open returns the tier as one more process would see it; it is called once a
// node. disturb, which may be nil, is called again and again meanwhile to make
// faults: it should undo what it did before it returns. When an invalidation
// fails, the writer repeats it, as a program should that must be sure.
func TestConsistency(t *testing.T, run time.Duration, open func(t *testing.T) cache.Tier, disturb func(rng *rand.Rand)) {
	ck := &checker{t: t}
	for i := range checkedNodes {
		ck.join(open(t), i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), run)
	defer cancel()
	var all sync.WaitGroup
	for n := range ck.nodes {
		for g := range 2 {
			all.Go(func() { ck.write(ctx, n, rand.New(rand.NewPCG(uint64(n), uint64(g)))) })
		}
		for g := range 4 {
			all.Go(func() { ck.read(ctx, n, rand.New(rand.NewPCG(uint64(n), uint64(100+g)))) })
		}
	}
	if disturb != nil {
		rng := rand.New(rand.NewPCG(1, 2))
		for ctx.Err() == nil {
			disturb(rng)
		}
	}
	all.Wait()
	ck.finish()
	if ck.reads.Load() < 100 || ck.writes.Load() < 10 {
		t.Errorf("only %d reads and %d writes in %v: this proves nothing", ck.reads.Load(), ck.writes.Load(), run)
	}
	t.Logf("%d reads, %d loads, %d writes, %d failed invalidations", ck.reads.Load(), ck.loads.Load(), ck.writes.Load(), ck.failures.Load())
}

const (
	checkedNodes = 3
	checkedKeys  = 5
)

// checker is the source of truth and what is known about its states.
type checker struct {
	t     *testing.T
	nodes []checkedNode
	keys  [checkedKeys]struct {
		state atomic.Uint64 // the newest state; states are 1, 2, 3 and so on
		known atomic.Uint64 // the newest state whose invalidation has returned
	}
	reads, loads, writes, failures atomic.Int64
}

// checkedNode is one process: two caches over the same source, of which one
// is written by invalidation and the other by write-thru.
type checkedNode struct {
	aside *cache.LookAside[int, uint64]
	thru  *cache.LookAside[int, uint64]
	write *cache.WriteThru[int, uint64]
}

func (ck *checker) join(tier cache.Tier, node int) {
	ck.t.Helper()
	open := func(name string) *cache.LookAside[int, uint64] {
		c, err := cache.New(cache.Config[int, uint64]{
			Load: ck.load, TTL: time.Hour,
			Shared: &cache.Shared[int, uint64]{Tier: tier, Namespace: name, LocalTTL: -1, Wait: 50 * time.Millisecond},
		})
		if err != nil {
			ck.t.Fatal(err)
		}
		return c
	}
	n := checkedNode{aside: open("aside"), thru: open("thru")}
	var err error
	if n.write, err = cache.NewWriteThru(n.thru, func(_ context.Context, k int, _ uint64) (cache.Loaded[uint64], error) {
		v := ck.keys[k].state.Add(1)
		return ck.loaded(v, k), nil
	}); err != nil {
		ck.t.Fatal(err)
	}
	ck.nodes = append(ck.nodes, n)
}

// load reads at once and answers late, as a busy database does.
func (ck *checker) load(ctx context.Context, k int) (cache.Loaded[uint64], error) {
	ck.loads.Add(1)
	v := ck.keys[k].state.Load()
	if rand.IntN(2) == 0 {
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
	}
	return ck.loaded(v, k), nil
}

// loaded gives odd keys versions and even ones none. All have a tag.
func (ck *checker) loaded(v uint64, k int) cache.Loaded[uint64] {
	l := cache.Loaded[uint64]{Value: v, Tags: []string{fmt.Sprint("tag", k)}}
	if k%2 == 1 {
		l.Version = v + 1
	}
	return l
}

// write changes keys and tells the caches, each time in one of the ways.
func (ck *checker) write(ctx context.Context, node int, rng *rand.Rand) {
	n := ck.nodes[node]
	for ctx.Err() == nil {
		time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
		k := rng.IntN(checkedKeys)
		key := &ck.keys[k]
		var v uint64
		var tell func() error
		if rng.IntN(2) == 0 {
			// Write does not return a failure of the tier: whether there was one
			// is in the statistics, and then the writer repeats that too.
			failed := n.thru.Stats().SharedErrors
			l, err := n.write.Write(context.Background(), k, 0)
			if err != nil {
				ck.t.Errorf("Write: %v", err)
				return
			}
			v = l.Value
			unsure := n.thru.Stats().SharedErrors != failed
			tell = func() error {
				err := n.aside.Invalidate(context.Background(), k)
				if unsure {
					err = errors.Join(err, n.thru.Invalidate(context.Background(), k))
				}
				return err
			}
		} else {
			v = key.state.Add(1)
			tell = func() error {
				if rng.IntN(2) == 0 {
					return errors.Join(n.aside.InvalidateTag(context.Background(), fmt.Sprint("tag", k)),
						n.thru.InvalidateTag(context.Background(), fmt.Sprint("tag", k)))
				}
				return errors.Join(n.aside.Invalidate(context.Background(), k), n.thru.Invalidate(context.Background(), k))
			}
		}
		ck.writes.Add(1)
		for err := tell(); err != nil; err = tell() {
			ck.failures.Add(1)
			time.Sleep(time.Millisecond)
		}
		for old := key.known.Load(); old < v && !key.known.CompareAndSwap(old, v); old = key.known.Load() {
		}
	}
}

// read checks that no answer is older than what was known before.
func (ck *checker) read(ctx context.Context, node int, rng *rand.Rand) {
	n := ck.nodes[node]
	for ctx.Err() == nil {
		k := rng.IntN(checkedKeys)
		c, name := n.aside, "aside"
		if rng.IntN(2) == 0 {
			c, name = n.thru, "thru"
		}
		known := ck.keys[k].known.Load()
		v, info, err := c.Lookup(context.Background(), k)
		ck.reads.Add(1)
		switch {
		case err != nil:
			ck.t.Errorf("node %d, %s, key %d: %v", node, name, k, err)
			return
		case v < known:
			ck.t.Errorf("node %d, %s, key %d: state %d (%v from %v, age %v), but the invalidation of state %d had returned",
				node, name, k, v, info.Status, info.From, info.Age, known)
			return
		}
		if rng.IntN(4) == 0 {
			time.Sleep(time.Duration(rng.IntN(200)) * time.Microsecond)
		}
	}
}

// finish checks that all nodes agree with the source when all is quiet.
func (ck *checker) finish() {
	for k := range ck.keys {
		want := ck.keys[k].state.Load()
		for i, n := range ck.nodes {
			for name, c := range map[string]*cache.LookAside[int, uint64]{"aside": n.aside, "thru": n.thru} {
				if v, err := c.Get(context.Background(), k); v != want || err != nil {
					ck.t.Errorf("at the end node %d, %s, key %d: state %d, %v; the source has %d", i, name, k, v, err, want)
				}
			}
		}
	}
}
