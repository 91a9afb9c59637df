package sqlite_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

const benchTable = `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT, n INTEGER, at TIMESTAMP, f DOUBLE)`

func benchRows(n int) func() ([][]byte, error) {
	i := 0
	row := make([][]byte, 6)
	return func() ([][]byte, error) {
		if i == n {
			return nil, io.EOF
		}
		i++
		row[0] = fmt.Appendf(row[0][:0], "%d", i)
		row[1] = fmt.Appendf(row[1][:0], "name of user %d", i)
		row[2] = fmt.Appendf(row[2][:0], "user%d@example.com", i)
		row[3] = fmt.Appendf(row[3][:0], "%d", i*7919%100000)
		row[4] = append(row[4][:0], "2006-01-02 15:04:05.123456"...)
		row[5] = append(row[5][:0], "1.25"...)
		return row, nil
	}
}

func BenchmarkLoad(b *testing.B) {
	db := open(b)
	c := conn(b, db)
	exec(b, c, benchTable)
	l := describe(b, c, "t")
	const rows = 50_000
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		tx, err := dialect.Begin(context.Background(), c, replication.Write)
		if err != nil {
			b.Fatal(err)
		}
		exec(b, c, "DELETE FROM t")
		if _, err := dialect.Load(context.Background(), c, l.Name, l.Columns, benchRows(rows)); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		n += rows
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkStream(b *testing.B) {
	db := open(b)
	c := conn(b, db)
	exec(b, c, benchTable)
	st := source(b, c, "t", "t")
	if _, err := dialect.Load(context.Background(), c, st.Name, st.Columns, benchRows(50_000)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := dialect.Stream(context.Background(), c, dialect.Select(st, nil, 0), st.Columns, func([][]byte) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkPollOfNothing is what a poll costs while nobody writes.
func BenchmarkPollOfNothing(b *testing.B) {
	db := open(b)
	c := conn(b, db)
	var tables []replication.SourceTable
	for i := range 20 {
		exec(b, c, fmt.Sprintf("CREATE TABLE t%d (id INTEGER PRIMARY KEY, v INT)", i))
		tables = append(tables, source(b, c, fmt.Sprint(i), fmt.Sprintf("t%d", i)))
	}
	install(b, c, tables...)
	exec(b, c, "INSERT INTO t1 VALUES (1, 1)")
	for _, from := range []string{"1", "0"} {
		b.Run("from="+from, func(b *testing.B) {
			for b.Loop() {
				err := snapshot(context.Background(), c, func(now string) error {
					_, err := dialect.Changed(context.Background(), c, group, tables, from, now)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("fingerprint", func(b *testing.B) {
		for b.Loop() {
			if _, err := dialect.Fingerprint(context.Background(), c, group, tables); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCapture is what triggers cost the application.
func BenchmarkCapture(b *testing.B) {
	for _, unique := range []string{"", " UNIQUE"} {
		for _, captured := range []bool{false, true} {
			for _, q := range []string{"UPDATE t SET v = v + 1 WHERE id BETWEEN ? AND ? + 99", "INSERT INTO t (m) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 100) SELECT random() FROM s WHERE ? = ?"} {
				b.Run(fmt.Sprintf("%s%s captured=%t", q[:6], unique, captured), func(b *testing.B) {
					db := open(b)
					c := conn(b, db)
					exec(b, c, `CREATE TABLE t (id INTEGER PRIMARY KEY, m TEXT`+unique+`, v INT DEFAULT 0)`,
						`INSERT INTO t (m) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 10000) SELECT 'm' || i FROM s`)
					if captured {
						install(b, c, source(b, c, "t", "t"))
					}
					n := 0
					for b.Loop() {
						at := n * 7919 % 9900
						if _, err := c.ExecContext(context.Background(), q, at, at); err != nil {
							b.Fatal(err)
						}
						n++
					}
					b.ReportMetric(float64(n)*100/b.Elapsed().Seconds(), "rows/s")
				})
			}
		}
	}
}
