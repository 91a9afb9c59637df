package lbcast_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbcast"
)

// A server tells a balancer how many requests it works on.
func Example() {
	secret := []byte("from a file that only we may read")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	// On the balancer:
	pool, err := lb.New(lb.Config{
		Nodes: []lb.Node{{ID: "web1", Addr: "10.0.0.1:80"}},
		Steps: []lb.Step{lb.ByAge(6 * time.Second)},
	})
	if err != nil {
		panic(err)
	}
	heard := make(chan lb.Report, 1)
	listening := make(chan netip.AddrPort, 1)
	receiver, err := lbcast.NewReceiver(lbcast.ReceiverConfig{
		Listen:  []string{"127.0.0.1:0"}, // or a group, such as 239.255.0.1:7000
		Secrets: [][]byte{secret},
		Report: func(id string, r lb.Report) error {
			err := pool.Report(id, r)
			select {
			case heard <- r:
			default:
			}
			return err
		},
		Trace: lbcast.ReceiverTrace{Listening: func(a netip.AddrPort) { listening <- a }},
	})
	if err != nil {
		panic(err)
	}
	go func() { _ = receiver.Run(ctx) }()

	// On the server:
	begun := time.Now()
	tracker := lb.NewTracker(4)
	tracker.Begin(time.Since(begun))
	sender, err := lbcast.NewSender(lbcast.SenderConfig{
		ID:     "web1",
		To:     []string{(<-listening).String()},
		Secret: secret,
		Report: func() lb.Report { return tracker.Report(time.Since(begun)) },
	})
	if err != nil {
		panic(err)
	}
	go func() { _ = sender.Run(ctx) }()

	r := <-heard
	fmt.Println("in flight there:", r.RIF, "cores:", r.Cores)
	// Output: in flight there: 1 cores: 4
}
