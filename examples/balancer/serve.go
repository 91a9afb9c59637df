package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"golang.org/x/sync/errgroup"
)

// balancer is the command, ready to run.
type balancer struct {
	options
	pool  *lb.Pool
	watch *watch
	front *front
	page  http.Handler // of -admin
	log   *slog.Logger
}

// build makes a balancer of the command line. It reads the files that it names
// and opens nothing.
func build(o options, log *slog.Logger) (*balancer, error) {
	w := newWatch()
	cfg := lb.Config{
		Nodes: o.backends, Policy: o.policy, SlowStart: o.slowStart, Limit: o.limit, Queue: lb.Queue{Len: o.queue}, Logger: log,
		Check: lb.Check{Func: w.checked(o.check), Interval: o.interval, Rise: o.rise, Fall: o.fall},
		Trace: &lb.Trace{Done: w.done},
	}
	if o.probe != "" {
		cfg.Probe = reportsAt(o.probe)
	}
	tiered := func(n lb.Node) bool { return n.Attr["tier"] != "" }
	if len(o.tiers) > 0 || o.backendFile != "" || slices.ContainsFunc(o.backends, tiered) {
		cfg.Steps = []lb.Step{lb.ByTier()}
	}
	pool, err := lb.New(cfg)
	if err != nil {
		return nil, err
	}
	w.pool = pool
	b := &balancer{options: o, pool: pool, watch: w, log: log}
	if b.front, err = newFront(o, pool, w, log); err != nil {
		return nil, err
	}
	if b.page, err = newAdmin(o, w, b.front); err != nil {
		return nil, err
	}
	return b, nil
}

// run serves until ctx ends, and returns nil then.
func (b *balancer) run(ctx context.Context, stdout io.Writer) error {
	l, err := net.Listen("tcp", b.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	if b.front.open != nil {
		if err := b.front.open(l.Addr().String()); err != nil {
			return err
		}
	}
	// Checks and the status page go on while the last requests end.
	rest, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, rest := errgroup.WithContext(rest)
	if b.admin != "" {
		al, err := net.Listen("tcp", b.admin)
		if err != nil {
			return err
		}
		defer al.Close()
		g.Go(func() error {
			return serveHTTP(rest, &http.Server{Handler: b.page, ReadHeaderTimeout: 10 * time.Second}, al, time.Second)
		})
		g.Go(func() error { return b.watch.run(rest) })
		fmt.Fprintln(stdout, "listening on", al.Addr(), "(status)")
	}
	if b.backendFile != "" {
		hup := make(chan os.Signal, 1)
		signal.Notify(hup, syscall.SIGHUP)
		defer signal.Stop(hup)
		g.Go(func() error { return b.reload(rest, hup) })
	}
	g.Go(func() error { return b.pool.Run(rest) })
	serving, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(rest, end)() // if one of those fails
	defer context.AfterFunc(ctx, func() {
		b.log.Info("no more clients; requests in progress may end", "in_flight", b.pool.Stats().InFlight, "at_most", b.drain)
	})()
	fmt.Fprintln(stdout, "listening on", l.Addr())
	err = b.front.run(serving, l)
	stop()
	if others := g.Wait(); !errors.Is(others, context.Canceled) {
		err = others
	}
	if !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// reload reads the backends anew on SIGHUP. A file with a mistake changes
// nothing.
func (b *balancer) reload(ctx context.Context, hup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-hup:
		}
		nodes, err := readBackends(b.backendFile)
		if err == nil {
			err = b.pool.Set(nodes)
		}
		if err != nil {
			b.log.Error("the backends stay as they are", "err", err)
			continue
		}
		b.log.Info("backends read", "file", b.backendFile, "backends", len(nodes))
	}
}
