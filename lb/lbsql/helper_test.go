package lbsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsql"
)

// farm is a cluster of fake servers whose Run runs.
type farm struct {
	*testing.T
	primary   *server
	primaryDB *sql.DB
	replicas  []*server
	dbs       []*sql.DB // of replicas
	cluster   *lbsql.Cluster
	db        *sql.DB
	end       func()
}

// newFarm makes a farm, in a bubble; change may change its configuration.
func newFarm(t *testing.T, replicas int, change func(*lbsql.Config)) *farm {
	t.Helper()
	f := &farm{T: t, primary: newServer("primary")}
	f.primary.pos = 100
	f.primaryDB = f.primary.open(t)
	cfg := lbsql.Config{Primary: f.primaryDB, Measure: measure}
	for i := range replicas {
		s := newServer(fmt.Sprint("r", i))
		s.pos = 100
		f.replicas = append(f.replicas, s)
		f.dbs = append(f.dbs, s.open(t))
		cfg.Replicas = append(cfg.Replicas, lbsql.Replica{Node: lb.Node{ID: s.name}, DB: f.dbs[i]})
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	f.cluster, err = lbsql.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.db = sql.OpenDB(f.cluster)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.cluster.Run(ctx) }()
	f.end = func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
		f.db.Close()
		f.end = func() {}
		f.idle()
	}
	t.Cleanup(func() { f.end() })
	synctest.Wait()
	return f
}

// idle checks that nothing is in use any more.
func (f *farm) idle() {
	f.Helper()
	for _, s := range append([]*server{f.primary}, f.replicas...) {
		s.mu.Lock()
		if s.busy != 0 || s.stmts != 0 {
			f.Errorf("%s: %d rows and transactions, %d statements are open", s.name, s.busy, s.stmts)
		}
		s.mu.Unlock()
	}
	if s := f.cluster.Pool().Stats(); s.InFlight != 0 || s.DoubleDone != 0 {
		f.Errorf("pool: %+v", s)
	}
	if s := f.cluster.Stats(); s.PrimaryBusy != 0 {
		f.Errorf("the primary's reads in flight: %+v", s)
	}
}

// ask runs a read and returns which server answered.
func (f *farm) ask(ctx context.Context) (string, error) {
	var name string
	err := f.db.QueryRowContext(ctx, "SELECT c").Scan(&name)
	return name, err
}

// must is ask where an error is a failure.
func (f *farm) must(ctx context.Context) string {
	f.Helper()
	name, err := f.ask(ctx)
	if err != nil {
		f.Fatal(err)
	}
	return name
}

// later lets the measurements go on for d.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// run keeps a Cluster's Run going until the returned function is called.
func run(t testing.TB, c *lbsql.Cluster) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	}
}
