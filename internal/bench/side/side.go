// Package side times functions side by side: in turns, in one process, so that
// a machine that changes its speed changes it for all, and the ratios hold.
package side

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

// Case is one of the things compared. The first case is what the others are
// divided by.
type Case struct {
	Name string
	// Run does the work n times, with as many goroutines as it likes.
	Run func(n int)
}

// Result is what a case cost, as medians over the rounds.
type Result struct {
	Name   string
	Wall   time.Duration // per operation
	CPU    time.Duration // user and system time of the process, per operation
	Allocs float64       // heap allocations per operation
	Ratio  float64       // wall time, divided round by round by that of the first case
}

// Compare runs all cases in turn for so many rounds, each for about slice.
func Compare(rounds int, slice time.Duration, cases ...Case) []Result {
	ns := make([]int, len(cases))
	for i, c := range cases {
		ns[i] = calibrate(c.Run, slice)
	}
	type sample struct{ wall, cpu, allocs float64 }
	samples := make([][]sample, len(cases))
	for range rounds {
		for i, c := range cases {
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			cpu, start := cpuTime(), time.Now()
			c.Run(ns[i])
			wall, used := time.Since(start), cpuTime()-cpu
			runtime.ReadMemStats(&after)
			n := float64(ns[i])
			samples[i] = append(samples[i], sample{
				float64(wall) / n, float64(used) / n, float64(after.Mallocs-before.Mallocs) / n})
		}
	}
	results := make([]Result, len(cases))
	for i, c := range cases {
		var wall, cpu, allocs, ratio []float64
		for r, s := range samples[i] {
			wall, cpu, allocs = append(wall, s.wall), append(cpu, s.cpu), append(allocs, s.allocs)
			ratio = append(ratio, s.wall/samples[0][r].wall)
		}
		results[i] = Result{c.Name, time.Duration(Median(wall)), time.Duration(Median(cpu)), Median(allocs), Median(ratio)}
	}
	return results
}

// Print writes results as a table.
func Print(w io.Writer, results []Result) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "wall/op\tcpu/op\tallocs/op\tratio\t  what\t")
	for _, r := range results {
		fmt.Fprintf(tw, "%v\t%v\t%.1f\t%.2f\t  %s\t\n", r.Wall, r.CPU, r.Allocs, r.Ratio, r.Name)
	}
	_ = tw.Flush()
}

// Median returns the middle of values, which it sorts.
func Median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func calibrate(run func(int), slice time.Duration) int {
	for n := 1; ; n *= 2 {
		start := time.Now()
		run(n)
		if took := time.Since(start); took > slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(took)))
		}
	}
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
