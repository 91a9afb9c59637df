// Command lbfarm runs a real farm behind real balancers, with one policy after
// the other, and puts what the simulator foretells of the same farm beside it.
//
//	go run ./lbfarm [-rounds 1] [-time 8s] [-load 0.8] [-noise] [-only NAMES] [-results FILE]
//
// Eight backend processes of mixed speed serve requests, three processes of
// examples/balancer choose among them, and requests come as a Poisson process
// whatever becomes of those before (no coordinated omission: a latency counts
// from when its request was due). A backend works without using a processor:
// it shares pretended cores equally among its requests, in real time, so that a
// small machine can hold the farm. All policies meet the same requests in a
// round. Rounds go through the policies in turns; each figure is the median
// over the rounds, without those in which the load generator itself came late:
// the machine had something else to do then. With -results a long measurement can be done in pieces: what
// earlier runs found is kept there and counts too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/lb/lbsim"
)

func main() {
	run := measure
	if len(os.Args) > 1 && os.Args[1] == "backend" {
		run = backend
		os.Args = append(os.Args[:1], os.Args[2:]...)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "lbfarm:", err)
		stop()
		os.Exit(1)
	}
}

// outcome is what one policy did in one round.
type outcome struct {
	Policy         string
	P50, P99, P999 time.Duration
	Requests       int
	Failed         int
	Late           time.Duration // 99th percentile of how late requests were sent: the machine's fault
	Delay          time.Duration // half of what a request takes there and back with nothing to do
}

func measure(ctx context.Context) error {
	rounds := flag.Int("rounds", 1, "how often each policy is measured")
	seed := flag.Uint64("seed", 0, "of the first round; 0: one more than -results has rounds")
	long := flag.Duration("time", 8*time.Second, "how long a policy is measured in a round, after a quarter of it to warm up")
	load := flag.Float64("load", 0.8, "offered work over what the farm can do")
	noise := flag.Bool("noise", true, "slow each backend down now and then")
	only := flag.String("only", "", "names of policies, separated by commas; default all")
	late := flag.Duration("late", 15*time.Millisecond, "what the machine sent later than this, at the 99th percentile, does not count")
	file := flag.String("results", "", "file that collects the results of several runs")
	flag.Parse()
	s := lbsim.Scenario{
		Servers: 8, Balancers: 3, Cores: 2, Work: 20 * time.Millisecond, Load: *load,
		Speeds: []float64{0.5, 1, 2, 1, 0.5, 1, 1, 2},
	}
	if *noise {
		s.Noise = lbsim.Noisy
	}
	entries, err := chosen(*only)
	if err != nil {
		return err
	}
	results, err := earlier(*file)
	if err != nil {
		return err
	}
	if *seed == 0 {
		*seed = uint64(len(results)) + 1
	}
	bin, err := buildBalancer(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	for r := range *rounds {
		s.Seed = *seed + uint64(r)
		var round []outcome
		for _, e := range entries {
			o, err := play(ctx, bin, s, e, *long)
			if err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
			fmt.Fprintf(os.Stderr, "seed %d, %s: %+v\n", s.Seed, e.Name, o)
			round = append(round, o)
		}
		results = append(results, round)
		if *file != "" {
			text, err := json.Marshal(results)
			if err != nil {
				return err
			}
			if err := os.WriteFile(*file, text, 0o644); err != nil {
				return err
			}
		}
	}
	if len(results) == 0 {
		return errors.New("there are no results")
	}
	s.Requests, s.Warmup = results[0][0].Requests, results[0][0].Requests/4
	return report(ctx, os.Stdout, s, *late, entries, results)
}

// earlier reads the rounds that earlier runs left.
func earlier(file string) (rounds [][]outcome, err error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &rounds)
	}
	return rounds, err
}

func chosen(only string) ([]entry, error) {
	if only == "" {
		return entries(), nil
	}
	var list []entry
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, e := range entries() {
			if e.Name == name {
				list, found = append(list, e), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-only: there is no %q", name)
		}
	}
	return list, nil
}
