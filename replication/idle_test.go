package replication_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// testIdleConnectionsAreClosed closes the connections of a replicator between
// two steps, as a server does that gives up silent clients.
func testIdleConnectionsAreClosed(t *testing.T, source, target vendor) {
	c := newCutter(t, source, target)
	tables := []string{"seats", "notes"}
	r := c.started(c.through, tables...)
	c.step(r)

	c.master.Cut()
	c.mine.Cut()
	c.change()
	time.Sleep(3 * time.Second) // SetIdleAfter in TestMain
	if n := c.step(r); n != changed && source.name == pg.name {
		t.Errorf("applied %d, want %d", n, changed)
	}
	c.equal(tables...)

	// Once more, and meanwhile another one takes the lock.
	c.mine.Cut()
	other := c.node(nil, tables...)
	c.within(waitLong, "the server lets the lock go", func() bool {
		_, err := other.Step(t.Context())
		return err == nil
	})
	c.change()
	c.within(waitLong, "the loss of the lock is noticed", func() bool {
		_, err := r.Step(t.Context())
		if err == nil {
			t.Fatal("a step without the lock")
		}
		return errors.Is(err, replication.ErrLocked)
	})
	c.step(other)
	c.step(other)
	c.equal(tables...)
}

func TestIdleConnectionsThatTheServerClosedAreReplacedUnseen(t *testing.T) {
	t.Parallel()
	both(t, testIdleConnectionsAreClosed)
}
