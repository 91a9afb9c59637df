package memcached

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// Tier is a cluster of memcached servers as the second tier of a cache: a
// cache.Tier, cache.TagTier and cache.PurgeTier. All methods are safe for
// concurrent use.
type Tier struct {
	cfg     Config
	members atomic.Pointer[members]

	life   sync.Mutex     // guards closed against the start of tasks
	closed bool           // guarded by life
	tasks  sync.WaitGroup // goroutines that Close waits for

	changing sync.Mutex // one SetServers at a time
}

var (
	_ cache.Tier      = (*Tier)(nil)
	_ cache.TagTier   = (*Tier)(nil)
	_ cache.PurgeTier = (*Tier)(nil)
)

// members is the cluster as it is at one time.
type members struct {
	layout  *layout
	servers []*server // in the order of layout.servers
}

// New checks cfg and returns a Tier that makes connections when it needs them.
func New(cfg Config) (*Tier, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	l, err := newLayout(cfg.Placement, cfg.Servers, cfg.Segments)
	if err != nil {
		return nil, err
	}
	t := &Tier{cfg: cfg}
	m := &members{layout: l}
	for _, s := range l.servers {
		m.servers = append(m.servers, newServer(s, t, false))
	}
	t.members.Store(m)
	return t, nil
}

// SetServers replaces the members of the cluster. A server whose name and
// address stay keeps its connections, its health and its statistics. Keys move
// by the rule of Config.Placement.
//
// A server that comes is purged before its first use, since it may hold what
// it held as a member at an earlier time. When a server goes that SetServers
// had brought, all others are purged too: keys move back to them, on which they
// may hold values from before. Until all clients of the cluster have the same
// members, a client may miss what another invalidated.
func (t *Tier) SetServers(servers []Server, segments ...Segment) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	l, err := newLayout(t.cfg.Placement, servers, segments)
	if err != nil {
		return err
	}
	old := t.members.Load()
	next := &members{layout: l}
	kept := make(map[*server]bool)
	for _, s := range l.servers {
		i := slices.IndexFunc(old.servers, func(o *server) bool { return o.Name == s.Name && o.Addr == s.Addr })
		if i < 0 {
			next.servers = append(next.servers, newServer(s, t, true))
			continue
		}
		kept[old.servers[i]] = true
		next.servers = append(next.servers, old.servers[i])
	}
	undone := slices.ContainsFunc(old.servers, func(o *server) bool { return o.added && !kept[o] })
	if undone {
		for s := range kept {
			s.missed(errMoved)
		}
	}

	t.life.Lock()
	closed := t.closed
	if !closed {
		t.members.Store(next)
	}
	t.life.Unlock()
	for _, s := range next.servers {
		if closed && !kept[s] {
			s.close()
		}
	}
	if closed {
		return ErrClosed
	}
	for _, s := range old.servers {
		if !kept[s] {
			s.close()
		}
	}
	return nil
}

var errMoved = errors.New("keys moved back to the server")

// Close ends all calls with ErrClosed, closes all connections and waits for all
// goroutines of the Tier. Further calls of Close do nothing.
func (t *Tier) Close() error {
	t.life.Lock()
	t.closed = true
	m := t.members.Load()
	t.life.Unlock()
	for _, s := range m.servers {
		s.close()
	}
	t.tasks.Wait()
	return nil
}

// run starts a goroutine, unless the Tier is closed.
func (t *Tier) run(task func()) bool {
	t.life.Lock()
	defer t.life.Unlock()
	if t.closed {
		return false
	}
	t.tasks.Go(task)
	return true
}

// spot is where a key is held: on which server, under which key of the wire.
type spot struct {
	server *server
	key    string
	limit  time.Duration // on the life of values; zero is none
}

func (t *Tier) spot(key string) spot {
	m := t.members.Load()
	return spot{server: m.servers[m.layout.pick(key, nil)], key: wireKey(key)}
}

// gutter returns the spot that stands in for a key whose server is ejected, and
// whether there is one. Copies there have keys of their own, so that nothing
// else ever finds them.
func (t *Tier) gutter(key string) (spot, bool) {
	if t.cfg.Gutter == 0 {
		return spot{}, false
	}
	m := t.members.Load()
	i := m.layout.pick(key, func(i int) bool { return m.servers[i].isOut() })
	if i < 0 {
		return spot{}, false
	}
	return spot{server: m.servers[i], key: gutterKey(key), limit: wholeSeconds(t.cfg.Gutter)}, true
}

// fail returns the error of an operation on a server; what is not the server's
// doing stays as it is.
func (s *server) fail(ctx context.Context, op string, err error) error {
	if err == nil || err == ErrClosed || ctx.Err() != nil && err == context.Cause(ctx) {
		return err
	}
	return &Error{Server: s.Name, Op: op, Err: err}
}

// detached runs a change so that it goes on to its end when ctx ends first.
func detached[T any](ctx context.Context, t *Tier, change func(ctx context.Context) (T, error)) (T, error) {
	work := func(ctx context.Context) (T, error) { return change(context.WithValue(ctx, changing{}, true)) }
	if ctx.Done() == nil {
		return work(ctx)
	}
	type outcome struct {
		result T
		err    error
	}
	done := make(chan outcome, 1)
	free := context.WithoutCancel(ctx)
	var none T
	if !t.run(func() {
		result, err := work(free)
		done <- outcome{result, err}
	}) {
		return none, ErrClosed
	}
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// each visits all servers at once and joins their errors. When ctx ends first,
// the visits go on to their end.
func (t *Tier) each(ctx context.Context, servers []*server, visit func(ctx context.Context, s *server) error) error {
	_, err := detached(ctx, t, func(ctx context.Context) (struct{}, error) {
		errs := make([]error, len(servers))
		var wg sync.WaitGroup
		for i, s := range servers {
			if i == len(servers)-1 {
				errs[i] = visit(ctx, s)
				break
			}
			wg.Go(func() { errs[i] = visit(ctx, s) })
		}
		wg.Wait()
		return struct{}{}, errors.Join(errs...)
	})
	return err
}
