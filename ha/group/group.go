package group

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxPayload is what servers carry in one message.
const maxPayload = 1 << 20

// MaxMessage is the longest message that can be published, in bytes.
const MaxMessage = maxPayload - overhead - 1<<10

// Group is this process's membership in a group. All methods are safe for
// concurrent use. Publish, Subscribe and the others wait until Run has
// connected, and return [ErrClosed] when it has ended.
type Group struct {
	cfg     Config
	keys    keys
	pending int // messages that wait for a subscription; constant
	began   atomic.Bool
	ready   chan struct{} // closed when link may be used
	ended   chan struct{} // closed when Run returns
	link    link          // constant once ready is closed

	counts counters
	views  atomic.Pointer[viewList] // the newest

	mu      sync.Mutex
	roll    *roll                    // guarded by mu
	history *history                 // guarded by mu
	recent  map[string]int           // guarded by mu: wire subjects that get into heartbeats, for how many more
	heard   map[string]heardTails    // guarded by mu: by member
	taken   int                      // guarded by mu: heartbeats of another member of our name
	turns   map[string]chan struct{} // guarded by mu: by wire subject, one Publish at a time

	greet chan struct{} // holds a token when somebody has come who does not know us
}

// link is what Run sets up.
type link struct {
	server *server.Server // nil with Config.URL
	nc     *nats.Conn
	js     jetstream.JetStream
	epoch  uint64
	began  time.Time
}

// heardTails is what a member said last.
type heardTails struct {
	epoch uint64
	age   uint64        // ms that its life lasted then
	at    time.Duration // when that was
	tails tails
	left  bool
}

// viewList is a view and those after it, for any number of watchers.
type viewList struct {
	view View
	more chan struct{} // closed when next is set
	next *viewList
}

// New checks cfg and returns a group that does nothing until Run.
func New(cfg Config) (*Group, error) {
	cfg, err := cfg.fill()
	if err != nil {
		return nil, err
	}
	g := &Group{
		cfg:     cfg,
		pending: pendingMessages,
		keys:    cfg.keys(),
		ready:   make(chan struct{}),
		ended:   make(chan struct{}),
		history: newHistory(cfg.History),
		recent:  map[string]int{},
		heard:   map[string]heardTails{},
		turns:   map[string]chan struct{}{},
		greet:   make(chan struct{}, 1),
	}
	g.views.Store(&viewList{more: make(chan struct{})})
	return g, nil
}

// Run joins the group and is a member until ctx ends; then it tells the others
// that it leaves, and returns the context's cause. It fails if the server
// cannot be started or reached, and with [ErrNameTaken]. It can run once.
func (g *Group) Run(ctx context.Context) error {
	if g.began.Swap(true) {
		return errors.New("group: Run was called before")
	}
	defer close(g.ended)
	srv, err := g.startServer()
	if err != nil {
		return err
	}
	if srv != nil {
		defer func() {
			srv.Shutdown()
			srv.WaitForShutdown()
		}()
	}
	nc, err := g.connect(srv)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("group: %w", err)
	}
	// The epoch grows with each life unless the clock was set back: then the
	// others take this life for an old one until they have missed the last.
	began := time.Now()
	g.link = link{srv, nc, js, uint64(began.UnixNano()), began}
	g.roll = newRoll(Member{g.cfg.Name, g.link.epoch}, time.Duration(g.cfg.Misses)*g.cfg.Heartbeat)
	g.changed(nil)
	for subject, handle := range map[string]nats.MsgHandler{
		g.subject("h"):               g.onBeat,
		g.subject("a." + g.cfg.Name): g.onAsk,
	} {
		if _, err := nc.Subscribe(subject, handle); err != nil {
			return fmt.Errorf("group: subscribe: %w", err)
		}
	}
	g.say(kindBeat) // before the first message
	close(g.ready)
	var watch sync.WaitGroup
	watching, stop := context.WithCancel(ctx)
	defer watch.Wait()
	defer stop()
	watch.Go(func() { _ = g.Watch(watching, g.tell) })
	return g.beat(ctx)
}

// connect opens the connection to the server, this process's or another.
func (g *Group) connect(srv *server.Server) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name(g.cfg.Group + "/" + g.cfg.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(g.cfg.Heartbeat),
		nats.PingInterval(g.cfg.Heartbeat),
		nats.MaxPingsOutstanding(max(g.cfg.Misses, 2)),
		nats.FlusherTimeout(5 * time.Second),
		// What is lost is found out by numbers; nothing is hoarded meanwhile.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if g.closing() {
				return
			}
			g.counts.disconnects.Add(1)
			g.cfg.Logger.Warn("group: disconnected", "err", err)
			if f := g.cfg.Trace.Disconnected; f != nil {
				f(err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { g.connected(nc) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			g.cfg.Logger.Warn("group: connection", "err", err)
		}),
	}
	where := redacted(g.cfg.URL)
	if srv != nil {
		opts = append(opts, nats.InProcessServer(srv))
		where = "this process's server"
	}
	if g.cfg.Credentials != "" {
		opts = append(opts, nats.UserCredentials(g.cfg.Credentials))
	} else {
		opts = append(opts, nats.UserInfo(g.keys.user, g.keys.client))
	}
	if g.cfg.TLS != nil && srv == nil {
		opts = append(opts, nats.Secure(g.cfg.TLS))
	}
	nc, err := nats.Connect(g.cfg.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("group: connect to %s: %w", where, err)
	}
	g.connected(nc)
	return nc, nil
}

func (g *Group) connected(nc *nats.Conn) {
	if f := g.cfg.Trace.Connected; f != nil {
		f(nc.ConnectedUrlRedacted())
	}
}

// beat says that this member lives, and finds out who does not, until ctx ends.
func (g *Group) beat(ctx context.Context) error {
	tick := time.NewTicker(g.cfg.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			g.say(kindLeave)
			_ = g.link.nc.FlushTimeout(2 * time.Second)
			return context.Cause(ctx)
		case <-tick.C:
		case <-g.greet:
		}
		g.say(kindBeat)
		g.mu.Lock()
		taken := g.taken
		g.changed(g.roll.expire(g.now()))
		for name, h := range g.heard {
			if _, in := g.roll.heard[name]; !in && name != g.cfg.Name && g.now()-h.at > rememberLeft*g.roll.window {
				delete(g.heard, name)
			}
		}
		g.mu.Unlock()
		if taken >= 2 {
			return fmt.Errorf("%w: %s", ErrNameTaken, g.cfg.Name)
		}
	}
}

// rememberLeft is for how many windows the last words of a member that left are
// kept, for subscriptions that have not come to them yet.
const rememberLeft = 10

// tailBeats is in how many heartbeats a message's number is repeated: one of
// them gets through, or the member counts as failed.
func (g *Group) tailBeats() int { return g.cfg.Misses + 2 }

func (g *Group) say(k kind) {
	g.mu.Lock()
	t := tails{}
	for subject, n := range g.recent {
		t[subject] = g.history.last[subject]
		if n--; n <= 0 {
			delete(g.recent, subject)
		} else {
			g.recent[subject] = n
		}
	}
	g.mu.Unlock()
	subject := g.subject("h")
	f := frame{kind: k, from: g.cfg.Name, epoch: g.link.epoch, age: g.age(), body: t.encode()}
	if err := g.link.nc.Publish(subject, f.encode(nil, g.keys.frames, subject)); err != nil && !g.link.nc.IsReconnecting() {
		g.cfg.Logger.Warn("group: heartbeat", "err", err)
	}
}

// onBeat hears another member's heartbeat or farewell.
func (g *Group) onBeat(m *nats.Msg) {
	f, ok := g.open(m, m.Subject)
	if !ok {
		return
	}
	t, err := decodeTails(f.body)
	if err != nil || f.kind != kindBeat && f.kind != kindLeave {
		g.forged(m.Subject)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	who := Member{f.from, f.epoch}
	var changes []Change
	switch {
	case f.from == g.cfg.Name && f.epoch == g.link.epoch:
		// Our own: what we published before it came back from the server, too.
	case f.from == g.cfg.Name:
		if f.kind == kindBeat && f.epoch < g.link.epoch {
			g.taken++
		}
		return
	case f.kind == kindLeave:
		changes = g.roll.leave(who)
	default:
		changes = g.roll.beat(g.now(), who)
	}
	if h := g.heard[f.from]; f.epoch >= h.epoch {
		if f.epoch == h.epoch {
			for subject, seq := range h.tails {
				t[subject] = max(t[subject], seq)
			}
		}
		g.heard[f.from] = heardTails{f.epoch, f.age, g.now(), t, f.kind == kindLeave}
	}
	if len(changes) > 0 && changes[0].Cause == Joined {
		select { // it learns of us now, not at our next heartbeat
		case g.greet <- struct{}{}:
		default:
		}
	}
	g.changed(changes)
}

// changed publishes the view after changes, if there are any; g.mu is held, or
// nobody else knows g yet.
func (g *Group) changed(changes []Change) {
	if changes == nil && g.roll.id > 0 {
		return
	}
	v := g.roll.view(changes)
	g.counts.views.Add(1)
	last := g.views.Load()
	last.next = &viewList{view: v, more: make(chan struct{})}
	g.views.Store(last.next)
	close(last.more)
}

// tell logs and traces a view.
func (g *Group) tell(v View) {
	for _, c := range v.Changes {
		g.cfg.Logger.Info("group: member "+string(c.Cause), "member", c.Member.Name, "members", len(v.Members))
	}
	if f := g.cfg.Trace.View; f != nil {
		f(v)
	}
}

// View returns who is in the group now; nobody before Run.
func (g *Group) View() View { return g.views.Load().view }

// Watch calls f with the view of now and with each one after it, none left
// out, until ctx or Run ends. It returns the context's cause or [ErrClosed].
func (g *Group) Watch(ctx context.Context, f func(View)) error {
	if err := g.wait(ctx); err != nil {
		return err
	}
	for at := g.views.Load(); ; at = at.next {
		f(at.view)
		select {
		case <-at.more:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-g.ended:
			return ErrClosed
		}
	}
}

// Addrs returns the addresses where clients and other members' servers can
// connect, "" where there are none. It waits until Run has started them.
func (g *Group) Addrs(ctx context.Context) (listen, cluster string, err error) {
	if err := g.wait(ctx); err != nil {
		return "", "", err
	}
	if s := g.link.server; s != nil {
		if g.cfg.Listen != "" {
			listen = s.Addr().String()
		}
		if a := s.ClusterAddr(); a != nil {
			cluster = a.String()
		}
	}
	return listen, cluster, nil
}

// wait returns once Run has connected.
func (g *Group) wait(ctx context.Context) error {
	select {
	case <-g.ended:
		return ErrClosed
	default:
	}
	select {
	case <-g.ready:
		return nil
	case <-g.ended:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *Group) closing() bool {
	select {
	case <-g.ended:
		return true
	default:
		return false
	}
}

// now is the time since this life began, and age the same in ms
// begun: a life never looks younger than it is.
func (g *Group) now() time.Duration { return time.Since(g.link.began) }

func (g *Group) age() uint64 { return uint64(g.now()/time.Millisecond) + 1 }

// subject is the name that a wire subject has on the servers.
func (g *Group) subject(wire string) string { return "ashlar." + g.cfg.Group + "." + wire }

// open reads a frame that came as m, signed for subject.
func (g *Group) open(m *nats.Msg, subject string) (frame, bool) {
	f, err := decode(m.Data, g.keys.frames, subject)
	if err != nil {
		g.forged(m.Subject)
		return f, false
	}
	return f, true
}

func (g *Group) forged(subject string) {
	g.counts.forged.Add(1)
	if f := g.cfg.Trace.Forged; f != nil {
		f(subject)
	}
}

// redacted is a list of URLs without the passwords in them.
func redacted(urls string) string {
	list := strings.Split(urls, ",")
	for i, s := range list {
		u, err := url.Parse(s)
		if err != nil {
			return "Config.URL"
		}
		list[i] = u.Redacted()
	}
	return strings.Join(list, ",")
}
