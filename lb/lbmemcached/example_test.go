package lbmemcached_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbmemcached"
)

func Example() {
	s, err := lbmemcached.New(lbmemcached.Config{Nodes: []lb.Node{
		{ID: "mc1", Addr: "10.0.0.1:11211"},
		{ID: "mc2", Addr: "10.0.0.2:11211", Weight: 2},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()

	client := memcache.NewFromSelector(s) // Get, Set and the rest as ever
	defer client.Close()

	for _, key := range []string{"article:1", "article:2", "article:3"} {
		n, err := s.Pick(key)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(key, "lives on", n.ID)
	}
	stop()
	fmt.Println(errors.Is(<-done, context.Canceled))
	// Output:
	// article:1 lives on mc1
	// article:2 lives on mc2
	// article:3 lives on mc2
	// true
}
