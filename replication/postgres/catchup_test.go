package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"
)

// BenchmarkCatchUp brings 200,000 changed rows from one database to another as
// the engine does it: Changes is streamed into Load of the staging table, which
// is applied by Update and Insert, or by DeleteStaged and Insert. The limit is
// the same, by the latter, with COPY's bytes going through unseen.
func BenchmarkCatchUp(b *testing.B) {
	rows := 200000
	for _, how := range []string{"limit", "update", "replace"} {
		b.Run(how, func(b *testing.B) {
			master, slave := session(b, open(b)), session(b, open(b))
			const ddl = `CREATE TABLE users (id int PRIMARY KEY, name varchar(60) NOT NULL, email varchar(100) NOT NULL UNIQUE, created timestamptz NOT NULL, active bool NOT NULL, score numeric(10,2))`
			do(b, master, ddl, fmt.Sprintf("INSERT INTO users SELECT i, 'Some Name ' || i, 'user' || i || '@example.com', now(), true, i FROM generate_series(1, %d) i", rows), "VACUUM ANALYZE users")
			do(b, slave, ddl)
			src := table(b, master, "t", "users")
			install(b, master, src)
			l, err := d.Describe(b.Context(), slave, "users")
			if err != nil {
				b.Fatal(err)
			}
			st := d.Staging(target(src, l))
			do(b, slave, st.Create...)
			if _, err := pipe(b.Context(), master, d.Select(src, nil, 0), src.Columns, slave, l.Name, src.Columns, nil); err != nil {
				b.Fatal(err)
			}
			do(b, slave, "VACUUM ANALYZE users")
			at := follow(b, master, src).at
			var load, apply time.Duration
			for b.Loop() {
				b.StopTimer()
				do(b, master, "UPDATE users SET score = score + 1")
				b.StartTimer()
				began := time.Now()
				node, at0 := &replica{c: master}, at
				tx, err := d.Begin(b.Context(), slave, replication.Write)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := d.Relax(b.Context(), slave); err != nil {
					b.Fatal(err)
				}
				err = node.snapshot(b.Context(), func(to string) error {
					if _, err := d.Changed(b.Context(), master, group, node1(src), at, to); err != nil {
						return err
					}
					number := replication.Column{Name: replication.StageNumber, Kind: replication.Int}
					exists := replication.Column{Name: replication.StageExists, Kind: replication.Int}
					n := 0
					if how == "limit" {
						at = to
						return bytesThrough(b.Context(), master, d.Changes(group, src, at0, to, replication.SomeKeys), slave, d.Quote(st.Table))
					}
					loaded, err := pipe(b.Context(), master, d.Changes(group, src, at, to, replication.SomeKeys), append([]replication.Column{exists}, src.Columns...),
						slave, st.Table, append([]replication.Column{number, exists}, src.Columns...), func() []byte { n++; return fmt.Append(nil, n) })
					if err == nil && loaded != int64(rows) {
						err = fmt.Errorf("%d rows loaded", loaded)
					}
					at = to
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
				do(b, slave, st.Ready...)
				load += time.Since(began)
				if how == "update" {
					do(b, slave, st.Update, st.Insert)
				} else {
					do(b, slave, st.DeleteStaged, st.Insert)
				}
				if err := tx.Commit(); err != nil {
					b.Fatal(err)
				}
				apply += time.Since(began)
				b.StopTimer()
				if _, err := d.Trim(b.Context(), master, group, node1(src), []string{at}); err != nil {
					b.Fatal(err)
				}
				do(b, slave, "VACUUM users")
				do(b, master, "VACUUM users")
				b.StartTimer()
			}
			b.ReportMetric(float64(rows)*float64(b.N)/apply.Seconds(), "rows/s")
			b.ReportMetric(load.Seconds()*1000/float64(b.N), "ms-load")
			b.ReportMetric((apply-load).Seconds()*1000/float64(b.N), "ms-apply")
			if a, z := one[string](b, master, "SELECT md5(string_agg(u::text, ' ' ORDER BY id)) FROM users u"), one[string](b, slave, "SELECT md5(string_agg(u::text, ' ' ORDER BY id)) FROM users u"); a != z {
				b.Error("the copies differ")
			}
		})
	}
}

// bytesThrough is COPY TO into COPY FROM.
func bytesThrough(ctx context.Context, from conn, query string, to conn, name string) error {
	r, w := io.Pipe()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return from.Raw(func(c any) error {
			buf := bufio.NewWriterSize(w, 1<<16)
			_, err := c.(*stdlib.Conn).Conn().PgConn().CopyTo(ctx, buf, "COPY (SELECT 1, * FROM ("+query+") q) TO STDOUT")
			return errors.Join(err, buf.Flush(), w.CloseWithError(err))
		})
	})
	g.Go(func() error {
		return to.Raw(func(c any) error {
			_, err := c.(*stdlib.Conn).Conn().PgConn().CopyFrom(ctx, r, "COPY "+name+" FROM STDIN")
			return errors.Join(err, r.CloseWithError(err))
		})
	})
	return g.Wait()
}

// pipe streams a query into a table, with rows in chunks from one goroutine to
// the other.
func pipe(ctx context.Context, from conn, query string, columns []replication.Column, to conn, name replication.Name, into []replication.Column, number func() []byte) (int64, error) {
	type chunk struct {
		rows [][][]byte
		mem  []byte
	}
	full, free := make(chan *chunk, 4), make(chan *chunk, 4)
	for range 4 {
		free <- &chunk{mem: make([]byte, 0, 1<<16)}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(full)
		cur := <-free
		err := d.Stream(ctx, from, query, columns, func(row [][]byte) error {
			out := make([][]byte, 0, len(row)+1)
			if number != nil {
				out = append(out, number())
			}
			for _, v := range row {
				if v == nil {
					out = append(out, nil)
					continue
				}
				start := len(cur.mem)
				cur.mem = append(cur.mem, v...)
				out = append(out, cur.mem[start:len(cur.mem):len(cur.mem)])
			}
			cur.rows = append(cur.rows, out)
			if len(cur.mem) > 1<<16-4096 {
				full <- cur
				select {
				case cur = <-free:
					cur.rows, cur.mem = cur.rows[:0], cur.mem[:0]
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
		if err == nil {
			full <- cur
		}
		return err
	})
	var n int64
	g.Go(func() (err error) {
		var cur *chunk
		at := 0
		n, err = d.Load(ctx, to, name, into, func() ([][]byte, error) {
			for cur == nil || at == len(cur.rows) {
				if cur != nil {
					free <- cur
				}
				var ok bool
				if cur, ok = <-full; !ok {
					return nil, io.EOF
				}
				at = 0
			}
			at++
			return cur.rows[at-1], nil
		})
		return err
	})
	err := g.Wait()
	return n, err
}

// BenchmarkCapture is what the triggers cost the master.
func BenchmarkCapture(b *testing.B) {
	for _, capture := range []string{"none", "ashlar"} {
		for _, rows := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/rows=%d", capture, rows), func(b *testing.B) {
				c := session(b, open(b))
				do(b, c, "CREATE TABLE t (id int PRIMARY KEY, v int, filler text) WITH (fillfactor = 50)", "INSERT INTO t SELECT i, 0, repeat('x', 80) FROM generate_series(1, 50000) i", "VACUUM ANALYZE t", "SET synchronous_commit = off")
				if capture == "ashlar" {
					install(b, c, table(b, c, "t", "t"))
				}
				n := 0
				for b.Loop() {
					n = (n + rows) % 49000
					if _, err := c.ExecContext(b.Context(), "UPDATE t SET v = v + 1 WHERE id BETWEEN $1 AND $2", n, n+rows-1); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
