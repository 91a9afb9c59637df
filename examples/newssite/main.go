// Command newssite is the news site of chapter 7 of the book: articles with
// comments, a navigation of each reader's own, editors who publish, and a
// database that is nearly idle. Start it without flags: everything is embedded.
//
// A small footer on each page says how many database queries it needed and
// where each part came from; /stats.json has the sums. -cache=off shows the
// same pages without the caches. All caching is in caches.go and visitor.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ashlar-go/ashlar/cache/memcached"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the command line.
type options struct {
	listen    string
	db        string
	replicas  []string
	cache     string
	memcached []memcached.Server
	nodes     int
	articles  int
	seed      uint64
}

// errUsage is the error of a command line that cannot be followed.
var errUsage = errors.New("wrong usage")

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("newssite", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to serve on; port 0 picks a free one")
	fs.StringVar(&o.db, "db", "sqlite", "database: sqlite (a file that is removed at the end), sqlite:///PATH,\n"+
		"postgres://USER:PASSWORD@HOST:PORT/DB or mysql://USER:PASSWORD@HOST:PORT/DB;\nits tables are made and filled if they are not there")
	fs.Func("replica", "`URL` of a copy of the database, of the same kind or another, that the site keeps\nequal to it and reads from; may be repeated", func(v string) error {
		o.replicas = append(o.replicas, v)
		return nil
	})
	fs.StringVar(&o.cache, "cache", "on", "on, or off to ask the database for everything")
	fs.Func("memcached", "memcached servers to share, `HOST:PORT,...`; they are taken to be the site's own", func(v string) error {
		for addr := range strings.SplitSeq(v, ",") {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return fmt.Errorf("%q is not HOST:PORT", addr)
			}
			o.memcached = append(o.memcached, memcached.Server{Name: addr, Addr: addr})
		}
		return nil
	})
	fs.IntVar(&o.nodes, "nodes", 1, "web nodes in this process, each with caches of its own; requests take turns")
	fs.IntVar(&o.articles, "articles", 2000, "articles to invent for a new database")
	fs.Uint64Var(&o.seed, "seed", 1, "what to invent: the same number gives the same newspaper")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(usage, "usage: newssite [flags]\n\nA news site whose database is nearly idle.\n\n")
		fs.SetOutput(usage)
		fs.PrintDefaults()
		fmt.Fprintf(usage, "\nenvironment:\n  %s\n    \tsecret of the cookies, at least 32 bytes, for several processes of one site;\n"+
			"    \tdefault: a new one at each start\n", secretVariable)
		return o, err
	case err != nil:
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.cache != "on" && o.cache != "off":
		err = fmt.Errorf("-cache is %q, want on or off", o.cache)
	case o.nodes < 1 || o.nodes > 100:
		err = fmt.Errorf("-nodes is %d, want 1 to 100", o.nodes)
	case o.articles < 1 || o.articles > 1_000_000:
		err = fmt.Errorf("-articles is %d, want 1 to 1000000", o.articles)
	case o.cache == "off" && len(o.memcached) > 0:
		err = errors.New("-memcached is of no use with -cache=off")
	default:
		err = o.checkDatabases()
	}
	if err != nil {
		return o, fmt.Errorf("%w: %w (newssite -h explains)", errUsage, err)
	}
	return o, nil
}

// checkDatabases says what is wrong with the URLs of the databases.
func (o options) checkDatabases() error {
	if _, err := dialectOf(o.db); err != nil {
		return fmt.Errorf("-db: %w", err)
	}
	for i, u := range o.replicas {
		switch _, err := dialectOf(u); {
		case err != nil:
			return fmt.Errorf("-replica: %w", err)
		case u == o.db || slices.Contains(o.replicas[:i], u):
			return errors.New("-replica: the same database twice")
		case u == "sqlite":
			return errors.New("-replica: want sqlite:///PATH")
		}
	}
	return nil
}

// run is main with everything it touches as arguments; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "newssite:", err)
		return 2
	}
	// The first signal ends the context; the next one finds no handler and
	// ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := serve(ctx, o, stdout, slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
		fmt.Fprintln(stderr, "newssite:", err)
		return 1
	}
	return 0
}

// serve runs the site until ctx ends.
func serve(ctx context.Context, o options, stdout io.Writer, log *slog.Logger) (err error) {
	// First of all, so that a port in use is known before the work begins.
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", o.listen, cause(err))
	}
	defer ln.Close()
	st, closeStore, err := openStore(ctx, o, log)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	follow, leave := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { st.follow(follow, log) })
	defer following.Wait()
	defer leave()
	how := caching{off: o.cache == "off", replicas: len(o.replicas) > 0}
	if len(o.memcached) > 0 {
		tier, err := memcached.New(memcached.Config{Servers: o.memcached, Logger: log})
		if err != nil {
			return err
		}
		defer tier.Close()
		how.shared = tier
	}
	s, err := newSite(st, o.nodes, how, log)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	fmt.Fprintf(stdout, "listening on %s\n", ln.Addr())
	log.Info("the paper is out", "url", "http://"+ln.Addr().String()+"/", "articles", o.articles, "caches", o.cache)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	log.Info("shutting down")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

// stopped takes the error of work that a signal cut short for a good end.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// cause returns what is inside an error of package net, whose own text repeats
// the address.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// openStore opens the master, fills it if it is empty, and brings the replicas
// up to date.
func openStore(ctx context.Context, o options, log *slog.Logger) (st *store, done func() error, err error) {
	var closers []func() error
	closeAll := func() error {
		var errs []error
		for i := len(closers) - 1; i >= 0; i-- {
			errs = append(errs, closers[i]())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll())
		}
	}()
	if o.db == "sqlite" {
		dir, err := os.MkdirTemp("", "newssite-")
		if err != nil {
			return nil, nil, err
		}
		closers = append(closers, func() error { return os.RemoveAll(dir) })
		o.db = "sqlite://" + filepath.ToSlash(filepath.Join(dir, "news.db"))
	}
	st = new(store)
	if st.master, st.dialect, err = openDB(ctx, o.db); err != nil {
		return nil, nil, err
	}
	closers = append(closers, st.master.Close)
	if err := st.fill(ctx, o.seed, o.articles); err != nil {
		return nil, nil, err
	}
	for _, u := range o.replicas {
		r, err := newReplica(ctx, st, u, log)
		if err != nil {
			return nil, nil, err
		}
		closers = append(closers, r.db.Close, r.keeper.Close)
		st.replicas = append(st.replicas, r)
		if err := r.catchUp(ctx); err != nil {
			return nil, nil, err
		}
	}
	return st, closeAll, nil
}
