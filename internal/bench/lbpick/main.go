// Lbpick times one choice of a node and its end, of 32 nodes, with package lb
// and with the pickers of Go modules that people use, in one process and in
// turns, beside the least that is possible: a random number and two counts.
//
//	go run ./lbpick [-rounds 31] [-slice 20ms] [-nodes 32]
//
// Each is timed with one goroutine on one processor and with two on two: wall
// time per operation, so that what scales takes half as long with two.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/internal/bench/side"
)

func main() {
	rounds := flag.Int("rounds", 31, "how often each is timed; the medians count")
	slice := flag.Duration("slice", 20*time.Millisecond, "how long each is timed in a round")
	nodes := flag.Int("nodes", 32, "how many nodes there are to choose from")
	flag.Parse()
	all, err := contenders(*nodes)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lbpick:", err)
		os.Exit(1)
	}
	for _, procs := range []int{1, 2} {
		runtime.GOMAXPROCS(procs)
		var cases []side.Case
		for _, c := range all {
			cases = append(cases, side.Case{Name: c.name, Run: func(n int) { spread(procs, n, c.pick) }})
		}
		fmt.Printf("%d of %d processors, %d nodes\n", procs, runtime.NumCPU(), *nodes)
		side.Print(os.Stdout, side.Compare(*rounds, *slice, cases...))
		fmt.Println()
	}
}

// spread calls pick n times, from as many goroutines.
func spread(goroutines, n int, pick func(n int)) {
	if goroutines == 1 {
		pick(n)
		return
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() { pick(n / goroutines) })
	}
	wg.Wait()
}
