package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/cachetest"
)

// A slow source of truth, and a cache in front of it.
func Example() {
	articles := map[int]string{17: "Bridge reopens"}
	c, err := cache.New(cache.Config[int, string]{
		Load: func(ctx context.Context, id int) (cache.Loaded[string], error) {
			fmt.Println("database asked for", id)
			title, ok := articles[id]
			if !ok {
				return cache.Loaded[string]{}, cache.ErrNotFound
			}
			return cache.Loaded[string]{Value: title}, nil
		},
		TTL: time.Hour,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for range 3 {
		title, err := c.Get(ctx, 17)
		fmt.Println(title, err)
	}

	articles[17] = "Bridge closes again" // the source first,
	_ = c.Invalidate(ctx, 17)            // then the cache
	title, err := c.Get(ctx, 17)
	fmt.Println(title, err)

	_, err = c.Get(ctx, 99)
	fmt.Println(errors.Is(err, cache.ErrNotFound))
	// Output:
	// database asked for 17
	// Bridge reopens <nil>
	// Bridge reopens <nil>
	// Bridge reopens <nil>
	// database asked for 17
	// Bridge closes again <nil>
	// database asked for 99
	// true
}

func ExampleLookAside_Lookup() {
	c, err := cache.New(cache.Config[string, int]{
		Load: func(context.Context, string) (cache.Loaded[int], error) {
			return cache.Loaded[int]{Value: 7, Version: 3}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		v, info, err := c.Lookup(context.Background(), "k")
		fmt.Println(v, info.Status, "from", info.From, "version", info.Version, err)
	}
	// Output:
	// 7 miss from source version 3 <nil>
	// 7 hit from local version 3 <nil>
}

func ExampleLookAside_InvalidateTag() {
	edition := 1
	c, err := cache.New(cache.Config[string, string]{
		Load: func(_ context.Context, page string) (cache.Loaded[string], error) {
			return cache.Loaded[string]{
				Value: fmt.Sprintf("%s, edition %d", page, edition),
				Tags:  []string{"sports"},
			}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	show := func() {
		for _, page := range []string{"results", "table"} {
			v, err := c.Get(ctx, page)
			fmt.Println(v, err)
		}
	}
	show()
	edition = 2
	_ = c.InvalidateTag(ctx, "sports")
	show()
	// Output:
	// results, edition 1 <nil>
	// table, edition 1 <nil>
	// results, edition 2 <nil>
	// table, edition 2 <nil>
}

func ExampleLookAside_GetMany() {
	c, err := cache.New(cache.Config[int, int]{
		Load: func(_ context.Context, n int) (cache.Loaded[int], error) {
			return cache.Loaded[int]{Value: n * n}, nil
		},
		LoadMany: func(_ context.Context, ns []int) (map[int]cache.Loaded[int], error) {
			fmt.Println("one query for", len(ns))
			squares := make(map[int]cache.Loaded[int])
			for _, n := range ns {
				squares[n] = cache.Loaded[int]{Value: n * n}
			}
			return squares, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.GetMany(context.Background(), []int{1, 2, 3}))
	fmt.Println(c.GetMany(context.Background(), []int{3, 4, 5}))
	// Output:
	// one query for 3
	// map[1:1 2:4 3:9] <nil>
	// one query for 2
	// map[3:9 4:16 5:25] <nil>
}

func ExampleNewWriteThru() {
	row, version := "draft", uint64(1)
	c, err := cache.New(cache.Config[string, string]{
		Load: func(context.Context, string) (cache.Loaded[string], error) {
			fmt.Println("loaded")
			return cache.Loaded[string]{Value: row, Version: version}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := cache.NewWriteThru(c, func(_ context.Context, _ string, v string) (cache.Loaded[string], error) {
		row, version = v, version+1
		return cache.Loaded[string]{Value: row, Version: version}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println(c.Get(ctx, "page"))
	_, err = w.Write(ctx, "page", "published")
	fmt.Println(err)
	fmt.Println(c.Get(ctx, "page")) // without a load
	// Output:
	// loaded
	// draft <nil>
	// <nil>
	// published <nil>
}

// Fibonacci's numbers: the book's example of computational reuse.
func ExampleMemo() {
	calls := 0
	var fib func(int) int
	fib = cache.Memo(100, func(n int) int {
		calls++
		if n < 2 {
			return n
		}
		return fib(n-1) + fib(n-2)
	})
	fmt.Println(fib(90), "with", calls, "calls")
	// Output: 2880067194370816120 with 91 calls
}

// Two processes that share a tier; package cache/memcached has the real one.
func ExampleShared() {
	tier := cachetest.NewMemory()
	process := func(name string) *cache.LookAside[string, string] {
		c, err := cache.New(cache.Config[string, string]{
			Load: func(context.Context, string) (cache.Loaded[string], error) {
				fmt.Println(name, "asks the database")
				return cache.Loaded[string]{Value: "v"}, nil
			},
			Shared: &cache.Shared[string, string]{
				Tier:      tier,
				Namespace: "articles",
				LocalTTL:  time.Second, // how long one may miss what the other invalidated
			},
		})
		if err != nil {
			panic(err)
		}
		return c
	}
	ctx := context.Background()
	fmt.Println(process("the first").Get(ctx, "k"))
	fmt.Println(process("the second").Get(ctx, "k"))
	// Output:
	// the first asks the database
	// v <nil>
	// v <nil>
}

// Counters go wherever the program's other metrics go.
func ExampleLookAside_Stats() {
	c, err := cache.New(cache.Config[int, int]{
		Load: func(_ context.Context, n int) (cache.Loaded[int], error) { return cache.Loaded[int]{Value: n}, nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 10 {
		if _, err := c.Get(context.Background(), i%2); err != nil {
			fmt.Println(err)
		}
	}
	s := c.Stats()
	fmt.Println(s.Hits, "hits,", s.Misses, "misses,", s.Loads, "loads")
	// Output: 8 hits, 2 misses, 2 loads
}
