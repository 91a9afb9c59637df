package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

func password() string { return rand.Text() }

// pair is a master's database and its replica's, with the tables of a run.
type pair struct {
	l              *lab
	name           string // of both databases
	from, to       *server
	source, target *sql.DB
	marked         int64
}

// users is the book's SiteUsers, with its unique name; marker gets a row's worth
// of news after each workload, so that its arrival tells that all has arrived.
var ddl = map[string][]string{
	"postgres": {
		`CREATE TABLE site_users (id bigint PRIMARY KEY, username varchar(64) NOT NULL UNIQUE, password varchar(64) NOT NULL,
			email varchar(128) NOT NULL, tag integer NOT NULL, created timestamp(0) NOT NULL, changed timestamp(0) NOT NULL)`,
		`CREATE TABLE marker (id integer PRIMARY KEY, n bigint NOT NULL)`,
	},
	"mysql": {
		`CREATE TABLE site_users (id bigint PRIMARY KEY, username varchar(64) NOT NULL UNIQUE, password varchar(64) NOT NULL,
			email varchar(128) NOT NULL, tag integer NOT NULL, created datetime NOT NULL, changed datetime NOT NULL) ENGINE=InnoDB`,
		`CREATE TABLE marker (id integer PRIMARY KEY, n bigint NOT NULL) ENGINE=InnoDB`,
	},
}

const fill = `INSERT INTO site_users SELECT i, 'user' || i, md5(i::text), 'user' || i || '@example.com', 0,
	'2008-01-01'::timestamp + i * interval '1 minute', '2008-01-01' FROM generate_series(1, %d) i`

// newPair makes both databases with the tables; those of the master are filled.
func (l *lab) newPair(ctx context.Context, name string, to *server, rows int) (*pair, error) {
	p := &pair{l: l, name: name, from: l.master, to: to}
	var err error
	if p.source, err = l.createDB(ctx, p.from, name); err != nil {
		return nil, err
	}
	if p.target, err = l.createDB(ctx, to, name); err != nil {
		return nil, err
	}
	if err := execAll(ctx, p.source, append(ddl["postgres"], fmt.Sprintf(fill, rows), "INSERT INTO marker VALUES (1, 0)", "VACUUM ANALYZE")...); err != nil {
		return nil, err
	}
	return p, execAll(ctx, p.target, ddl[to.kind]...)
}

// dropPair gives the room back.
func (p *pair) drop(ctx context.Context) {
	p.source.Close()
	p.target.Close()
	for _, s := range []*server{p.from, p.to} {
		home, how := "postgres", " WITH (FORCE)"
		if s.kind == "mysql" {
			home, how = "mysql", ""
		}
		if admin, err := p.l.sqlDB(s, home); err == nil {
			_, _ = admin.ExecContext(ctx, "DROP DATABASE IF EXISTS "+p.name+how)
			admin.Close()
		}
	}
}

// change runs one of the workloads of n changes, each transaction of which is a
// real one: a DO that commits. Two run at the same time.
func (p *pair) change(ctx context.Context, workload string, n int) error {
	var body string
	switch workload {
	case "bulk": // transactions of 1,000 rows, each row once
		body = "FOR i IN 0..%[1]d / 1000 - 1 LOOP UPDATE site_users SET tag = tag + 1, changed = '2008-03-01'" +
			" WHERE id > %[2]d + i * 1000 AND id <= %[2]d + (i + 1) * 1000; COMMIT; END LOOP;"
	case "single": // of one random row
		body = "FOR i IN 1..%[1]d LOOP one := 1 + floor(random() * %[3]d); UPDATE site_users SET tag = tag + 1, changed = '2008-03-02' WHERE id = one; COMMIT; END LOOP;"
	case "hot": // of one of 1,000 rows
		body = "FOR i IN 1..%[1]d LOOP one := 1 + floor(random() * 1000); UPDATE site_users SET tag = tag + 1, changed = '2008-03-03' WHERE id = one; COMMIT; END LOOP;"
	default:
		return fmt.Errorf("no workload %s", workload)
	}
	const writers = 2
	errs := make(chan error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			_, err := p.source.ExecContext(ctx, "DO $$ DECLARE one bigint; BEGIN "+fmt.Sprintf(body, n/writers, w*n/writers, n)+" END $$")
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return fmt.Errorf("workload %s: %w", workload, err)
		}
	}
	return nil
}

// mark changes the marker, and sees to it that all before is on the master's
// disk and so may be sent by whoever reads the WAL.
func (p *pair) mark(ctx context.Context) error {
	p.marked++
	return execAll(ctx, p.source, "BEGIN; SET LOCAL synchronous_commit = on; UPDATE marker SET n = "+fmt.Sprint(p.marked)+"; COMMIT")
}

// arrived waits until the marker is on the replica.
func (p *pair) arrived(ctx context.Context, within time.Duration) error {
	end := time.Now().Add(within)
	for {
		var n int64
		err := p.target.QueryRowContext(ctx, "SELECT n FROM marker").Scan(&n)
		if err == nil && n == p.marked {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the marker did not arrive within %v: %d of %d, %v", within, n, p.marked, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(4 * time.Millisecond):
		}
	}
}

// settle vacuums both sides, and has no checkpoint in the next measurement.
func (p *pair) settle(ctx context.Context) error {
	if err := execAll(ctx, p.source, "VACUUM ANALYZE", "CHECKPOINT"); err != nil {
		return err
	}
	if p.to.kind == "postgres" {
		return execAll(ctx, p.target, "VACUUM ANALYZE", "CHECKPOINT")
	}
	return execAll(ctx, p.target, "ANALYZE TABLE site_users")
}

var sums = map[string]string{
	"postgres": `SELECT count(*), coalesce(sum(('x' || substr(md5(concat_ws('|', id, username, password, email, tag,
		to_char(created, 'YYYY-MM-DD HH24:MI:SS'), to_char(changed, 'YYYY-MM-DD HH24:MI:SS'))), 1, 8))::bit(32)::bigint), 0)::text FROM site_users`,
	"mysql": `SELECT count(*), CAST(coalesce(sum(CAST(CONV(substr(md5(concat_ws('|', id, username, password, email, tag,
		date_format(created, '%Y-%m-%d %H:%i:%s'), date_format(changed, '%Y-%m-%d %H:%i:%s'))), 1, 8), 16, 10) AS UNSIGNED)), 0) AS CHAR) FROM site_users`,
}

// equal compares count and checksum of the two tables.
func (p *pair) equal(ctx context.Context) error {
	var n [2]int64
	var sum [2]string
	for i, side := range []struct {
		db   *sql.DB
		kind string
	}{{p.source, p.from.kind}, {p.target, p.to.kind}} {
		if err := side.db.QueryRowContext(ctx, sums[side.kind]).Scan(&n[i], &sum[i]); err != nil {
			return err
		}
	}
	if n[0] != n[1] || sum[0] != sum[1] {
		return fmt.Errorf("the replica differs: %d rows with sum %s, and the master has %d with %s", n[1], sum[1], n[0], sum[0])
	}
	return nil
}
