package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// perSecond is how many transactions a writer commits.
const perSecond = 500

// follower is a system under a steady load.
type follower struct {
	*system
	name    string
	durable bool // the writer waits for its commits to be on disk
}

// lag measures the time from a commit on the master to the row on the replica,
// while a writer commits 500 transactions a second.
func (l *lab) lag(ctx context.Context) error {
	var list []follower
	var owned []*system
	defer func() { dropAll(ctx, owned) }()
	for _, name := range []string{"ours-notified", "ours-polled", "logical", "slony", "bucardo"} {
		if base := map[string]string{"ours-notified": "ours", "ours-polled": "ours"}[name]; !l.has(name) && !(base != "" && l.has(base)) {
			continue
		}
		made, err := l.systems(ctx, "_lag", l.rows/10, name)
		if err != nil {
			return err
		}
		owned = append(owned, made...)
		for _, s := range made {
			switch p := s.peer.(type) {
			case *ours:
				p.follow = true
				list = append(list, follower{s, name, false})
			case *logical:
				list = append(list, follower{s, "logical, durable commits", true}, follower{s, "logical, asynchronous commits", false})
			default:
				list = append(list, follower{s, name, false})
			}
		}
	}
	p50, p90, p99 := newTable("lag at 500 transactions a second, median", "ms", "it / ours-notified"), newTable("lag, p90", "ms", "it / ours-notified"), newTable("lag, p99", "ms", "it / ours-notified")
	for _, t := range []*table{p50, p90, p99} {
		t.base, t.inverse, t.digits = "ours-notified", true, 1
	}
	for round := range l.rounds {
		for _, f := range list {
			lags, err := l.follow(ctx, f, round)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				p50.fail(f.name, err)
				continue
			}
			at := func(p int) float64 { return lags[len(lags)*p/100].Seconds() * 1000 }
			p50.add(f.name, at(50))
			p90.add(f.name, at(90))
			p99.add(f.name, at(99))
			l.logf("%s: p50 %.1f p90 %.1f p99 %.1f ms of %d", f.name, at(50), at(90), at(99), len(lags))
		}
		for _, t := range []*table{p50, p90, p99} {
			t.endRound()
		}
	}
	for _, t := range []*table{p50, p90, p99} {
		t.print()
	}
	return nil
}

// follow runs one writer and looks at the replica. The lags are sorted.
func (l *lab) follow(ctx context.Context, f follower, round int) (lags []time.Duration, err error) {
	if p, ok := f.peer.(preparer); ok {
		if err := p.prepare(ctx); err != nil {
			return nil, err
		}
	}
	if err := f.settle(ctx); err != nil {
		return nil, err
	}
	if err := f.start(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if stopErr := f.stop(ctx); err == nil {
			err = stopErr
		}
		if err == nil {
			err = f.equal(ctx)
		}
	}()
	if err := f.mark(ctx); err != nil {
		return nil, err
	}
	if err := f.arrived(ctx, time.Minute); err != nil {
		return nil, err
	}
	time.Sleep(time.Second)
	n := perSecond * l.seconds
	first := int64(1_000_000 * (10 + round))
	if f.durable {
		first += 500_000
	}
	committed, seen := make([]time.Time, n), make([]time.Time, n)
	wrote := make(chan error, 1)
	go func() { wrote <- f.write(ctx, first, committed, f.durable) }()
	if err := f.watch(ctx, first, seen, time.Duration(l.seconds)*2*time.Second+30*time.Second); err != nil {
		return nil, err
	}
	if err := <-wrote; err != nil {
		return nil, err
	}
	if err := f.mark(ctx); err != nil {
		return nil, err
	}
	if err := f.arrived(ctx, time.Minute); err != nil {
		return nil, err
	}
	for i := range seen {
		lags = append(lags, max(0, seen[i].Sub(committed[i])))
	}
	slices.Sort(lags)
	l.logf("%s: written at %.0f a second", f.name, float64(n-1)/committed[n-1].Sub(committed[0]).Seconds())
	return lags, nil
}

// write commits one transaction after the other at a steady pace, each with an
// INSERT and an UPDATE, and notes when each commit had returned.
func (p *pair) write(ctx context.Context, first int64, committed []time.Time, durable bool) error {
	conn, err := p.source.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	how := "off"
	if durable {
		how = "on"
	}
	if _, err := conn.ExecContext(ctx, "SET synchronous_commit = "+how); err != nil {
		return err
	}
	began := time.Now()
	for i := range committed {
		id := first + int64(i)
		if wait := time.Until(began.Add(time.Duration(i) * time.Second / perSecond)); wait > 0 {
			time.Sleep(wait)
		}
		// Without arguments it is one round trip, and one transaction.
		q := fmt.Sprintf("INSERT INTO site_users VALUES (%[1]d, 'new%[1]d', 'x', 'new%[1]d@example.com', 0, '2008-03-01', '2008-03-01');"+
			"UPDATE site_users SET tag = tag + 1 WHERE id = %[2]d", id, 1+id*7919%int64(p.l.rows/10))
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
		committed[i] = time.Now()
	}
	return nil
}

// watch notes when each row is first seen on the replica.
func (p *pair) watch(ctx context.Context, first int64, seen []time.Time, within time.Duration) error {
	conn, err := p.target.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	end := time.Now().Add(within)
	for n := 0; n < len(seen); {
		var last int64 = -1
		if err := conn.QueryRowContext(ctx, "SELECT coalesce(max(id), -1) FROM site_users WHERE id >= $1 AND id < $2", first, first+int64(len(seen))).Scan(&last); err != nil {
			return err
		}
		now := time.Now()
		for ; n < len(seen) && first+int64(n) <= last; n++ {
			seen[n] = now
		}
		if now.After(end) {
			return fmt.Errorf("%d of %d rows were seen within %v", n, len(seen), within)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}
