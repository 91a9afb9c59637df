package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ashlar-go/ashlar/lb/lbsim"
)

// foretold is how many seeds the simulator plays: it is cheap.
const foretold = 15

// row is a policy's line: medians over rounds, and over the simulator's seeds.
type row struct {
	name           string
	real, sim      [3]time.Duration // p50, p99, p99.9
	failed, rounds int
	disturbed      int // rounds that do not count
	late           time.Duration
}

// report prints the farm beside the simulation of it.
func report(ctx context.Context, w io.Writer, s lbsim.Scenario, tooLate time.Duration, entries []entry, results [][]outcome) error {
	var rows []row
	var delays []time.Duration
	for _, round := range results {
		for _, o := range round {
			if o.Late <= tooLate {
				delays = append(delays, o.Delay)
			}
		}
	}
	s.Delay = quantile(delays, 0.5)
	for _, e := range entries {
		r := row{name: e.Name}
		var real, sim [3][]time.Duration
		var late []time.Duration
		for _, round := range results {
			for _, o := range round {
				if o.Policy != e.Name {
					continue
				}
				if o.Late > tooLate {
					r.disturbed++
					continue
				}
				add(&real, o.P50, o.P99, o.P999)
				late = append(late, o.Late)
				r.failed += o.Failed
				r.rounds++
			}
		}
		if r.rounds == 0 {
			fmt.Fprintf(w, "%s: each of %d rounds was disturbed\n", e.Name, r.disturbed)
			continue
		}
		for seed := range uint64(foretold) {
			s.Seed = 1000 + seed
			o, err := lbsim.Run(ctx, s, e.Entry)
			if err != nil {
				return fmt.Errorf("simulation of %s: %w", e.Name, err)
			}
			add(&sim, o.P50, o.P99, o.P999)
		}
		for i := range r.real {
			r.real[i], r.sim[i] = quantile(real[i], 0.5), quantile(sim[i], 0.5)
		}
		r.late = quantile(late, 0.5)
		rows = append(rows, r)
	}
	fmt.Fprintf(w, "%d backends (speeds %v, %d cores), %d balancers, work %v, load %v, noise %v, %d requests a round, %v one way\n",
		s.Servers, s.Speeds, s.Cores, s.Balancers, s.Work, s.Load, s.Noise.Every > 0, s.Requests, s.Delay.Round(time.Microsecond))
	simRank, realRank := ranks(rows, func(r row) time.Duration { return r.sim[1] }), ranks(rows, func(r row) time.Duration { return r.real[1] })
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "by p99\tpolicy\tfarm p50\tp99\tp99.9\tsimulated p50\tp99\tp99.9\tby p99\tfailed\trounds\tdisturbed\tsent late p99\t")
	slices.SortStableFunc(rows, func(a, b row) int { return int(a.real[1] - b.real[1]) })
	for _, r := range rows {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t\n", realRank[r.name], r.name,
			ms(r.real[0]), ms(r.real[1]), ms(r.real[2]), ms(r.sim[0]), ms(r.sim[1]), ms(r.sim[2]), simRank[r.name], r.failed, r.rounds, r.disturbed, ms(r.late))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	pairs, agree := 0, 0
	for i, a := range rows {
		for _, b := range rows[i+1:] {
			pairs++
			if simRank[a.name] < simRank[b.name] {
				agree++
			}
		}
	}
	fmt.Fprintf(w, "milliseconds; the farm orders %d of %d pairs of policies by p99 as the simulation does\n", agree, pairs)
	return nil
}

func add(to *[3][]time.Duration, values ...time.Duration) {
	for i, v := range values {
		to[i] = append(to[i], v)
	}
}

// ranks are places by a latency, the least first.
func ranks(rows []row, by func(row) time.Duration) map[string]int {
	sorted := slices.SortedStableFunc(slices.Values(rows), func(a, b row) int { return int(by(a) - by(b)) })
	places := make(map[string]int)
	for i, r := range sorted {
		places[r.name] = i + 1
	}
	return places
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1e3) }
