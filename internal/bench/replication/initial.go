package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// initial measures the first copy of five times the rows into an empty table
// with its indexes, beside the vendors' own bulk load through one pipe.
func (l *lab) initial(ctx context.Context) error {
	for _, c := range []struct {
		needs, title, other string
		load                func(*pair, context.Context) error
	}{
		{"ours", "PG->PG", "psql COPY | psql COPY", (*pair).copyByPsql},
		{"ours-mariadb", "PG->MariaDB", "psql COPY | LOAD DATA LOCAL", (*pair).copyByLoadData},
	} {
		if !l.has(c.needs) {
			continue
		}
		to := l.replica
		if c.needs == "ours-mariadb" {
			var err error
			if to, err = l.mariaDB(ctx); err != nil {
				return err
			}
		}
		rows := 5 * l.rows
		p, err := l.newPair(ctx, "i_"+to.kind, to, rows)
		if err != nil {
			return err
		}
		t := newTable(fmt.Sprintf("initial copy %s of %d rows", c.title, rows), "rows/s", "of the bulk load")
		t.base, t.inverse = c.other, true
		o := &ours{l: l, p: p}
		if _, err := o.do(ctx, "install"); err != nil {
			return err
		}
		for range l.rounds {
			for _, name := range []string{c.other, "ours"} {
				if err := execAll(ctx, p.target, "TRUNCATE TABLE site_users", "TRUNCATE TABLE marker"); err != nil {
					return err
				}
				if to.kind == "postgres" {
					if err := execAll(ctx, p.target, "CHECKPOINT"); err != nil {
						return err
					}
				}
				cpu, began := treeCPU(), time.Now()
				if name == "ours" {
					_, err = o.do(ctx, "copy")
				} else {
					err = c.load(p, ctx)
				}
				took := time.Since(began)
				cpu = treeCPU() - cpu
				if err = errors.Join(err, p.equal(ctx)); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				t.add(name, float64(rows)/took.Seconds())
				t.cost(name, cpu, rows)
				l.logf("%s: %.2f s with %.2f s of CPU", name, took.Seconds(), cpu)
				if name == "ours" {
					t.note("ours, the call of Copy", "%.0f rows/s", float64(rows)/o.last.Seconds)
					t.note("our process' CPU", "%.2f ms per 1,000 rows", o.last.CPU*1e6/float64(rows))
					t.note("our process' memory", "%.0f MB", float64(o.last.Peak)/1024)
				}
			}
			t.endRound()
		}
		t.print()
		p.drop(ctx)
	}
	return nil
}

// copyByPsql copies both tables by psql | psql, in the text format of COPY.
func (p *pair) copyByPsql(ctx context.Context) error {
	psql := p.l.bin + "/psql -X -q -v ON_ERROR_STOP=1 -d '"
	for _, t := range []string{"marker", "site_users"} {
		script := psql + p.from.conninfo(p.name) + "' -c 'COPY " + t + " TO STDOUT' | " + psql + p.to.conninfo(p.name) + "' -c 'COPY " + t + " FROM STDIN'"
		if _, err := p.l.asPostgres.run(ctx, "", "bash", "-o", "pipefail", "-c", script); err != nil {
			return err
		}
	}
	return nil
}

// copyByLoadData copies both tables by psql | mariadb with LOAD DATA LOCAL.
func (p *pair) copyByLoadData(ctx context.Context) error {
	psql := p.l.bin + "/psql -X -q -v ON_ERROR_STOP=1 -d '" + p.from.conninfo(p.name) + "' -c 'COPY "
	for _, t := range []string{"marker", "site_users"} {
		load := fmt.Sprintf("MYSQL_PWD=$PGPASSWORD mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --port=%d --user=bench --local-infile=1 %s"+
			` -e "SET NAMES utf8mb4; LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE %s CHARACTER SET utf8mb4"`, p.to.port, p.name, t)
		if _, err := p.l.asPostgres.run(ctx, "", "bash", "-o", "pipefail", "-c", psql+t+" TO STDOUT' | "+load); err != nil {
			return err
		}
	}
	return nil
}
