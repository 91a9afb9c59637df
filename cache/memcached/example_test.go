package memcached_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/cache/memcached"
)

// The second tier of a cache: what one process has loaded, all have.
func Example() {
	tier, err := memcached.New(memcached.Config{
		Servers: []memcached.Server{
			{Name: "a", Addr: "10.0.0.1:11211"},
			{Name: "b", Addr: "10.0.0.2:11211"},
		},
		Timeout: 200 * time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tier.Close()
	articles, err := cache.New(cache.Config[int64, string]{
		Load: func(ctx context.Context, id int64) (cache.Loaded[string], error) {
			return cache.Loaded[string]{Value: "from the database"}, nil
		},
		TTL:    time.Hour,
		Shared: &cache.Shared[int64, string]{Tier: tier, Namespace: "article", LocalTTL: time.Second},
	})
	if err != nil {
		log.Fatal(err)
	}
	title, err := articles.Get(context.Background(), 17)
	fmt.Println(title, err)
}

// Sessions on two servers, all else on the others; adding a server to one
// segment leaves the other alone.
func ExampleNewSelector() {
	s, err := memcached.NewSelector(memcached.Rendezvous, []memcached.Server{
		{Name: "a", Addr: "10.0.0.1:11211"},
		{Name: "b", Addr: "10.0.0.2:11211"},
		{Name: "c", Addr: "10.0.0.3:11211", Weight: 2},
	}, memcached.Segment{Prefix: "session:", Servers: []string{"a"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Pick("session:17").Name, s.Pick("session:18").Name)
	client := memcache.NewFromSelector(s) // a plain client that finds the same keys
	client.Timeout = 200 * time.Millisecond
	// Output: a a
}
