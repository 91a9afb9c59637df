package main

import (
	"context"
	"fmt"
	"time"
)

// peer is a system that keeps a replica. After setup it is stopped and the
// replica equals the master.
type peer interface {
	setup(ctx context.Context, p *pair) error
	// start lets it go to work on what is waiting, and returns at once.
	start(ctx context.Context) error
	stop(ctx context.Context) error
}

// system is a peer by name, with its pair of databases.
type system struct {
	name string
	peer
	*pair
}

// newPeer returns the system of a name and the server its replica is on. The
// suffix keeps apart the databases of sections.
func (l *lab) newPeer(ctx context.Context, name, suffix string, rows int) (*system, error) {
	var p peer
	to := l.replica
	switch name {
	case "ours", "ours-polled":
		p = &ours{l: l}
	case "ours-notified":
		p = &ours{l: l, notify: true}
	case "logical":
		p = &logical{}
	case "slony":
		p = &slony{}
	case "bucardo":
		p = &bucardo{}
	case "ours-mariadb", "bucardo-mariadb":
		var err error
		if to, err = l.mariaDB(ctx); err != nil {
			return nil, err
		}
		p = &ours{l: l}
		if name == "bucardo-mariadb" {
			p = &bucardo{}
		}
	default:
		return nil, fmt.Errorf("no system %s", name)
	}
	dbName := "b_"
	for _, c := range name {
		if c != '-' {
			dbName += string(c)
		}
	}
	pr, err := l.newPair(ctx, dbName+suffix, to, rows)
	if err != nil {
		return nil, err
	}
	s := &system{name, p, pr}
	began := time.Now()
	if err := p.setup(ctx, pr); err != nil {
		stopped, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_ = p.stop(stopped)
		return nil, err
	}
	if err := pr.equal(ctx); err != nil {
		return nil, fmt.Errorf("after the initial copy: %w", err)
	}
	l.logf("%s is set up, in %.1f s", name, time.Since(began).Seconds())
	return s, nil
}

// systems sets up those of names that can be, and says which cannot.
func (l *lab) systems(ctx context.Context, suffix string, rows int, names ...string) ([]*system, error) {
	var out []*system
	for _, n := range names {
		s, err := l.newPeer(ctx, n, suffix, rows)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			fmt.Printf("  %s cannot be measured: %v\n", n, err)
			continue
		}
		out = append(out, s)
	}
	return out, nil
}
