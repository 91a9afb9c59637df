package lbsim

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// Anchors are the policies that others use, each with what it needs: what ours
// is held against.
func Anchors() []Entry {
	return []Entry{
		{Name: "round robin", Policy: lb.RoundRobin{}},
		{Name: "random", Policy: lb.Random{}},
		{Name: "least in flight", Policy: lb.LeastInFlight{}},
		{Name: "least, true weights", Policy: lb.LeastInFlight{}, Weighted: true},
		{Name: "random, true weights", Policy: lb.Random{}, Weighted: true},
		{Name: "two choices", Policy: lb.PowerOfD{}},
		{Name: "two choices, EWMA", Policy: lb.PeakEWMA{}},
		{Name: "EWMA, all nodes", Policy: lb.PeakEWMA{Scan: true}},
		{Name: "join idle queue", Policy: lb.JoinIdleQueue{}, Tokens: true},
		{Name: "Prequal q=0.84", Policy: lb.Prequal{}},
		{Name: "Prequal q=0.6", Policy: lb.Prequal{Quantile: 0.6}},
		{Name: "Prequal, RIF only", Policy: lb.Prequal{Quantile: -1}},
	}
}

// Oracles are rules that see what no balancer can: how much better one could
// be.
func Oracles() []Entry {
	return []Entry{
		{Name: "oracle, shortest queue", Oracle: ShortestQueue},
		{Name: "oracle, least marginal", Oracle: LeastMarginal},
	}
}

// Standard are the scenarios of the research table.
func Standard() []Scenario {
	named := func(name string, s Scenario) Scenario {
		s.Name = name
		return s
	}
	return []Scenario{
		named("homo N=10", Scenario{Seed: 1}),
		named("homo N=100", Scenario{Seed: 1, Balancers: 100}),
		named("hetero N=10", Scenario{Seed: 1, Speeds: Hetero}),
		named("hetero N=100", Scenario{Seed: 1, Speeds: Hetero, Balancers: 100}),
		named("noisy N=10", Scenario{Seed: 1, Speeds: Hetero, Noise: Noisy}),
		named("noisy N=100", Scenario{Seed: 1, Speeds: Hetero, Noise: Noisy, Balancers: 100}),
		named("noisy small", Scenario{Seed: 1, Speeds: Hetero, Noise: Noisy, Balancers: 2, Servers: 8}),
	}
}

// Table is the results of entries (rows) in scenarios (columns).
type Table struct {
	Entries   []Entry
	Scenarios []Scenario
	Results   [][]Result // by entry, then by scenario
}

// RunAll plays every scenario with every entry, as many at a time as there are
// processors. It returns the first error.
func RunAll(ctx context.Context, scenarios []Scenario, entries []Entry) (Table, error) {
	t := Table{Entries: entries, Scenarios: scenarios, Results: make([][]Result, len(entries))}
	for e := range entries {
		t.Results[e] = make([]Result, len(scenarios))
	}
	err := each(ctx, len(entries), len(scenarios), func(ctx context.Context, e, s int) error {
		r, err := Run(ctx, scenarios[s], entries[e])
		if err != nil {
			return fmt.Errorf("lbsim: %s with %s: %w", scenarios[s].Name, entries[e].Name, err)
		}
		t.Results[e][s] = r
		return nil
	})
	return t, err
}

// each calls f for every cell of a table, as many at a time as there are
// processors, until one returns an error.
func each(ctx context.Context, rows, columns int, f func(ctx context.Context, row, column int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= rows*columns {
					return
				}
				if err := f(ctx, i%rows, i/rows); err != nil {
					cancel(err) // the first counts
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// Best returns the lowest P99 of a scenario among the first n entries.
func (t Table) Best(scenario, n int) time.Duration {
	best := time.Duration(math.MaxInt64)
	for e := range min(n, len(t.Results)) {
		best = min(best, t.Results[e][scenario].P99)
	}
	return best
}

// WriteTo prints the table: p99 and p99.9 in milliseconds. It implements
// io.WriterTo.
func (t Table) WriteTo(w io.Writer) (int64, error) {
	return writeTable(w, t.Entries, t.Scenarios, func(e, s int) string {
		r := &t.Results[e][s]
		return fmt.Sprintf("%.0f (%.0f)", ms(r.P99), ms(r.P999))
	})
}

func writeTable(w io.Writer, entries []Entry, scenarios []Scenario, cell func(e, s int) string) (int64, error) {
	wide := len("policy")
	for _, e := range entries {
		wide = max(wide, len(e.Name))
	}
	col := 13
	for _, s := range scenarios {
		col = max(col, len(s.Name))
	}
	b := fmt.Appendf(nil, "%-*s", wide, "policy")
	for _, s := range scenarios {
		b = fmt.Appendf(b, "  %*s", col, s.Name)
	}
	b = append(b, '\n')
	for e := range entries {
		b = fmt.Appendf(b, "%-*s", wide, entries[e].Name)
		for s := range scenarios {
			b = fmt.Appendf(b, "  %*s", col, cell(e, s))
		}
		b = append(b, '\n')
	}
	n, err := w.Write(b)
	return int64(n), err
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
