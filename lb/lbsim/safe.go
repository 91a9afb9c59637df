package lbsim

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// SafeTable is how far servers can be loaded: for each entry (row) and
// scenario (column) the highest load at which the p99 is not above the limit.
type SafeTable struct {
	Entries   []Entry
	Scenarios []Scenario
	Limits    []time.Duration // of the p99, by scenario
	Loads     [][]float64     // by entry, then by scenario; 0: the limit is never kept
}

// SafeLoads measures what the book's rule of 70 % (chapter 5) becomes with each
// entry: the limit in each scenario is the p99 that choosing at random, in
// proportion to the servers' true speeds, has at a load of 0.7. The scenarios'
// own loads do not matter. It plays as many at a time as there are processors,
// and returns the first error.
func SafeLoads(ctx context.Context, scenarios []Scenario, entries []Entry) (SafeTable, error) {
	t := SafeTable{
		Entries: entries, Scenarios: scenarios,
		Limits: make([]time.Duration, len(scenarios)),
		Loads:  make([][]float64, len(entries)),
	}
	rule := Entry{Name: "random, true weights", Policy: lb.Random{}, Weighted: true}
	err := each(ctx, 1, len(scenarios), func(ctx context.Context, _, i int) error {
		s := scenarios[i]
		s.Load = 0.7
		r, err := Run(ctx, s, rule)
		t.Limits[i] = r.P99
		return err
	})
	if err != nil {
		return t, err
	}
	for e := range entries {
		t.Loads[e] = make([]float64, len(scenarios))
	}
	err = each(ctx, len(entries), len(scenarios), func(ctx context.Context, e, i int) (err error) {
		t.Loads[e][i], err = SafeLoad(ctx, scenarios[i], entries[e], t.Limits[i])
		return err
	})
	return t, err
}

// SafeLoad returns the highest load, in steps of 0.01 below 1, at which the
// entry's p99 is not above the limit; 0 if it is above it at 0.01 already. It
// takes for granted that p99 grows with the load.
func SafeLoad(ctx context.Context, s Scenario, e Entry, limit time.Duration) (float64, error) {
	low, high := 0, 99
	for low < high {
		mid := (low + high + 1) / 2
		s.Load = float64(mid) / 100
		r, err := Run(ctx, s, e)
		if err != nil {
			return 0, err
		}
		if r.P99 <= limit {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return float64(low) / 100, nil
}

// WriteTo prints the table, loads in percent. It implements io.WriterTo.
func (t SafeTable) WriteTo(w io.Writer) (int64, error) {
	return writeTable(w, t.Entries, t.Scenarios, func(e, s int) string {
		return fmt.Sprintf("%.0f %%", 100*t.Loads[e][s])
	})
}
