package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// serve is the program as one of the proxies under test.
func serve(args []string) error {
	fs := flag.NewFlagSet("serve", flag.ExitOnError)
	kind := fs.String("kind", "", "which proxy")
	listen := fs.String("listen", "127.0.0.1:0", "its address")
	backends := fs.String("backends", "", "addresses, separated by commas")
	profile := fs.String("cpuprofile", "", "write a profile there")
	fs.Parse(args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var nodes []lb.Node
	for i, addr := range strings.Split(*backends, ",") {
		nodes = append(nodes, lb.Node{ID: fmt.Sprint(i), Addr: addr})
	}
	pool, err := lb.New(lb.Config{Nodes: nodes})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer l.Close()
	addrs := strings.Split(*backends, ",")
	switch *kind {
	case "reverse", "reversepool":
		return serveHTTP(ctx, l, reverseProxy(addrs, *kind == "reversepool"))
	case "proxy":
		h, err := ourProxy(pool)
		if err != nil {
			return err
		}
		return serveHTTP(ctx, l, h)
	case "fasthttp":
		return fastProxy(ctx, l, addrs)
	case "tcp":
		p, err := lbtcp.New(lbtcp.Config{Pool: pool, Drain: -1})
		if err != nil {
			return err
		}
		return ended(p.Run(ctx, l))
	case "server":
		s, err := lbhttp.NewServer(lbhttp.ServerConfig{Pool: pool, Drain: -1})
		if err != nil {
			return err
		}
		return ended(s.Run(ctx, l))
	}
	return fmt.Errorf("no proxy %q", *kind)
}

// ended is the error of a Run that we ended.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
