package lbsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsql"
)

func replicaOf(s *server, db *sql.DB) lbsql.Replica {
	return lbsql.Replica{Node: lb.Node{ID: s.name}, DB: db}
}

func TestSetReplicasNeverCutsARunningQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		old := f.replicas[0]
		rows, err := f.db.QueryContext(t.Context(), "SELECT c")
		if err != nil {
			t.Fatal(err)
		}
		tx, err := f.db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		hang := make(chan struct{})
		old.set(func(s *server) { s.hang = hang })
		waits := make(chan string)
		go func() { waits <- f.must(t.Context()) }()
		synctest.Wait()
		fresh := newServer("fresh")
		fresh.pos = 100
		if err := f.cluster.SetReplicas([]lbsql.Replica{replicaOf(fresh, fresh.open(t))}); err != nil {
			t.Fatal(err)
		}
		if err := f.dbs[0].Close(); err != nil { // at once
			t.Error(err)
		}
		synctest.Wait()
		for range 20 {
			if name := f.must(t.Context()); name != "fresh" {
				t.Fatal(name)
			}
		}
		old.set(func(s *server) { s.hang = nil })
		close(hang)
		if name := <-waits; name != "r0" {
			t.Error(name)
		}
		var name string
		if !rows.Next() || rows.Scan(&name) != nil || name != "r0" || rows.Close() != nil {
			t.Error(name, rows.Err())
		}
		if err := tx.QueryRow("SELECT c").Scan(&name); err != nil || name != "r0" {
			t.Error(name, err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		if s := f.cluster.Stats(); s.Replicas != 1 || s.Usable != 1 || s.OnPrimary != 0 {
			t.Errorf("%+v", s)
		}
		f.end()
		old.mu.Lock()
		defer old.mu.Unlock()
		if old.conns != 0 {
			t.Errorf("%d connections to a replica that has left", old.conns)
		}
	})
}

func TestReplicaThatStaysKeepsWhatIsKnownAndANewOneIsMeasuredFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, func(c *lbsql.Config) { c.Interval = time.Hour; c.MaxLag = -1 })
		kept := lbsql.Replica{Node: lb.Node{ID: "r0", Addr: "elsewhere", Weight: 3}, DB: f.dbs[0]}
		late := newServer("late")
		late.hang = make(chan struct{})
		if err := f.cluster.SetReplicas([]lbsql.Replica{kept, replicaOf(late, late.open(t))}); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			if name := f.must(t.Context()); name != "r0" {
				t.Fatal(name)
			}
		}
		if s := f.cluster.Replicas(); len(s) != 2 || !s[0].Usable || s[1].Usable || s[1].Err == nil {
			t.Errorf("%+v", s)
		}
		close(late.hang)
		synctest.Wait()
		for late.received() == 0 {
			f.must(t.Context())
		}
		// The same name with another DB is another server.
		other := newServer("other")
		hang := make(chan struct{})
		other.hang = hang
		if err := f.cluster.SetReplicas([]lbsql.Replica{{Node: lb.Node{ID: "r0"}, DB: other.open(t)}}); err != nil {
			t.Fatal(err)
		}
		if s := f.cluster.Replicas(); s[0].Usable {
			t.Errorf("%+v", s)
		}
		close(hang)
		synctest.Wait()
		if name := f.must(t.Context()); name != "other" {
			t.Error(name)
		}
		f.end()
	})
}

func TestSetReplicasThatFailsChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		other := newServer("x").open(t)
		for name, list := range map[string][]lbsql.Replica{
			"no DB":          {{Node: lb.Node{ID: "a"}}},
			"no ID":          {{DB: other}},
			"twice":          {{Node: lb.Node{ID: "a"}, DB: other}, {Node: lb.Node{ID: "a"}, DB: other}},
			"is the primary": {{Node: lb.Node{ID: "a"}, DB: f.primaryDB}},
		} {
			if err := f.cluster.SetReplicas(list); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if name := f.must(t.Context()); name != "r0" {
			t.Error(name)
		}
		f.end()
	})
}

// Members come and go while clients read: nobody sees an error while one
// replica is well.
func TestReadsGoOnWhileMembersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 4, func(c *lbsql.Config) { c.PrimaryReads = -1; c.Wait = time.Minute })
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if _, err := f.ask(t.Context()); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		for i := range 200 {
			var list []lbsql.Replica
			for j, s := range f.replicas {
				if i&(1<<j) != 0 || j == 0 {
					list = append(list, replicaOf(s, f.dbs[j]))
				}
			}
			if err := f.cluster.SetReplicas(list); err != nil {
				t.Error(err)
			}
			time.Sleep(3 * time.Millisecond)
		}
		stop()
		wg.Wait()
		f.end()
	})
}

func TestSetPrimaryTakesOnlyAPrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, nil)
		promoted, db := f.replicas[0], f.dbs[0]
		if err := f.cluster.SetPrimary(t.Context(), db); err == nil {
			t.Error("a replica became the primary and stayed a replica")
		}
		if err := f.cluster.SetPrimary(t.Context(), nil); err == nil {
			t.Error("no error")
		}
		dead := newServer("dead")
		dead.down = true
		if err := f.cluster.SetPrimary(t.Context(), dead.open(t)); err == nil {
			t.Error("a server that does not answer became the primary")
		}
		f.primary.set(func(s *server) { s.down = true })
		if err := f.cluster.SetReplicas([]lbsql.Replica{replicaOf(f.replicas[1], f.dbs[1])}); err != nil {
			t.Fatal(err)
		}
		if err := f.cluster.SetPrimary(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if _, err := f.db.ExecContext(t.Context(), "UPDATE t SET c = 1"); err != nil || !slices.Contains(promoted.statements(), "UPDATE t SET c = 1") {
			t.Error(err, promoted.statements())
		}
		promoted.set(func(s *server) { s.pos = 200 })
		token, err := f.cluster.Token(t.Context())
		if err != nil || token != 200 {
			t.Error(token, err)
		}
		// Reads go on, from the other one.
		later(time.Second)
		if name := f.must(t.Context()); name != "r1" {
			t.Error(name)
		}
		f.end()
	})
}

func TestSlowReadIsHedgedAndTheLoserIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 3, func(c *lbsql.Config) {
			c.HedgeAfter, c.HedgeShare, c.Interval = 10*time.Millisecond, 1, time.Hour
			c.MaxLag = -1
		})
		slow := f.replicas[0]
		slow.set(func(s *server) { s.hang = make(chan struct{}) }) // until its context ends
		for range 100 {
			begin := time.Now()
			name := f.must(t.Context())
			if took := time.Since(begin); name == "r0" || took != 0 && took != 10*time.Millisecond {
				t.Fatal(name, took)
			}
		}
		s := f.cluster.Stats()
		if n := slow.received(); int64(n) != s.Hedges || s.Hedges == 0 || s.HedgeWins != s.Hedges || s.Reads != 100 || f.primary.received() != 0 {
			t.Errorf("the slow one got %d: %+v", n, s)
		}
		if p := f.cluster.Pool().Stats(); p.Failed != 0 {
			t.Errorf("a cancelled read was charged: %+v", p)
		}
		// Neither writes nor transactions are sent twice.
		f.primary.set(func(s *server) { s.hang = make(chan struct{}) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := f.db.ExecContext(ctx, "UPDATE t SET c = 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		if n := f.primary.received(); n != 1 {
			t.Errorf("a write was sent %d times", n)
		}
		before := f.cluster.Stats().Hedges
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if tx, err := f.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err == nil {
				tx.Rollback()
			}
			cancel()
		}
		if n := f.cluster.Stats().Hedges; n != before {
			t.Errorf("a transaction was hedged %d times", n-before)
		}
		slow.set(func(s *server) { s.hang = nil })
		f.end()
	})
}

func TestHedgesStayWithinTheirShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, func(c *lbsql.Config) { c.HedgeAfter, c.Interval = time.Millisecond, time.Hour; c.MaxLag = -1 })
		hang := make(chan struct{})
		for _, r := range f.replicas {
			r.set(func(s *server) { s.hang = hang })
		}
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { f.must(t.Context()) })
		}
		later(time.Second)
		if s := f.cluster.Stats(); s.Hedges < 1 || s.Hedges > 10 { // a twentieth
			t.Errorf("%+v", s)
		}
		close(hang)
		wg.Wait()
		synctest.Wait()
		f.end()
	})
}

// Whichever of the two fails or is slow: one answer, nothing held, and at most
// two sends.
func TestHedgeThatFailsIsNobodysBusiness(t *testing.T) {
	for _, first := range []string{"answers", "breaks", "hangs"} {
		for _, second := range []string{"answers", "breaks", "refuses", "hangs"} {
			t.Run(fmt.Sprintf("first %s, second %s", first, second), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFarm(t, 2, func(c *lbsql.Config) {
						c.HedgeAfter, c.HedgeShare, c.Interval = 10*time.Millisecond, 1, time.Hour
						c.MaxLag = -1
					})
					one := make(chan struct{})
					for _, r := range f.replicas {
						r.set(func(s *server) { s.hang = one })
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					type answer struct {
						name string
						err  error
					}
					answers := make(chan answer, 1)
					go func() {
						name, err := f.ask(ctx)
						answers <- answer{name, err}
					}()
					synctest.Wait()
					i := 0
					if f.replicas[1].received() > 0 {
						i = 1
					}
					a, b := f.replicas[i], f.replicas[1-i]
					b.set(func(s *server) {
						switch second {
						case "answers":
							s.hang = nil
						case "breaks":
							s.breaks, s.hang = 1, nil
						case "refuses":
							s.refuses, s.hang = stateError("40001"), nil
						}
					})
					later(20 * time.Millisecond)
					switch first {
					case "answers":
						close(one)
					case "breaks":
						a.set(func(s *server) { s.refuses = stateError("57P01") })
						close(one)
					}
					got := <-answers
					wins := second == "answers" || first == "answers" || first == "breaks" && second == "hangs"
					if (got.err == nil) != wins {
						t.Errorf("%+v", got)
					}
					if n := a.received() + b.received(); n != 2 || f.primary.received() != 0 {
						t.Errorf("sent %d times", n)
					}
					if first == "hangs" {
						close(one)
					}
					synctest.Wait()
					f.end()
				})
			})
		}
	}
}

// A replica that was asked before the primary would seem to be of unknown age,
// and reads would go to the primary for that.
func TestFirstReadsWaitForTheFirstMeasurementsAlsoIfThePrimaryIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary, r := newServer("primary"), newServer("r")
		hang := make(chan struct{})
		primary.hang = hang
		c, err := lbsql.New(lbsql.Config{
			Primary: primary.open(t), Measure: measure, PrimaryReads: -1, Wait: time.Second,
			Replicas: []lbsql.Replica{replicaOf(r, r.open(t))},
		})
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, c)
		db := sql.OpenDB(c)
		defer db.Close()
		go func() {
			time.Sleep(100 * time.Millisecond)
			close(hang)
		}()
		var name string
		begin := time.Now()
		if err := db.QueryRow("SELECT c").Scan(&name); err != nil || name != "r" || time.Since(begin) != 100*time.Millisecond {
			t.Errorf("%s, %v after %v", name, err, time.Since(begin))
		}
		stop()
	})
}
