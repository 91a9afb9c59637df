package replication_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/postgres"
)

// ours returns the goroutines that run something of this package.
func ours() (out []string) {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(g, "/ashlar/replication.") || strings.Contains(g, "/ashlar/replication/") && !strings.Contains(g, "_test.") {
			out = append(out, g)
		}
	}
	return out
}

// clean checks that no goroutine and no connection in use is left.
func (w *world) clean(what string) {
	w.t.Helper()
	var left []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if left = ours(); len(left) == 0 {
			break
		}
		if time.Now().After(end) {
			w.t.Fatalf("after %s: %d goroutines are left:\n%s", what, len(left), strings.Join(left, "\n\n"))
		}
	}
	for _, end := range []replication.End{w.source, w.target} {
		if s := end.DB.Stats(); s.InUse != 0 {
			w.t.Fatalf("after %s: %d connections to %s are in use", what, s.InUse, end.Dialect.Name())
		}
	}
}

// TestNothingIsLeftBehind is not parallel: it looks at all goroutines.
func TestNothingIsLeftBehind(t *testing.T) {
	for _, p := range []struct{ source, target vendor }{{pg, mariadb}, {mariadb, pg}} {
		t.Run(p.source.name+"To"+p.target.name, func(t *testing.T) {
			w := newWorld(t, p.source, p.target)
			if p.source.name == pg.name {
				w.source.Dialect = postgres.Notifying
			}
			w.exec(w.source, "CREATE TABLE left1 (id INTEGER PRIMARY KEY, v VARCHAR(40))")
			w.exec(w.source, "INSERT INTO left1 VALUES "+values(0, 100, "(%d, 'x')"))
			r := w.node(func(c *replication.Config) { c.ChunkRows = 10 }, "left1")
			ctx := context.Background()
			if _, err := r.Plan(ctx); err != nil {
				t.Fatal(err)
			}
			w.clean("Plan")
			w.must(r.Install(ctx))
			w.clean("Install")
			w.must(r.Copy(ctx))
			w.must(r.Close())
			w.clean("Copy and Close")
			w.exec(w.source, "UPDATE left1 SET v = 'y'")
			w.step(r)
			w.must(r.Close())
			w.must(r.Close()) // twice is allowed
			w.clean("Step and Close")

			_ = w.verify(r)
			for range r.Verify(ctx) {
				break
			}
			if _, err := r.Status(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Trim(ctx); err != nil {
				t.Fatal(err)
			}
			w.clean("Verify, Status and Trim")

			running, cancel := context.WithCancelCause(ctx)
			done := make(chan error, 1)
			go func() { done <- r.Run(running) }()
			w.exec(w.source, "UPDATE left1 SET v = 'z'")
			w.within(waitLong, "the replica has it", func() bool {
				return difference(w.dump(w.source, "left1"), w.dump(w.target, "left1")) == ""
			})
			over := errors.New("over")
			cancel(over)
			if err := <-done; err != over {
				t.Errorf("Run = %v, want the cause, %v", err, over)
			}
			w.clean("Run")

			// A copy that is stopped in the middle, and a step that fails.
			stopped, stop := context.WithCancel(ctx)
			half := w.node(func(c *replication.Config) {
				c.Node, c.ChunkRows = "n2", 10
				c.Trace = &replication.Trace{Copied: func(replication.CopyInfo) { stop() }}
			}, "left1")
			if err := half.Copy(stopped); err == nil {
				t.Error("a copy that was stopped: no error")
			}
			w.clean("a copy that was stopped")
			w.exec(w.target, "DROP TABLE left1")
			w.exec(w.source, "UPDATE left1 SET v = 'refused'")
			if _, err := r.Step(ctx); err == nil {
				t.Error("a step into a table that is gone: no error")
			}
			w.clean("a step that failed")
		})
	}
}
