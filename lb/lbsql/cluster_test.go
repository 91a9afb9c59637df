package lbsql_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbsql"
)

func TestReadsGoToReplicasAndWritesToThePrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 3, nil)
		ctx := t.Context()
		for range 300 {
			if f.must(ctx) == "primary" {
				t.Fatal("a read went to the primary")
			}
		}
		for _, r := range f.replicas {
			if n := r.received(); n < 50 {
				t.Errorf("%s got %d of 300 reads", r.name, n)
			}
		}
		if _, err := f.db.ExecContext(ctx, "UPDATE t SET c = 1"); err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{"INSERT INTO t VALUES (1) RETURNING c", "SELECT c FROM t FOR UPDATE"} {
			var c string
			if err := f.db.QueryRowContext(ctx, q).Scan(&c); err != nil || c != "primary" {
				t.Errorf("%s: %s, %v", q, c, err)
			}
		}
		if c := f.must(lbsql.OnPrimary(ctx)); c != "primary" {
			t.Errorf("OnPrimary: %s", c)
		}
		if n := f.primary.received(); n != 4 {
			t.Errorf("the primary got %d statements, want 4", n)
		}
		if s := f.cluster.Stats(); s.Reads != 300 || s.OnReplica != 300 || s.PrimaryForced != 4 || s.Usable != 3 {
			t.Errorf("%+v", s)
		}
		f.end()
	})
}

// A choice per request also within one connection of database/sql.
func TestOneConnectionIsServedByAllReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 3, nil)
		c, err := f.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			var name string
			if err := c.QueryRowContext(t.Context(), "SELECT c").Scan(&name); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		for _, r := range f.replicas {
			if r.received() == 0 {
				t.Errorf("%s got nothing", r.name)
			}
		}
		f.end()
	})
}

func TestLeaseIsGivenBackWithTheLastRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		rows, err := f.db.QueryContext(t.Context(), "SELECT c")
		if err != nil {
			t.Fatal(err)
		}
		if n := f.cluster.Pool().Stats().InFlight; n != 1 {
			t.Errorf("%d in flight while rows are open", n)
		}
		for rows.Next() {
		}
		if n := f.cluster.Pool().Stats().InFlight; n != 1 {
			t.Errorf("%d in flight before the second result set", n)
		}
		if !rows.NextResultSet() || !rows.Next() || rows.Next() || rows.NextResultSet() || rows.Err() != nil {
			t.Errorf("second result set: %v", rows.Err())
		}
		if n := f.cluster.Pool().Stats().InFlight; n != 0 {
			t.Errorf("%d in flight after the last row", n)
		}
		rows.Close()
		f.end()
	})
}

// Hard test 18, first part.
func TestReplicaThatIsTooFarBehindIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, func(c *lbsql.Config) { c.MaxLag, c.Rise = 2*time.Second, 1 })
		late := f.replicas[1]
		late.set(func(s *server) { s.pos = 50 }) // stands still while the primary goes on
		for range 20 {
			f.primary.set(func(s *server) { s.pos++ })
			f.replicas[0].set(func(s *server) { s.pos++ })
			later(500 * time.Millisecond)
		}
		before := late.received()
		for range 100 {
			f.must(t.Context())
		}
		if late.received() != before {
			t.Error("a replica ten seconds behind was read")
		}
		if s := f.cluster.Replicas()[1]; s.Usable || s.LagKnown {
			t.Errorf("%+v", s)
		} else if _, ok := errors.AsType[*lbsql.LagError](s.Err); !ok {
			t.Errorf("why: %v", s.Err)
		}
		late.set(func(s *server) { s.pos = 118 }) // 119 came 1.5 s before the primary is asked next
		later(500 * time.Millisecond)
		if s := f.cluster.Replicas()[1]; !s.Usable || s.Lag != 1500*time.Millisecond {
			t.Errorf("caught up to 1.5 s: %+v", s)
		}
		f.end()
	})
}

func TestIdlePrimaryMakesNoLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, func(c *lbsql.Config) { c.MaxLag = time.Second })
		later(time.Hour)
		if s := f.cluster.Replicas()[0]; !s.Usable || s.Lag != 0 {
			t.Errorf("%+v", s)
		}
		f.end()
	})
}

func TestReadsGoOnWhileThePrimaryIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, func(c *lbsql.Config) { c.MaxLag = time.Second })
		f.primary.set(func(s *server) { s.down = true })
		later(time.Hour)
		f.must(t.Context())
		if _, err := f.db.ExecContext(t.Context(), "UPDATE t SET c = 1"); err == nil {
			t.Error("a write succeeded")
		} else if e, ok := errors.AsType[*lbsql.Error](err); !ok || e.Node != "primary" {
			t.Errorf("%v", err)
		}
		if _, err := f.cluster.Token(t.Context()); err == nil {
			t.Error("a token was had")
		}
		f.end()
	})
}

// Hard test 18, second part, and gorm/dbresolver#6: no flood of the primary,
// and a recovered replica is used again.
func TestPrimaryTakesItsShareWhenAllReplicasAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 8
		f := newFarm(t, 2, func(c *lbsql.Config) { c.PrimaryReads, c.PrimaryShare = most, 0.1 })
		for range 1000 {
			f.must(t.Context()) // saves nothing up
		}
		for _, r := range f.replicas {
			r.set(func(s *server) { s.down = true })
		}
		later(5 * time.Second)
		const reads = 1000
		refused := 0
		for range reads {
			switch name, err := f.ask(t.Context()); {
			case errors.Is(err, lbsql.ErrNoReplica) && errors.Is(err, lb.ErrNoNodes):
				refused++
			case err != nil || name != "primary":
				t.Fatal(name, err)
			}
		}
		n := f.primary.received()
		if n > reads/10+most || n < reads/10-1 || n+refused != reads {
			t.Errorf("the primary took %d of %d, %d were refused", n, reads, refused)
		}
		f.replicas[1].set(func(s *server) { s.down = false })
		later(5 * time.Second)
		for range 100 {
			if name := f.must(t.Context()); name != "r1" {
				t.Fatal(name)
			}
		}
		f.end()
	})
}

func TestPrimaryRunsAtMostPrimaryReadsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 0, func(c *lbsql.Config) { c.PrimaryReads = 5 })
		hang := make(chan struct{})
		f.primary.set(func(s *server) { s.hang = hang })
		var wg sync.WaitGroup
		var mu sync.Mutex
		count := map[bool]int{}
		for range 50 {
			wg.Go(func() {
				_, err := f.ask(t.Context())
				if err != nil && !errors.Is(err, lbsql.ErrNoReplica) {
					t.Error(err)
				}
				mu.Lock()
				count[err == nil]++
				mu.Unlock()
			})
		}
		synctest.Wait()
		if n := f.primary.received(); n != 5 {
			t.Errorf("%d reads reached the primary", n)
		}
		// Whoever wants the primary is not limited by that.
		f.primary.set(func(s *server) { s.hang = nil })
		if _, err := f.db.ExecContext(t.Context(), "UPDATE t SET c = 1"); err != nil {
			t.Error(err)
		}
		close(hang)
		wg.Wait()
		if count[true] != 5 || count[false] != 45 {
			t.Errorf("succeeded: %v", count)
		}
		f.end()
	})
}

func TestPrimaryReadsMayBeForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 0, func(c *lbsql.Config) { c.PrimaryReads = -1 })
		if _, err := f.ask(t.Context()); !errors.Is(err, lb.ErrNoNodes) {
			t.Error(err)
		}
		if f.primary.received() != 0 {
			t.Error("the primary was read")
		}
		f.end()
	})
}

// Hard test 18, third part.
func TestReadAfterATokenSeesTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 3, nil)
		f.primary.set(func(s *server) { s.pos = 101 })
		token, err := f.cluster.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx := lbsql.After(lbsql.After(t.Context(), token), 1)
		// Nobody has it: the primary answers when the wait is over.
		begin := time.Now()
		if name := f.must(ctx); name != "primary" || time.Since(begin) != 200*time.Millisecond {
			t.Errorf("%s after %v", name, time.Since(begin))
		}
		// One has it: that one, at once after it was seen.
		f.replicas[2].set(func(s *server) { s.pos = 101 })
		for range 20 {
			if name := f.must(ctx); name != "r2" {
				t.Errorf("%s does not have it", name)
			}
		}
		// One will have it soon: it is waited for.
		f.primary.set(func(s *server) { s.pos = 102 })
		token, _ = f.cluster.Token(t.Context())
		go func() {
			time.Sleep(50 * time.Millisecond)
			f.replicas[0].set(func(s *server) { s.pos = 102 })
		}()
		begin = time.Now()
		if name := f.must(lbsql.After(t.Context(), token)); name != "r0" || time.Since(begin) > 60*time.Millisecond {
			t.Errorf("%s after %v", name, time.Since(begin))
		}
		// Without a token everybody may answer.
		for range 100 {
			f.must(t.Context())
		}
		if f.replicas[1].received() == 0 {
			t.Error("r1 got nothing")
		}
		f.end()
	})
}

func TestWaitForATokenEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		ctx, cancel := context.WithTimeout(lbsql.After(t.Context(), 1000), 20*time.Millisecond)
		defer cancel()
		if _, err := f.ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if f.primary.received() != 0 {
			t.Error("the primary was read")
		}
		f.end()
	})
}

func TestNoReplicaIsReadBeforeItWasMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary, r := newServer("primary"), newServer("r")
		c, err := lbsql.New(lbsql.Config{
			Primary: primary.open(t), Measure: measure,
			Replicas: []lbsql.Replica{{Node: lb.Node{ID: "r"}, DB: r.open(t)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(c)
		defer db.Close()
		var name string
		begin := time.Now()
		if err := db.QueryRow("SELECT c").Scan(&name); err != nil || name != "primary" || time.Since(begin) != 200*time.Millisecond {
			t.Errorf("%s, %v, after %v", name, err, time.Since(begin))
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.Run(ctx) })
		if err := db.QueryRow("SELECT c").Scan(&name); err != nil || name != "r" {
			t.Errorf("%s, %v", name, err) // it waited for the first measurement
		}
		if err := c.Run(ctx); err == nil {
			t.Error("a second Run")
		}
		stop()
		wg.Wait()
	})
}

func TestReadOfALostReplicaIsRepeatedOnAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, nil)
		f.must(t.Context())
		f.replicas[0].set(func(s *server) { s.down = true }) // not known yet
		for range 20 {
			if name := f.must(t.Context()); name != "r1" {
				t.Fatal(name)
			}
		}
		if f.cluster.Stats().Retries == 0 {
			t.Error("nothing was repeated")
		}
		f.end()
	})
}

// It might be the query that breaks the servers.
func TestReadThatBreaksConnectionsIsSentTwiceAtMostAndNeverToThePrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 3, nil)
		for _, r := range f.replicas {
			r.set(func(s *server) { s.breaks = 1 << 30 })
		}
		_, err := f.ask(t.Context())
		if e, ok := errors.AsType[*lbsql.Error](err); !ok || !errors.Is(e, io.ErrUnexpectedEOF) {
			t.Errorf("%v", err)
		}
		sent := 0
		for _, r := range f.replicas {
			sent += r.received()
		}
		if sent != 2 || f.primary.received() != 0 {
			t.Errorf("sent %d times to replicas, %d to the primary", sent, f.primary.received())
		}
		f.end()
	})
}

func TestWriteIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		f.primary.set(func(s *server) { s.breaks = 1 << 30 })
		if _, err := f.db.ExecContext(t.Context(), "UPDATE t SET c = 1"); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
		if n := f.primary.received(); n != 1 {
			t.Errorf("sent %d times", n)
		}
		var c string
		if err := f.db.QueryRowContext(t.Context(), "INSERT INTO t VALUES (1) RETURNING c").Scan(&c); err == nil {
			t.Error("no error")
		}
		if n := f.primary.received(); n != 2 {
			t.Errorf("sent %d times", n-1)
		}
		f.end()
	})
}

// More dead connections in the pool than database/sql tries.
func TestStaleConnectionsAreNobodysBusiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		for _, s := range []*server{f.primary, f.replicas[0]} {
			hang := make(chan struct{})
			s.set(func(s *server) { s.hang = hang })
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					if s == f.primary {
						f.db.ExecContext(t.Context(), "UPDATE t SET c = 1")
					} else {
						f.ask(t.Context())
					}
				})
			}
			synctest.Wait()
			s.set(func(s *server) { s.hang = nil })
			close(hang)
			wg.Wait()
			s.set(func(s *server) { s.stale = 10 })
		}
		if _, err := f.db.ExecContext(t.Context(), "UPDATE t SET c = 1"); err != nil {
			t.Error(err)
		}
		if name := f.must(t.Context()); name != "r0" {
			t.Error(name)
		}
		if n := f.primary.received(); n != 11 {
			t.Errorf("the primary got %d statements", n)
		}
		f.end()
	})
}

func TestAnswersOfAServerAreNotItsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		no := errors.New("no such column")
		f.replicas[0].set(func(s *server) { s.refuses = no })
		if _, err := f.ask(t.Context()); err != no {
			t.Errorf("%v", err)
		}
		if n := f.replicas[0].received(); n != 1 {
			t.Errorf("sent %d times", n)
		}
		if s := f.cluster.Pool().Stats(); s.Failed != 0 {
			t.Errorf("%+v", s)
		}
		f.replicas[0].set(func(s *server) { s.refuses = nil })
		f.end()
	})
}

// stateError is an error as PostgreSQL's drivers have them.
type stateError string

func (e stateError) Error() string    { return "state " + string(e) }
func (e stateError) SQLState() string { return string(e) }

func TestConflictWithReplayIsRepeatedOnAnotherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, func(c *lbsql.Config) { c.Fall = 1000 })
		f.replicas[0].set(func(s *server) { s.refuses = stateError("40001") })
		for range 20 {
			if name := f.must(t.Context()); name != "r1" {
				t.Fatal(name)
			}
		}
		// On the primary it is the transaction's own matter.
		f.primary.set(func(s *server) { s.refuses = stateError("40001") })
		if _, err := f.db.ExecContext(t.Context(), "UPDATE t SET c = 1"); err != stateError("40001") {
			t.Errorf("%v", err)
		}
		f.end()
	})
}

func TestCanceledReadIsNeitherRepeatedNorCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, nil)
		hang := make(chan struct{})
		for _, r := range f.replicas {
			r.set(func(s *server) { s.hang = hang })
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("gone"))
		defer cancel()
		canceled, stop := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Millisecond); stop() }()
		if _, err := f.ask(canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if s := f.cluster.Pool().Stats(); s.Failed != 0 {
			t.Errorf("%+v", s)
		}
		if _, err := f.ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if n := f.replicas[0].received() + f.replicas[1].received(); n > 2 {
			t.Errorf("sent %d times", n)
		}
		close(hang)
		f.end()
	})
}

func TestHangingReplicaIsTakenOutWhileOthersAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, nil)
		hang := make(chan struct{})
		f.replicas[0].set(func(s *server) { s.hang = hang })
		later(5 * time.Second)
		s := f.cluster.Replicas()
		if s[0].Usable || !s[1].Usable || s[1].Age > time.Second {
			t.Errorf("%+v", s)
		}
		close(hang)
		f.end()
	})
}

func TestPingAsksAReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		if err := f.db.PingContext(t.Context()); err != nil || f.replicas[0].received() != 1 {
			t.Error(err, f.replicas[0].statements())
		}
		if err := f.db.PingContext(lbsql.OnPrimary(t.Context())); err != nil || f.primary.received() != 1 {
			t.Error(err, f.primary.statements())
		}
		f.end()
	})
}

func TestConfigIsChecked(t *testing.T) {
	db := newServer("p").open(t)
	ok := lbsql.Config{Primary: db, Measure: measure}
	for name, change := range map[string]func(*lbsql.Config){
		"no primary":     func(c *lbsql.Config) { c.Primary = nil },
		"no measure":     func(c *lbsql.Config) { c.Measure = nil },
		"lag too fine":   func(c *lbsql.Config) { c.MaxLag = time.Millisecond },
		"share above 1":  func(c *lbsql.Config) { c.PrimaryShare = 1.1 },
		"negative share": func(c *lbsql.Config) { c.PrimaryShare = -1 },
		"negative time":  func(c *lbsql.Config) { c.Interval = -1 },
		"negative rise":  func(c *lbsql.Config) { c.Rise = -1 },
		"no DB":          func(c *lbsql.Config) { c.Replicas = []lbsql.Replica{{Node: lb.Node{ID: "r"}}} },
		"no ID":          func(c *lbsql.Config) { c.Replicas = []lbsql.Replica{{DB: newServer("r").open(t)}} },
		"primary as replica": func(c *lbsql.Config) {
			c.Replicas = []lbsql.Replica{{Node: lb.Node{ID: "r"}, DB: db}}
		},
	} {
		cfg := ok
		change(&cfg)
		if _, err := lbsql.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := lbsql.New(ok); err != nil {
		t.Error(err)
	}
}
