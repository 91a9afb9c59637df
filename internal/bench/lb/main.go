// Command lb times the proxies of lb/lbhttp and lb/lbtcp beside HAProxy, nginx,
// Caddy and net/http/httputil, in turns within one run.
//
//	go run ./lb [-rounds 5] [-slice 2s] [-only NAMES] [-sizes 1024,65536] [-connections 64] [-close]
//	go run ./lb idle [-pairs 10000] [-rest 10s] [-rounds 3] [-only NAMES]
//
// The second form opens so many connections through each TCP proxy and looks at
// the memory it needs while nothing moves. With -close each request of the first
// has a connection of its own.
//
// The proxy under test has one processor to itself, the load generator (wrk)
// and the backend (nginx, two addresses) share another. What is compared is CPU
// time per request of the proxy's process, as the kernel counts it: requests
// per second depend on what the other side has left. Each figure is the median
// over the rounds, each ratio the median of the rounds' own ratios.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if done, err := command(ctx, os.Args[1:]); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	rounds := flag.Int("rounds", 5, "how often each side is measured")
	slice := flag.Duration("slice", 2*time.Second, "how long each measurement takes")
	only := flag.String("only", "", "names of the proxies to measure, separated by commas; default all")
	list := flag.String("sizes", "1024,65536", "sizes of the responses in bytes")
	connections := flag.Int("connections", 64, "connections of the load generator")
	flag.BoolVar(&closing, "close", false, "a connection for each request")
	flag.Parse()
	var sizes []int
	for field := range strings.SplitSeq(*list, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "-sizes: %q is no positive number\n", field)
			os.Exit(2)
		}
		sizes = append(sizes, n)
	}
	if err := run(ctx, sizes, *only, *rounds, *slice, *connections); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// command does what a first argument asks for, if that is no flag: another
// benchmark, or the part of a process that one of them needs.
func command(ctx context.Context, args []string) (done bool, err error) {
	if len(args) == 0 {
		return false, nil
	}
	switch args[0] {
	case "idle":
		return true, idle(ctx, args[1:])
	case "serve":
		return true, serve(args[1:])
	case "hold":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return true, err
		}
		return true, hold(args[1], n)
	case "echo":
		return true, echo(args[1])
	}
	return false, nil
}

// choose returns the contestants of a list of names; all for an empty one.
func choose(only string) ([]contestant, error) {
	var chosen []contestant
	for _, c := range all() {
		if only == "" || slices.Contains(strings.Split(only, ","), c.name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only %s: no such proxy", only)
	}
	return chosen, nil
}

// A cell is what one proxy did with one size.
type cell struct {
	perSecond, cpu []float64 // requests, and microseconds of CPU per request, by round
	errors         int64
}

func run(ctx context.Context, sizes []int, only string, rounds int, slice time.Duration, connections int) error {
	farm, err := startFarm(ctx, sizes)
	if err != nil {
		return err
	}
	defer farm.close()
	contestants, err := choose(only)
	if err != nil {
		return err
	}
	cells := map[string]*cell{}
	for round := range rounds {
		for _, c := range contestants {
			p, err := farm.start(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			for _, size := range sizes {
				key := c.name + "/" + strconv.Itoa(size)
				if cells[key] == nil {
					cells[key] = &cell{}
				}
				if err := cells[key].measure(ctx, p, size, slice, connections); err != nil {
					p.stop()
					return fmt.Errorf("%s, %d bytes: %w", c.name, size, err)
				}
			}
			p.stop()
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
	}
	report(contestants, cells, sizes)
	return nil
}

func (c *cell) measure(ctx context.Context, p *process, size int, slice time.Duration, connections int) error {
	if _, err := load(ctx, p.addr, size, 300*time.Millisecond, connections); err != nil { // warm up
		return err
	}
	before := p.cpu()
	r, err := load(ctx, p.addr, size, slice, connections)
	if err != nil {
		return err
	}
	if r.requests == 0 {
		return fmt.Errorf("no request was answered")
	}
	c.cpu = append(c.cpu, float64(p.cpu()-before)/float64(time.Microsecond)/float64(r.requests))
	c.perSecond = append(c.perSecond, float64(r.requests)/r.took.Seconds())
	c.errors += r.errors
	return nil
}

// report prints the medians, and the ratios to the first peer of the same layer.
func report(contestants []contestant, cells map[string]*cell, sizes []int) {
	for _, size := range sizes {
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "%d bytes\trequests/s\tCPU us/request\tCPU / reference\terrors\n", size)
		for _, c := range contestants {
			me := cells[c.name+"/"+strconv.Itoa(size)]
			ratio := "-"
			if ref := cells[c.reference+"/"+strconv.Itoa(size)]; ref != nil {
				var ratios []float64
				for i := range min(len(me.cpu), len(ref.cpu)) {
					ratios = append(ratios, me.cpu[i]/ref.cpu[i])
				}
				ratio = fmt.Sprintf("%.2f of %s", median(ratios), c.reference)
			}
			fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%s\t%d\n", c.name, median(me.perSecond), median(me.cpu), ratio, me.errors)
		}
		w.Flush()
		fmt.Println()
	}
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	x = slices.Sorted(slices.Values(x))
	if n := len(x); n%2 == 0 {
		return (x[n/2-1] + x[n/2]) / 2
	}
	return x[len(x)/2]
}
