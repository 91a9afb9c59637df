package lb_test

import (
	"context"
	"fmt"

	"github.com/ashlar-go/ashlar/lb"
)

func Example() {
	pool, err := lb.New(lb.Config{
		Nodes: []lb.Node{
			{ID: "a", Addr: "10.0.0.1:80"},
			{ID: "b", Addr: "10.0.0.2:80", Weight: 2},
		},
		Policy: lb.RoundRobin{},
	})
	if err != nil {
		panic(err)
	}
	for range 3 {
		lease, err := pool.Acquire(context.Background(), lb.Request{})
		if err != nil {
			panic(err)
		}
		fmt.Println("send to", lease.Node().Addr)
		lease.Done(lb.Outcome{})
	}
	// Output:
	// send to 10.0.0.2:80
	// send to 10.0.0.1:80
	// send to 10.0.0.2:80
}
