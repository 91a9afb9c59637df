// Lbsim plays balancing policies on a simulated farm and prints their tail
// latencies: p99 and p99.9, in milliseconds.
//
// It plays the standard scenarios, which takes minutes, or with flags that
// describe a farm, that farm. With -safe it prints how far the servers can
// be loaded instead: up to the p99 that choosing at random by their true speeds
// has at 70 %.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case err == nil, errors.Is(err, flag.ErrHelp), errors.Is(err, context.Canceled):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "lbsim:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong usage")

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	var s lbsim.Scenario
	fs := flag.NewFlagSet("lbsim", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.IntVar(&s.Servers, "servers", 100, "number of servers, four cores each")
	fs.IntVar(&s.Balancers, "balancers", 10, "number of balancers")
	fs.Float64Var(&s.Load, "load", 0.8, "offered work over what the servers can do")
	fs.DurationVar(&s.Delay, "delay", 250*time.Microsecond, "one way between balancer and server")
	fs.Float64Var(&s.Jitter, "jitter", 0, "delays are longer by a random part of up to this times -delay")
	fs.IntVar(&s.Requests, "requests", 0, "requests that are measured in each run; default 300000, with -safe 50000")
	fs.Uint64Var(&s.Seed, "seed", 1, "of everything random")
	fs.IntVar(&s.Fast, "failing", 0, "so many servers fail each request at once")
	kind := fs.String("farm", "hetero", "homo: equal servers; hetero: speeds 0.5, 1 and 2; noisy: the same, and each is slow now and then")
	dist := fs.String("work", "exponential", "of requests, 10ms in the mean: exponential, log-normal, constant or bimodal")
	only := fs.String("policy", "", "play only policies whose names contain this; default all")
	safe := fs.Bool("safe", false, "print the highest load at which p99 is not above that of random choice by true speeds at 70 %; -load does not matter then")
	svg := fs.String("svg", "", "also draw the table into this file")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	wrong := func(what, value string) error {
		fmt.Fprintf(errs, "lbsim: no such %s: %q (-h explains)\n", what, value)
		return errUsage
	}
	if fs.NArg() > 0 {
		return wrong("argument", fs.Arg(0))
	}
	switch *kind {
	case "homo":
	case "noisy":
		s.Noise = lbsim.Noisy
		fallthrough
	case "hetero":
		s.Speeds = lbsim.Hetero
	default:
		return wrong("farm", *kind)
	}
	for s.Dist = lbsim.Exponential; s.Dist.String() != *dist; s.Dist++ {
		if s.Dist == lbsim.Bimodal {
			return wrong("work", *dist)
		}
	}
	scenarios := lbsim.Standard()
	if *safe && s.Requests == 0 { // each entry is played seven times
		s.Requests = 50_000
	}
	fs.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"svg", "policy", "safe", "requests"}, f.Name) {
			s.Name = *kind
			scenarios = []lbsim.Scenario{s}
		}
	})
	for i := range scenarios {
		scenarios[i].Requests = s.Requests
	}
	if *safe && *svg != "" {
		return wrong("picture of safe loads", *svg)
	}
	var entries []lbsim.Entry
	for _, e := range append(append([]lbsim.Entry{{Name: "marginal", Policy: lb.Marginal{}}}, lbsim.Anchors()...), lbsim.Oracles()...) {
		if strings.Contains(e.Name, *only) {
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 {
		return wrong("policy", *only)
	}
	if *safe {
		t, err := lbsim.SafeLoads(ctx, scenarios, entries)
		if err != nil {
			return err
		}
		_, err = t.WriteTo(out)
		return err
	}
	t, err := lbsim.RunAll(ctx, scenarios, entries)
	if err != nil {
		return err
	}
	if _, err := t.WriteTo(out); err != nil {
		return err
	}
	if *svg == "" {
		return nil
	}
	f, err := os.Create(*svg)
	if err != nil {
		return err
	}
	return errors.Join(t.SVG(f), f.Close())
}
