package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"sort"
	"text/tabwriter"

	"github.com/Yiling-J/theine-go"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/ashlar-go/ashlar/cache"
)

// hitRatios prints the share of hits of each cache on each trace.
func hitRatios(w io.Writer, n int) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "LookAside\totter\ttheine\tLRU\t2Q\tLookAside/otter\t  trace\t")
	for _, tr := range []struct {
		name     string
		capacity int
		keys     []uint64
	}{
		{"Zipf 0.9 of 500k keys, 5k entries", 5_000, zipfKeys(n, 500_000, 0.9, 1)},
		{"Zipf 0.9 of 500k keys, 50k entries", 50_000, zipfKeys(n, 500_000, 0.9, 2)},
		{"Zipf 1.01 of 500k keys, 5k entries", 5_000, zipfKeys(n, 500_000, 1.01, 3)},
		{"60% Zipf, 20% loop, 20% scan, 10k entries", 10_000, mixed(n, 10_000)},
		{"a new hot set every tenth (news), 5k entries", 5_000, news(n)},
	} {
		ours, its := share(tr.keys, lookAside(tr.capacity)), share(tr.keys, otterCache(tr.capacity))
		fmt.Fprintf(tw, "%.1f%%\t%.1f%%\t%.1f%%\t%.1f%%\t%.1f%%\t%.3f\t  %s\t\n", 100*ours, 100*its,
			100*share(tr.keys, theineCache(tr.capacity)), 100*share(tr.keys, lruCache(tr.capacity)),
			100*share(tr.keys, twoQueue(tr.capacity)), ours/its, tr.name)
	}
	_ = tw.Flush()
}

// share returns the share of keys for which access says that it had them.
func share(keys []uint64, access func(k uint64) bool) float64 {
	hits := 0
	for _, k := range keys {
		if access(k) {
			hits++
		}
	}
	return float64(hits) / float64(len(keys))
}

func lookAside(capacity int) func(uint64) bool {
	loaded := false
	c, err := cache.New(cache.Config[uint64, uint64]{MaxEntries: capacity, TTL: -1,
		Load: func(_ context.Context, k uint64) (cache.Loaded[uint64], error) {
			loaded = true
			return cache.Loaded[uint64]{Value: k}, nil
		}})
	if err != nil {
		log.Fatal(err)
	}
	return func(k uint64) bool {
		loaded = false
		if _, err := c.Get(context.Background(), k); err != nil {
			log.Fatal(err)
		}
		return !loaded
	}
}

func otterCache(capacity int) func(uint64) bool {
	c := otter.Must(&otter.Options[uint64, uint64]{MaximumSize: capacity})
	return func(k uint64) bool {
		if _, ok := c.GetIfPresent(k); ok {
			return true
		}
		c.Set(k, k)
		return false
	}
}

func theineCache(capacity int) func(uint64) bool {
	c, err := theine.NewBuilder[uint64, uint64](int64(capacity)).Build()
	if err != nil {
		log.Fatal(err)
	}
	return func(k uint64) bool {
		if _, ok := c.Get(k); ok {
			return true
		}
		c.Set(k, k, 1)
		return false
	}
}

func lruCache(capacity int) func(uint64) bool {
	c, err := lru.New[uint64, uint64](capacity)
	if err != nil {
		log.Fatal(err)
	}
	return func(k uint64) bool {
		if _, ok := c.Get(k); ok {
			return true
		}
		c.Add(k, k)
		return false
	}
}

func twoQueue(capacity int) func(uint64) bool {
	c, err := lru.New2Q[uint64, uint64](capacity)
	if err != nil {
		log.Fatal(err)
	}
	return func(k uint64) bool {
		if _, ok := c.Get(k); ok {
			return true
		}
		c.Add(k, k)
		return false
	}
}

// mixed is popular keys among a loop half again as long as the cache and a
// scan that never comes back.
func mixed(n, capacity int) []uint64 {
	rng := rand.New(rand.NewPCG(4, 1))
	popular := zipfKeys(n, 500_000, 0.9, 4)
	loop, scan := 0, uint64(2_000_000)
	for i := range popular {
		switch rng.IntN(5) {
		case 0:
			popular[i] = 1_000_000 + uint64(loop%(capacity*3/2))
			loop++
		case 1:
			popular[i] = scan
			scan++
		}
	}
	return popular
}

// news is a site whose readers turn to new articles ten times.
func news(n int) []uint64 {
	keys := zipfKeys(n, 100_000, 0.9, 5)
	for i := range keys {
		keys[i] += uint64(i/(n/10)) * 1_000_000
	}
	return keys
}

// zipf draws ranks with probability proportional to 1/rank^s, also for s
// below one, which math/rand's does not.
type zipf struct {
	sums []float64
	rng  *rand.Rand
}

func newZipf(n int, s float64, rng *rand.Rand) *zipf {
	z := &zipf{sums: make([]float64, n), rng: rng}
	total := 0.0
	for i := range z.sums {
		total += math.Pow(float64(i+1), -s)
		z.sums[i] = total
	}
	return z
}

func (z *zipf) next() uint64 {
	return uint64(sort.SearchFloat64s(z.sums, z.rng.Float64()*z.sums[len(z.sums)-1]))
}
