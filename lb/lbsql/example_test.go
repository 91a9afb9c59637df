package lbsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsql"
)

func Example() {
	// In a program: primary, err := sql.Open("pgx", "postgres://..."), and
	// lbsql.Postgres in place of measure.
	primary, replica := sql.OpenDB(newServer("primary")), sql.OpenDB(newServer("replica"))
	defer primary.Close()
	defer replica.Close()

	cluster, err := lbsql.New(lbsql.Config{
		Primary:  primary,
		Replicas: []lbsql.Replica{{Node: lb.Node{ID: "r1"}, DB: replica}},
		Measure:  measure,
		MaxLag:   5 * time.Second,
		Wait:     time.Minute, // an example may run on a slow machine
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error)
	go func() { done <- cluster.Run(ctx) }()

	db := sql.OpenDB(cluster) // a *sql.DB like any other
	defer db.Close()

	var from string
	_ = db.QueryRowContext(ctx, "SELECT c FROM t").Scan(&from)
	fmt.Println("read from the", from)
	_ = db.QueryRowContext(ctx, "INSERT INTO t VALUES (1) RETURNING c").Scan(&from)
	fmt.Println("written to the", from)

	token, err := cluster.Token(ctx) // for the user's next request
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = db.QueryRowContext(lbsql.After(ctx, token), "SELECT c FROM t").Scan(&from)
	fmt.Println("the user's own write is read from the", from)

	stop()
	fmt.Println(errors.Is(<-done, context.Canceled))
	// Output:
	// read from the replica
	// written to the primary
	// the user's own write is read from the replica
	// true
}
