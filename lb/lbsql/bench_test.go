package lbsql_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsql"
)

// What a read costs beside its server, against the same driver without a
// Cluster.
func BenchmarkRead(b *testing.B) {
	read := func(b *testing.B, db *sql.DB) {
		b.ReportAllocs()
		for b.Loop() {
			var name string
			if err := db.QueryRow("SELECT c FROM t WHERE a = $1", 1).Scan(&name); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("plain", func(b *testing.B) {
		s := newServer("r")
		s.quiet = true
		read(b, s.open(b))
	})
	b.Run("cluster", func(b *testing.B) {
		cfg := lbsql.Config{Primary: newServer("primary").open(b), Measure: measure, Wait: 1 << 40}
		for i := range 3 {
			s := newServer(fmt.Sprint("r", i))
			s.quiet = true
			cfg.Replicas = append(cfg.Replicas, lbsql.Replica{Node: lb.Node{ID: s.name}, DB: s.open(b)})
		}
		c, err := lbsql.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		db := sql.OpenDB(c)
		read(b, db)
		db.Close()
		stop()
		<-done
	})
}
