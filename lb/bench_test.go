package lb_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// BenchmarkPick is one Acquire and Done among 32 nodes.
func BenchmarkPick(b *testing.B) {
	for _, c := range []struct {
		name   string
		policy lb.Policy
	}{
		{"random", lb.Random{}},
		{"roundrobin", lb.RoundRobin{}},
		{"p2c", lb.PowerOfD{}},
		{"p2cewma", lb.PeakEWMA{}},
		{"marginal", lb.Marginal{}},
		{"least", lb.LeastInFlight{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := newPool(b, lb.Config{Nodes: nodes(32), Policy: c.policy})
			ctx := b.Context()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l, err := p.Acquire(ctx, lb.Request{})
					if err != nil {
						b.Error(err)
						return
					}
					l.Done(lb.Outcome{Latency: time.Millisecond})
				}
			})
		})
	}
}
