package replicationtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

func (l *lab) flipper(change func(*replication.FlipConfig), tables ...string) *replication.Flipper {
	l.t.Helper()
	cfg := replication.FlipConfig{Source: l.source, Target: l.target}
	for _, name := range tables {
		cfg.Tables = append(cfg.Tables, replication.Table{Source: name})
	}
	if change != nil {
		change(&cfg)
	}
	f, err := replication.NewFlipper(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return f
}

func testFlip(t *testing.T, p Pair) {
	l := newLab(t, p)
	l.table(l.source, "admins", 1, integer("id"), text("name", 50), integer("generation"))
	l.table(l.source, "rights", 2, integer("id"), integer("level"), integer("generation"))
	const rows = 200
	generation := func(n int) {
		l.tx(func(exec func(string, ...any)) {
			exec("DELETE FROM admins")
			exec("DELETE FROM rights")
			for i := range rows {
				exec("INSERT INTO admins VALUES (?, ?, ?)", i, fmt.Sprint("admin ", i), n)
				exec("INSERT INTO rights VALUES (?, 1, ?)", i, n)
			}
		})
	}
	generation(1)
	f := l.flipper(nil, "admins", "rights")
	res, err := f.Flip(t.Context())
	if err != nil || len(res.Flipped) != 2 || res.Rows != 2*rows {
		t.Fatalf("%+v, %v", res, err)
	}
	count := func() (n, generations int) {
		t.Helper()
		if err := l.target.DB.QueryRowContext(t.Context(), "SELECT COUNT(*), COUNT(DISTINCT generation) FROM (SELECT generation FROM admins UNION ALL SELECT generation FROM rights) q").Scan(&n, &generations); err != nil {
			t.Fatal(err)
		}
		return n, generations
	}
	if n, g := count(); n != 2*rows || g != 1 {
		t.Fatalf("the snapshots have %d rows of %d generations", n, g)
	}
	if res, err = f.Flip(t.Context()); err != nil || len(res.Flipped) != 0 || res.Rows != 0 {
		t.Errorf("nothing had changed, and the flip was %+v, %v", res, err)
	}

	// Readers never see a half or a mixed generation, and no error.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			var n, g int
			err := l.target.DB.QueryRowContext(t.Context(), "SELECT COUNT(*), COUNT(DISTINCT generation) FROM (SELECT generation FROM admins UNION ALL SELECT generation FROM rights) q").Scan(&n, &g)
			if err != nil || n != 2*rows || g != 1 {
				reader <- fmt.Errorf("a reader saw %d rows of %d generations, %v", n, g, err)
				return
			}
		}
		reader <- nil
	}()
	for n := 2; n < 8; n++ {
		generation(n)
		if res, err = f.Flip(t.Context()); err != nil || len(res.Flipped) != 2 {
			t.Fatalf("%+v, %v", res, err)
		}
		t.Logf("flip of two tables: %v", res.Flip)
	}
	cancel()
	if err := <-reader; err != nil {
		t.Error(err)
	}
	// Only what changed is loaded.
	l.exec(l.source, "UPDATE rights SET level = 2 WHERE id = 5")
	if res, err = f.Flip(t.Context()); err != nil || len(res.Flipped) != 1 || res.Rows != rows {
		t.Errorf("one of two tables had changed, and the flip was %+v, %v", res, err)
	}
}

func testFlipFailsWithoutHarm(t *testing.T, p Pair) {
	l := newLab(t, p)
	l.table(l.source, "prices", 1, integer("id"), integer("price"))
	l.exec(l.source, "INSERT INTO prices VALUES (1, 100)")
	refuse := false
	bad := errors.New("implausible")
	f := l.flipper(func(c *replication.FlipConfig) {
		c.Validate = func(_ context.Context, loaded []replication.LoadedTable) error {
			if refuse {
				return bad
			}
			return nil
		}
		c.Tables = []replication.Table{{Source: "prices", Map: func(r *replication.Row) (bool, error) {
			if r.Text("price") == "13" {
				return false, errors.New("unlucky")
			}
			return true, nil
		}}}
	})
	price := func() (n int) {
		t.Helper()
		if err := l.target.DB.QueryRowContext(t.Context(), "SELECT MAX(price) FROM prices").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := f.Flip(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuse = true
	l.exec(l.source, "UPDATE prices SET price = 200")
	if _, err := f.Flip(t.Context()); !errors.Is(err, bad) || price() != 100 {
		t.Fatalf("refused by Validate: %v, price %d", err, price())
	}
	refuse = false
	l.exec(l.source, "INSERT INTO prices VALUES (2, 13)") // fails in the middle of the load
	if _, err := f.Flip(t.Context()); err == nil || price() != 100 {
		t.Fatalf("a load that fails: %v, price %d", err, price())
	}
	l.exec(l.source, "DELETE FROM prices WHERE id = 2")
	if res, err := f.Flip(t.Context()); err != nil || len(res.Flipped) != 1 || price() != 200 {
		t.Fatalf("the next run: %+v, %v, price %d", res, err, price())
	}

	// A table that is there and is nobody's copy is not touched.
	l.table(l.source, "mine", 1, integer("id"))
	l.table(l.target, "mine", 1, integer("id"))
	if _, err := l.flipper(nil, "mine").Flip(t.Context()); err == nil {
		t.Error("a table of somebody else's was taken for a snapshot")
	}
	// Run flips again and again.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	flips := make(chan replication.FlipResult, 100)
	runner := l.flipper(func(c *replication.FlipConfig) {
		c.Trace = &replication.Trace{Flipped: func(r replication.FlipResult) { flips <- r }}
	}, "prices")
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx, 20*time.Millisecond) }()
	l.exec(l.source, "UPDATE prices SET price = 300")
	l.until("the price arrives", func() bool { return price() == 300 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if len(flips) == 0 {
		t.Error("Trace.Flipped was not called")
	}
}
