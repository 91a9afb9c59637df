package replication_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// testTablesCopiedSideBySide copies parents and children at the same time, in
// small chunks, while both come and go on the master. Between the chunks the
// replica may have children without parents; once its phase says that it
// follows, nobody ever meets one.
func testTablesCopiedSideBySide(t *testing.T, source, target vendor) {
	w := newWorld(t, source, target)
	for _, end := range []replication.End{w.source, w.target} {
		w.exec(end, "CREATE TABLE parents (id INTEGER PRIMARY KEY)")
		w.exec(end, "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, FOREIGN KEY (parent) REFERENCES parents (id))")
	}
	const families = 400
	w.exec(w.source, "INSERT INTO parents VALUES "+values(0, families, "(%d)"))
	w.exec(w.source, "INSERT INTO children SELECT id, id FROM parents")

	r := w.node(func(c *replication.Config) { c.ChunkRows, c.CopyWorkers = 20, 2 }, "children", "parents")
	w.must(r.Install(t.Context()))

	ctx, cancel := context.WithCancel(t.Context())
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	var moves atomic.Int64
	helpers.Go(func() { // in front of the copy, behind it, and where it is
		for i := 0; ctx.Err() == nil; i++ {
			born, gone := families+i, i*7%families
			err := inTx(w.source, fmt.Sprintf("INSERT INTO parents VALUES (%d)", born), fmt.Sprintf("INSERT INTO children VALUES (%d, %[1]d)", born),
				fmt.Sprintf("DELETE FROM children WHERE id = %d", gone), fmt.Sprintf("DELETE FROM parents WHERE id = %d", gone))
			if err != nil {
				t.Error(err)
				return
			}
			moves.Add(1)
		}
	})
	var looks atomic.Int64
	helpers.Go(func() {
		phase := w.target.Dialect.Quote(w.target.Dialect.Bookkeeping("replica"))
		for ctx.Err() == nil {
			var following, orphans int
			err := w.target.DB.QueryRow("SELECT (SELECT count(*) FROM "+phase+" WHERE phase = 'following'), "+
				"(SELECT count(*) FROM children c WHERE NOT EXISTS (SELECT 1 FROM parents p WHERE p.id = c.parent))").Scan(&following, &orphans)
			switch {
			case w.target.Dialect.Fault(err) == replication.Missing: // before the first connection
			case err != nil:
				t.Error(err)
				return
			case following == 1:
				if looks.Add(1); orphans > 0 {
					t.Errorf("the replica says that it follows, and has %d children without parents", orphans)
					return
				}
			}
		}
	})
	w.must(r.Copy(t.Context()))
	w.within(waitLong, "steps beside writers were looked at", func() bool {
		w.step(r)
		return t.Failed() || looks.Load() >= 20 && moves.Load() >= 20
	})
	cancel()
	helpers.Wait()
	w.step(r)
	w.step(r)
	w.equal("parents", "children")
	t.Logf("%d families moved, %d looks at the replica", moves.Load(), looks.Load())
}

func TestTablesCopiedSideBySideShowNoOrphans(t *testing.T) {
	t.Parallel()
	both(t, testTablesCopiedSideBySide)
}
