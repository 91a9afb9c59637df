// Command cache compares cache.LookAside with the libraries that people use
// for local caches: the time of a hit, and the share of hits on five traces.
//
//	go run ./cache
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/internal/bench/side"
)

const (
	capacity = 50_000
	hot      = 25_000
)

type value [64]byte

func main() {
	rounds := flag.Int("rounds", 15, "how often each case is timed")
	requests := flag.Int("requests", 1_000_000, "requests of each trace")
	flag.Parse()
	keys := zipfKeys(1<<16, hot, 1.01, 1)
	for _, goroutines := range []int{1, 2} {
		fmt.Printf("\nhit, %d goroutines, 8-byte keys, 64-byte values, %d hot keys\n", goroutines, hot)
		side.Print(os.Stdout, side.Compare(*rounds, 50*time.Millisecond, hits(keys, goroutines)...))
	}
	fmt.Printf("\nshare of hits, %d requests\n", *requests)
	hitRatios(os.Stdout, *requests)
}

// hits returns the cases of reading keys that are all held.
func hits(keys []uint64, goroutines int) []side.Case {
	ctx := context.Background()
	plain := otter.Must(&otter.Options[uint64, value]{MaximumSize: capacity})
	boxed := otter.Must(&otter.Options[uint64, *value]{MaximumSize: capacity})
	expiring := otter.Must(&otter.Options[uint64, value]{MaximumSize: capacity,
		ExpiryCalculator: otter.ExpiryWriting[uint64, value](time.Hour)})
	counting := otter.Must(&otter.Options[uint64, value]{MaximumSize: capacity, StatsRecorder: stats.NewCounter(),
		ExpiryCalculator: otter.ExpiryWriting[uint64, value](time.Hour)})
	ours, err := cache.New(cache.Config[uint64, value]{MaxEntries: capacity, TTL: time.Hour,
		Load: func(_ context.Context, k uint64) (cache.Loaded[value], error) {
			return cache.Loaded[value]{Value: value{byte(k)}}, nil
		}})
	if err != nil {
		log.Fatal(err)
	}
	for k := range uint64(hot) {
		plain.Set(k, value{byte(k)})
		boxed.Set(k, &value{byte(k)})
		expiring.Set(k, value{byte(k)})
		counting.Set(k, value{byte(k)})
		if _, err := ours.Get(ctx, k); err != nil {
			log.Fatal(err)
		}
	}
	loader := otter.LoaderFunc[uint64, value](func(_ context.Context, k uint64) (value, error) { return value{byte(k)}, nil })
	read := func(name string, get func(k uint64) byte) side.Case {
		return side.Case{Name: name, Run: func(n int) {
			var all sync.WaitGroup
			for g := range goroutines {
				all.Go(func() {
					for i := range n / goroutines {
						k := keys[(i+g*7919)&(len(keys)-1)]
						if get(k) != byte(k) {
							panic("wrong value")
						}
					}
				})
			}
			all.Wait()
		}}
	}
	return []side.Case{
		read("otter GetIfPresent, no expiry", func(k uint64) byte { v, _ := plain.GetIfPresent(k); return v[0] }),
		read("otter GetIfPresent, no expiry, pointers", func(k uint64) byte { v, _ := boxed.GetIfPresent(k); return v[0] }),
		read("otter Get with a loader, no expiry", func(k uint64) byte { v, _ := plain.Get(ctx, k, loader); return v[0] }),
		read("otter GetIfPresent, TTL", func(k uint64) byte { v, _ := expiring.GetIfPresent(k); return v[0] }),
		read("otter GetIfPresent, TTL, counters", func(k uint64) byte { v, _ := counting.GetIfPresent(k); return v[0] }),
		read("cache.LookAside Get: TTL, loader, counters", func(k uint64) byte { v, _ := ours.Get(ctx, k); return v[0] }),
	}
}

// zipfKeys draws n keys below max; the most popular are 0, 1, 2 and so on.
func zipfKeys(n, max int, s float64, seed uint64) []uint64 {
	z := newZipf(max, s, rand.New(rand.NewPCG(seed, 1)))
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = z.next()
	}
	return keys
}
