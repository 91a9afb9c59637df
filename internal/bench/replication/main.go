// Command replication times package replication beside what people run now:
// PostgreSQL's logical replication, Slony-I and Bucardo, on private servers that
// it starts and ends itself.
//
//	go run ./replication [-only catchup,capture,lag,copy,memory] [-peers ...]
//
// All sides get the same tables and the same work in one run, in turns; each
// replica is compared with its master afterwards. Figures are medians over the
// rounds, and ratios the medians of the rounds' own ratios: other work on the
// machine moves the figures, and the ratios less. A system that cannot be set up
// is reported, and the others go on. Servers, clients and this program share
// the cores.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	sections  []string
	peers     []string
	workloads []string
	rounds    int
	rows      int
	seconds   int
	verbose   bool
	keep      string
}

var (
	allSections  = []string{"catchup", "capture", "lag", "copy", "memory"}
	allWorkloads = []string{"bulk", "single", "hot"}
	allPeers     = []string{"ours", "logical", "slony", "bucardo", "ours-mariadb", "bucardo-mariadb"}
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		childMain()
		return
	}
	var o options
	list := func(name string, all []string, to *[]string, what string) {
		*to = all
		flag.Func(name, what+": some of "+strings.Join(all, ",")+" (default all)", func(s string) error {
			*to = strings.Split(s, ",")
			for _, v := range *to {
				if !slices.Contains(all, v) {
					return fmt.Errorf("there is no %q", v)
				}
			}
			return nil
		})
	}
	list("only", allSections, &o.sections, "sections")
	list("peers", allPeers, &o.peers, "systems")
	list("workloads", allWorkloads, &o.workloads, "backlogs of catchup")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is measured")
	flag.IntVar(&o.rows, "rows", 200_000, "rows of the table, and changes to catch up with: a multiple of 10,000")
	flag.IntVar(&o.seconds, "seconds", 10, "how long a measurement of lag takes; one of capture takes half of it")
	flag.BoolVar(&o.verbose, "v", false, "print each round, and what the servers and daemons say")
	flag.StringVar(&o.keep, "profile", "", "directory for CPU profiles of our process, and the servers' logs with the time of each statement, which costs time")
	flag.Parse()
	if o.rounds < 1 || o.rows < 10_000 || o.rows%10_000 != 0 || o.seconds < 2 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "replication:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	l, err := openLab(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	fmt.Println(l.describe(ctx))
	for _, s := range o.sections {
		section := map[string]func(context.Context) error{
			"catchup": l.catchup, "capture": l.capture, "lag": l.lag, "copy": l.initial, "memory": l.memory,
		}[s]
		if err := section(ctx); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (o options) has(peer string) bool { return slices.Contains(o.peers, peer) }
