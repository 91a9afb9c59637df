package mysql_test

import (
	"database/sql"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/replication"
)

// people is the shape of the book's table of users.
const people = "CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL," +
	" email VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, born DATE, seen DATETIME(6), score DECIMAL(10,2), UNIQUE (email))"

const peopleRows = 200000

// roomy is a server whose buffers hold the data, as those of a real one do: the
// shared one of the tests is small, and its redo log the bottleneck.
func roomy(b *testing.B) *sql.DB {
	if os.Getenv("ASHLAR_TEST_MARIADB") != "" {
		return database(b) // started for it, one hopes
	}
	return open(b, config(b, testservers.StartMariaDB(b, "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=512M").URL))
}

func fillPeople(b testing.TB, db execer) {
	run(b, db, people, fmt.Sprintf("INSERT INTO people SELECT seq, CONCAT('name ',seq), CONCAT('user',seq,'@example.com'), '2000-01-02' + INTERVAL seq%%9000 DAY,"+
		" '2024-01-02 03:04:05.678901' + INTERVAL seq SECOND, seq/7 FROM seq_1_to_%d", peopleRows))
}

func BenchmarkStream(b *testing.B) {
	db := roomy(b)
	c := conn(b, db)
	fillPeople(b, db)
	s := source(b, c, "people")
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := d.Stream(b.Context(), c, d.Select(s, nil, 0), s.Columns, func([][]byte) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkLoad is of rows in memory, into the table and into the staging table.
func BenchmarkLoad(b *testing.B) {
	for _, staged := range []bool{false, true} {
		b.Run(fmt.Sprintf("staged=%v", staged), func(b *testing.B) {
			db := roomy(b)
			c := conn(b, db)
			fillPeople(b, db)
			s, to := source(b, c, "people"), target(b, c, "people")
			rows := all(b, c, s)
			name, columns := to.Name, to.Columns
			st := d.Staging(to)
			clear := []string{"TRUNCATE people"}
			if staged {
				run(b, c, st.Create...)
				name, clear, columns = st.Table, st.Clear, stageColumns(to)
				for n, row := range rows {
					rows[n] = append(values(n, 1), row...)
				}
			}
			b.ReportAllocs()
			n := int64(0)
			for b.Loop() {
				b.StopTimer()
				run(b, c, clear...)
				b.StartTimer()
				tx, err := d.Begin(b.Context(), c, replication.Write)
				if err != nil {
					b.Fatal(err)
				}
				i := 0
				loaded, err := d.Load(b.Context(), c, name, columns, func() ([][]byte, error) {
					if i == len(rows) {
						return nil, io.EOF
					}
					i++
					return rows[i-1], nil
				})
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					b.Fatal(err)
				}
				n += loaded
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func stageColumns(to replication.TargetTable) []replication.Column {
	return append([]replication.Column{
		{Name: replication.StageNumber, Kind: replication.Int, Native: "bigint"},
		{Name: replication.StageExists, Kind: replication.Int, Native: "bigint"}}, to.Columns...)
}

// BenchmarkMerge is of staged rows, of which all or half differ.
func BenchmarkMerge(b *testing.B) {
	for _, way := range []string{"update+insert", "delete+insert", "insert"} {
		b.Run(way, func(b *testing.B) {
			db := roomy(b)
			c := conn(b, db)
			fillPeople(b, db)
			to := target(b, c, "people")
			st := d.Staging(to)
			run(b, c, st.Create...)
			rows := all(b, c, source(b, c, "people"))
			for n, row := range rows {
				row[1] = append(row[1], " changed"...)
				rows[n] = append(values(n, 1), row...)
			}
			if _, err := d.Load(b.Context(), c, st.Table, stageColumns(to), each(rows...)); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				tx, err := d.Begin(b.Context(), c, replication.Write)
				if err != nil {
					b.Fatal(err)
				}
				switch way {
				case "update+insert":
					run(b, c, st.Update, st.Insert)
				case "delete+insert":
					run(b, c, st.DeleteStaged, st.Insert)
				case "insert":
					b.StopTimer()
					run(b, c, "DELETE FROM people")
					b.StartTimer()
					run(b, c, st.Insert)
				}
				b.StopTimer()
				if err := tx.Rollback(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N*len(rows))/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkIdle is what a poll costs when there is nothing.
func BenchmarkIdle(b *testing.B) {
	db := roomy(b)
	c := conn(b, db)
	var tables []replication.SourceTable
	for i := range 10 {
		name := fmt.Sprintf("t%d", i)
		run(b, db, "CREATE TABLE "+name+" (id INT PRIMARY KEY, v INT)")
		tables = append(tables, source(b, c, name))
	}
	install(b, c, tables...)
	r := newReplica(tables...)
	if err := r.copy(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	for _, step := range []string{"poll", "sequence", "fingerprint"} {
		b.Run(step, func(b *testing.B) {
			for b.Loop() {
				var err error
				switch step {
				case "poll":
					err = r.poll(b.Context(), c, false)
				case "sequence":
					err = d.Sequence(b.Context(), c, group, tables)
				case "fingerprint":
					_, err = d.Fingerprint(b.Context(), c, group, tables)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSequence is of rows that wait.
func BenchmarkSequence(b *testing.B) {
	for _, n := range []int{1, 200000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			db := roomy(b)
			c := conn(b, db)
			run(b, db, "CREATE TABLE t (id INT PRIMARY KEY, v INT)", fmt.Sprintf("INSERT INTO t SELECT seq, 0 FROM seq_1_to_%d", n))
			tables := []replication.SourceTable{source(b, c, "t")}
			install(b, c, tables...)
			for b.Loop() {
				b.StopTimer()
				run(b, db, "UPDATE t SET v=v+1")
				b.StartTimer()
				if err := d.Sequence(b.Context(), c, group, tables); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
