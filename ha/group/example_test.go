package group_test

import (
	"context"
	"fmt"
	"log"
	"sync"

	"github.com/ashlar-go/ashlar/ha/group"
)

// One process alone is a group as well; with Cluster and Seeds it has others.
func Example() {
	g, err := group.New(group.Config{Name: "web1"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Run(ctx) })

	got := make(chan string)
	wg.Go(func() {
		_ = g.Subscribe(ctx, "purge", func(data []byte) {
			select {
			case got <- string(data):
			case <-ctx.Done():
			}
		})
		// Here a cache forgets all: messages may have been missed.
	})
	wg.Go(func() {
		for ctx.Err() == nil { // until the subscription is there
			_ = g.Publish(ctx, "purge", []byte("/index.html"))
		}
	})
	fmt.Println(<-got)
	cancel()
	wg.Wait()
	// Output: /index.html
}
