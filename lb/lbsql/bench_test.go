package lbsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testservers"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsql"
)

// What a read costs beside its server, against the same driver without a
// Cluster.
func BenchmarkRead(b *testing.B) {
	fake := func(name string) *sql.DB {
		s := newServer(name)
		s.quiet = true
		return s.open(b)
	}
	b.Run("plain", func(b *testing.B) { benchRead(b, fake("r")) })
	for _, after := range []time.Duration{0, time.Minute} {
		name := "cluster"
		if after > 0 {
			name = "hedged"
		}
		b.Run(name, func(b *testing.B) {
			cfg := lbsql.Config{Primary: fake("primary"), Measure: measure, Wait: 1 << 40, HedgeAfter: after}
			for i := range 3 {
				cfg.Replicas = append(cfg.Replicas, lbsql.Replica{Node: lb.Node{ID: fmt.Sprint("r", i)}, DB: fake("r")})
			}
			benchCluster(b, cfg)
		})
	}
}

// The same on a real server, whose own time is in it: of processor time, ours is
// the difference.
func BenchmarkReadPostgres(b *testing.B) {
	dsn := testservers.Postgres(b)
	open := func() *sql.DB {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { db.Close() })
		return db
	}
	db := open()
	if _, err := db.Exec("CREATE TABLE t AS SELECT 1 AS a, 'x' AS c"); err != nil {
		b.Fatal(err)
	}
	b.Run("plain", func(b *testing.B) { benchRead(b, db) })
	b.Run("cluster", func(b *testing.B) {
		fixed := func(context.Context, *sql.DB, bool) (lbsql.Position, error) { return 1, nil }
		cfg := lbsql.Config{Primary: db, Measure: fixed, Wait: 1 << 40}
		for i := range 3 {
			cfg.Replicas = append(cfg.Replicas, lbsql.Replica{Node: lb.Node{ID: fmt.Sprint("r", i)}, DB: open()})
		}
		benchCluster(b, cfg)
	})
}

func benchCluster(b *testing.B, cfg lbsql.Config) {
	c, err := lbsql.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer run(b, c)()
	db := sql.OpenDB(c)
	defer db.Close()
	benchRead(b, db)
}

func benchRead(b *testing.B, db *sql.DB) {
	b.ReportAllocs()
	for b.Loop() {
		var name string
		if err := db.QueryRow("SELECT c FROM t WHERE a = $1", 1).Scan(&name); err != nil {
			b.Fatal(err)
		}
	}
}
