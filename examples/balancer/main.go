// Command balancer spreads HTTP requests or TCP connections over backends, in
// place of HAProxy or nginx. Start it with -h.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with everything it touches as arguments; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var b *balancer
	if err == nil {
		b, err = build(o, slog.New(slog.NewTextHandler(stderr, nil)))
	}
	if err != nil {
		fmt.Fprintf(stderr, "balancer: %v (balancer -h explains)\n", err)
		return 2
	}
	// The first signal ends the context; the next one finds no handler and ends
	// the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := b.run(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "balancer:", err)
		return 1
	}
	return 0
}
