package lbsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
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
	type cell struct{ e, s int }
	cells := make(chan cell)
	errs := make([]error, runtime.GOMAXPROCS(0))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for c := range cells {
				r, err := Run(ctx, scenarios[c.s], entries[c.e])
				if err != nil && errs[w] == nil {
					errs[w] = fmt.Errorf("lbsim: %s with %s: %w", scenarios[c.s].Name, entries[c.e].Name, err)
					cancel()
				}
				t.Results[c.e][c.s] = r // no other worker has this cell
			}
		})
	}
	for e := range entries {
		t.Results[e] = make([]Result, len(scenarios))
	}
	for s := range scenarios {
		for e := range entries {
			cells <- cell{e, s}
		}
	}
	close(cells)
	wg.Wait()
	return t, errors.Join(errs...)
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
	wide := len("policy")
	for _, e := range t.Entries {
		wide = max(wide, len(e.Name))
	}
	col := 13
	for _, s := range t.Scenarios {
		col = max(col, len(s.Name))
	}
	b := fmt.Appendf(nil, "%-*s", wide, "policy")
	for _, s := range t.Scenarios {
		b = fmt.Appendf(b, "  %*s", col, s.Name)
	}
	b = append(b, '\n')
	for e := range t.Entries {
		b = fmt.Appendf(b, "%-*s", wide, t.Entries[e].Name)
		for _, r := range t.Results[e] {
			b = fmt.Appendf(b, "  %*s", col, fmt.Sprintf("%.0f (%.0f)", ms(r.P99), ms(r.P999)))
		}
		b = append(b, '\n')
	}
	n, err := w.Write(b)
	return int64(n), err
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// SVG draws p99 by policy, a group of bars for each scenario, on a logarithmic
// scale: policies in the order of their sum of logarithms, the best first.
func (t Table) SVG(w io.Writer) error {
	const (
		left, top, barH, gap, width = 180, 30, 13, 26, 560
	)
	order := make([]int, len(t.Entries))
	score := make([]float64, len(t.Entries))
	low, high := math.Inf(1), 0.0
	for e := range order {
		order[e] = e
		for _, r := range t.Results[e] {
			x := max(ms(r.P99), 1e-3)
			score[e] += math.Log(x)
			low, high = min(low, x), max(high, x)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score[a] < score[b]:
			return -1
		case score[a] > score[b]:
			return 1
		}
		return 0
	})
	low /= 1.5
	at := func(x float64) float64 { return math.Log(max(x, low)/low) / math.Log(high/low) * width }
	h := top + len(t.Scenarios)*(len(order)*barH+gap)
	b := fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="10">`+"\n", left+width+70, h+10)
	b = fmt.Appendf(b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%d" y="14" font-size="12">p99 latency, ms, logarithmic: shorter is better</text>`+"\n", left)
	y := top
	for s, sc := range t.Scenarios {
		b = fmt.Appendf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left, y+10, escape(sc.Name))
		y += 14
		for _, e := range order {
			x := ms(t.Results[e][s].P99)
			fill := "#9db4c8"
			switch {
			case t.Entries[e].Oracle != nil:
				fill = "#d9d9d9"
			case t.Entries[e].Name == "marginal":
				fill = "#c2571a"
			}
			b = fmt.Appendf(b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d">%.0f</text>`+"\n",
				left-6, y+10, escape(t.Entries[e].Name), left, y+1, at(x), barH-2, fill, left+at(x)+4, y+10, x)
			y += barH
		}
		y += gap - 14
	}
	b = append(b, "</svg>\n"...)
	_, err := w.Write(b)
	return err
}

func escape(s string) string {
	var b []byte
	for i := range len(s) {
		switch s[i] {
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '&':
			b = append(b, "&amp;"...)
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}
