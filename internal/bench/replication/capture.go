package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// captured is a master's table with somebody's triggers.
type captured struct {
	name string
	*pair
	clear func(ctx context.Context) error // empties the log
}

// capture measures what the triggers cost the master's writers.
func (l *lab) capture(ctx context.Context) error {
	if err := l.capturePostgres(ctx); err != nil {
		return err
	}
	if !l.has("ours-mariadb") {
		return nil
	}
	return l.captureMariaDB(ctx)
}

func (l *lab) capturePostgres(ctx context.Context) error {
	var list []*captured
	defer func() {
		for _, c := range list {
			c.drop(ctx)
		}
	}()
	for _, name := range []string{"none", "ours", "slony", "bucardo"} {
		if name != "none" && !l.has(name) {
			continue
		}
		c, err := l.triggersOf(ctx, name)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			fmt.Printf("  %s cannot be measured: %v\n", name, err)
			continue
		}
		list = append(list, c)
	}
	for _, w := range []struct {
		what    string
		clients int
		script  string
	}{
		{"1 row per statement, 4 clients", 4, "\\set id random(1, %d)\nUPDATE site_users SET tag = tag + 1 WHERE id = :id;\n"},
		{"100 rows per statement, 2 clients", 2, "\\set id random(1, %d / 100) * 100\nUPDATE site_users SET tag = tag + 1 WHERE id > :id - 100 AND id <= :id;\n"},
	} {
		file := filepath.Join(l.dir, "pgbench.sql")
		if err := os.WriteFile(file, fmt.Appendf(nil, w.script, l.rows), 0o644); err != nil {
			return err
		}
		t := newTable("capture, "+w.what, "tps", "of none")
		t.base, t.inverse = "none", true
		for range l.rounds {
			for _, c := range list {
				if err := c.clear(ctx); err != nil {
					return err
				}
				if err := c.settle(ctx); err != nil {
					return err
				}
				cpu := treeCPU()
				tps, n, err := l.pgbench(ctx, c.pair, file, w.clients)
				if err != nil {
					t.fail(c.name, err)
					continue
				}
				t.add(c.name, tps)
				t.cost(c.name, treeCPU()-cpu, n)
				l.logf("%s: %.0f tps", c.name, tps)
			}
			t.endRound()
		}
		t.print()
	}
	return nil
}

// triggersOf installs a system's triggers on a table of its own.
func (l *lab) triggersOf(ctx context.Context, name string) (*captured, error) {
	p, err := l.newPair(ctx, "k_"+name, l.replica, l.rows)
	if err != nil {
		return nil, err
	}
	c := &captured{name: name, pair: p, clear: func(context.Context) error { return nil }}
	truncate := func(tables string) {
		c.clear = func(ctx context.Context) error { return execAll(ctx, p.source, "TRUNCATE "+tables) }
	}
	switch name {
	case "ours":
		o := &ours{l: l, p: p}
		c.clear = func(ctx context.Context) error {
			_, err := o.do(ctx, "trim")
			return err
		}
		_, err = o.do(ctx, "install")
	case "slony":
		s := &slony{p: p}
		truncate("_" + s.cluster() + ".sl_log_1, _" + s.cluster() + ".sl_log_2")
		err = s.capture(ctx)
	case "bucardo":
		truncate("bucardo.delta_public_site_users")
		err = (&bucardo{p}).capture(ctx)
	}
	return c, err
}

var (
	tpsLine   = regexp.MustCompile(`tps = ([0-9.]+)`)
	countLine = regexp.MustCompile(`transactions actually processed: ([0-9]+)`)
)

func (l *lab) pgbench(ctx context.Context, p *pair, script string, clients int) (tps float64, n int, err error) {
	out, err := l.asPostgres.run(ctx, "", filepath.Join(l.bin, "pgbench"), "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2",
		"-T", strconv.Itoa(max(1, l.seconds/2)), "-f", script, "-h", "127.0.0.1", "-p", strconv.Itoa(p.from.port), "-U", superuser, p.name)
	if err != nil {
		return 0, 0, err
	}
	t, c := tpsLine.FindStringSubmatch(out), countLine.FindStringSubmatch(out)
	if t == nil || c == nil {
		return 0, 0, fmt.Errorf("pgbench: %s", out)
	}
	tps, _ = strconv.ParseFloat(t[1], 64)
	n, _ = strconv.Atoi(c[1])
	return tps, n, nil
}

// RAND() in the condition would be evaluated for each row.
const updates = "CREATE PROCEDURE updates(n INT, m INT) BEGIN DECLARE i INT DEFAULT 0; DECLARE one BIGINT; WHILE i < n DO " +
	"SET one = 1 + FLOOR(RAND() * m); UPDATE site_users SET tag = tag + 1 WHERE id = one; SET i = i + 1; END WHILE; END"

// captureMariaDB runs the statements in a procedure on the server, because a
// client could not keep it busy.
func (l *lab) captureMariaDB(ctx context.Context) error {
	maria, err := l.mariaDB(ctx)
	if err != nil {
		return err
	}
	const clients, each = 4, 20_000
	var dbs []*sql.DB
	names := []string{"none", "ours"}
	for _, name := range names {
		p, err := l.newPair(ctx, "m_"+name, maria, l.rows)
		if err != nil {
			return err
		}
		defer p.drop(ctx)
		if err := p.copyByLoadData(ctx); err != nil {
			return err
		}
		if err := execAll(ctx, p.target, updates, "ANALYZE TABLE site_users"); err != nil {
			return err
		}
		dbs = append(dbs, p.target)
		if name == "ours" {
			o := &ours{l: l, p: &pair{l: l, name: p.name, from: maria, to: l.replica}}
			if _, err := l.createDB(ctx, l.replica, p.name); err != nil {
				return err
			}
			if _, err := o.do(ctx, "install"); err != nil {
				return err
			}
		}
	}
	t := newTable(fmt.Sprintf("capture on MariaDB, 1 row per statement in a procedure, %d clients", clients), "updates/s", "of none")
	t.base, t.inverse = "none", true
	for range l.rounds {
		for i, name := range names {
			cpu, began := treeCPU(), time.Now()
			if err := together(clients, func() error {
				return execAll(ctx, dbs[i], fmt.Sprintf("CALL updates(%d, %d)", each, l.rows))
			}); err != nil {
				return err
			}
			t.add(name, clients*each/time.Since(began).Seconds())
			t.cost(name, treeCPU()-cpu, clients*each)
		}
		t.endRound()
	}
	t.print()
	return nil
}

// together calls f n times at the same time, and returns an error if there was
// one.
func together(n int, f func() error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	return errorsOf(errs...)
}
