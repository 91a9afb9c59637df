package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/bufbuild/httplb/attribute"
	"github.com/bufbuild/httplb/conn"
	"github.com/bufbuild/httplb/picker"
	"github.com/bufbuild/httplb/resolver"
	"github.com/go-kratos/kratos/v2/registry"
	"github.com/go-kratos/kratos/v2/selector"
	"github.com/go-kratos/kratos/v2/selector/p2c"
)

// contender chooses a node n times and ends each request at once.
type contender struct {
	name string
	pick func(n int)
}

func contenders(nodes int) ([]contender, error) {
	all := []contender{{"least possible: two choices", bare(nodes)}}
	for _, c := range []struct {
		name   string
		policy lb.Policy
	}{
		{"lb two choices", lb.PowerOfD{}},
		{"lb marginal (default)", lb.Marginal{}},
		{"lb two choices, EWMA", lb.PeakEWMA{}},
		{"lb EWMA, all nodes", lb.PeakEWMA{Scan: true}},
		{"lb least in flight", lb.LeastInFlight{}},
		{"lb round robin", lb.RoundRobin{}},
		{"lb random", lb.Random{}},
	} {
		pick, err := pool(nodes, c.policy)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		all = append(all, contender{c.name, pick})
	}
	kratos, err := kratosP2C(nodes)
	if err != nil {
		return nil, err
	}
	return append(all,
		contender{"httplb two choices", httplb(nodes, picker.NewPowerOfTwo)},
		contender{"httplb least loaded", httplb(nodes, picker.NewLeastLoadedRandom)},
		contender{"httplb round robin", httplb(nodes, picker.NewRoundRobin)},
		contender{"kratos two choices, EWMA", kratos},
	), nil
}

// bare is two choices by requests in flight, and nothing else: no membership,
// no error, no statistics.
func bare(nodes int) func(int) {
	type counter struct {
		n atomic.Int64
		_ [120]byte // of its own cache line
	}
	counters := make([]counter, nodes)
	return func(n int) {
		for range n {
			r := rand.Uint64()
			a, b := &counters[uint32(r)%uint32(nodes)], &counters[uint32(r>>32)%uint32(nodes)]
			if b.n.Load() < a.n.Load() {
				a = b
			}
			a.n.Add(1)
			a.n.Add(-1)
		}
	}
}

func pool(nodes int, policy lb.Policy) (func(int), error) {
	cfg := lb.Config{Policy: policy}
	for i := range nodes {
		cfg.Nodes = append(cfg.Nodes, lb.Node{ID: fmt.Sprintf("node%d", i), Addr: fmt.Sprintf("10.0.0.%d:80", i+1)})
	}
	p, err := lb.New(cfg)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(n int) {
		for range n {
			l, err := p.Acquire(ctx, lb.Request{})
			if err != nil {
				panic(err)
			}
			l.Done(lb.Outcome{Latency: time.Millisecond})
		}
	}, nil
}

// httplbConns are connections that are never used.
type httplbConns []conn.Conn

func (c httplbConns) Len() int            { return len(c) }
func (c httplbConns) Get(i int) conn.Conn { return c[i] }

type httplbConn struct{ addr resolver.Address }

func (c *httplbConn) RoundTrip(*http.Request, func()) (*http.Response, error) {
	return nil, http.ErrNotSupported
}
func (c *httplbConn) Scheme() string                    { return "http" }
func (c *httplbConn) Address() resolver.Address         { return c.addr }
func (c *httplbConn) UpdateAttributes(attribute.Values) {}
func (c *httplbConn) Prewarm(context.Context) error     { return nil }

func httplb(nodes int, make func(picker.Picker, conn.Conns) picker.Picker) func(int) {
	var conns httplbConns
	for i := range nodes {
		conns = append(conns, &httplbConn{resolver.Address{HostPort: fmt.Sprintf("10.0.0.%d:80", i+1)}})
	}
	p := make(nil, conns)
	req := new(http.Request)
	return func(n int) {
		for range n {
			_, done, err := p.Pick(req)
			if err != nil {
				panic(err)
			}
			if done != nil {
				done()
			}
		}
	}
}

func kratosP2C(nodes int) (func(int), error) {
	s := p2c.New()
	var list []selector.Node
	for i := range nodes {
		addr := fmt.Sprintf("10.0.0.%d:80", i+1)
		list = append(list, selector.NewNode("http", addr, &registry.ServiceInstance{ID: addr, Name: "bench"}))
	}
	s.Apply(list)
	ctx := context.Background()
	if _, _, err := s.Select(ctx); err != nil {
		return nil, fmt.Errorf("kratos: %w", err)
	}
	return func(n int) {
		for range n {
			_, done, err := s.Select(ctx)
			if err != nil {
				panic(err)
			}
			done(ctx, selector.DoneInfo{})
		}
	}, nil
}
