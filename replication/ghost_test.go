package replication_test

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ashlar-go/ashlar/replication"
)

// ghosts makes connections that can end for the client alone, as when the
// network between fails for a while: the server does not hear of it.
type ghosts struct {
	mu    sync.Mutex
	conns []*ghost // all that were made
}

type ghost struct {
	net.Conn
	lost chan struct{}
	once sync.Once
}

func (g *ghosts) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	made := &ghost{Conn: c, lost: make(chan struct{})}
	g.conns = append(g.conns, made)
	return made, nil
}

// part ends the connections that there are, on the client's side, and returns
// what ends them on the server's.
func (g *ghosts) part() (end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	conns := g.conns
	g.conns = nil
	for _, c := range conns {
		c.once.Do(func() { close(c.lost) })
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // ends a Read that waits
	}
	return func() {
		for _, c := range conns {
			_ = c.Conn.Close()
		}
	}
}

func (c *ghost) gone() bool {
	select {
	case <-c.lost:
		return true
	default:
		return false
	}
}

func (c *ghost) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.gone() {
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

func (c *ghost) Write(b []byte) (int, error) {
	if c.gone() {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return c.Conn.Write(b)
}

func (c *ghost) Close() error {
	if c.gone() {
		return nil
	}
	return c.Conn.Close()
}

// TestRunOutlivesItsOwnGhost has the network fail such that the server still
// holds the node's lock for a session that its client has given up. Run waits
// for the end of that session; it does not take itself for another replicator.
func TestRunOutlivesItsOwnGhost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mariadb, pg)
	w.exec(w.source, "CREATE TABLE haunted (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)")
	w.exec(w.source, "INSERT INTO haunted VALUES "+values(0, 10, "(%d, 0)"))
	_ = w.started(nil, "haunted").Close()
	var g ghosts
	cfg, err := pgx.ParseConfig(w.targetURL)
	w.must(err)
	cfg.DialFunc = g.dial
	far := stdlib.OpenDB(*cfg)
	t.Cleanup(func() { _ = far.Close() })
	r := w.node(func(c *replication.Config) { c.Target.DB = far }, "haunted")
	ctx := t.Context()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	follows := func() {
		t.Helper()
		w.exec(w.source, "UPDATE haunted SET v = v + 1")
		w.within(waitLong, "the replica follows", func() bool {
			select {
			case err := <-ended:
				t.Fatalf("Run ended: %v", err)
			default:
			}
			return difference(w.dump(w.source, "haunted"), w.dump(w.target, "haunted")) == ""
		})
	}
	follows()
	end := g.part()
	t.Cleanup(end)
	select {
	case err := <-ended:
		t.Errorf("Run ended by its own lock: %v", err)
		return
	case <-time.After(4 * time.Second): // longer than the patience with locks
	}
	end()
	follows()
}
