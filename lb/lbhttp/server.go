package lbhttp

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a reverse proxy that speaks HTTP/1.1 by itself: where [Proxy] costs
// what net/http costs, a request through a Server costs four system calls and
// little more. Its methods may be called concurrently.
type Server struct {
	cfg   ServerConfig
	rules *rules
	bufs  *buffers
	works sync.Pool // of *work
	ups   upstreams
	epoch time.Time
	tick  time.Duration
	now   atomic.Int64 // nanoseconds since epoch, as of the last tick

	draining atomic.Bool
	ctx      context.Context // of Run; ends when requests in progress are given up

	slots   chan struct{} // a token for each client; nil without MaxClients
	mu      sync.Mutex
	clients []*client // guarded by mu
	wg      sync.WaitGroup

	requests, retries, refused, failed, aborted atomic.Int64
}

// ServerStats counts since the start.
type ServerStats struct {
	Clients  int64 // connections of clients now
	Requests int64
	Retries  int64 // attempts beyond a request's first
	Refused  int64 // requests that were no HTTP, or not acceptable
	Failed   int64 // requests that this server answered with 502, 503 or 504
	Aborted  int64 // requests whose client went before the end of the response
}

// NewServer checks cfg and returns a Server that does nothing until Run.
func NewServer(cfg ServerConfig) (*Server, error) {
	ru, err := cfg.Rules.compile()
	if err != nil {
		return nil, err
	}
	cfg, err = cfg.fill()
	if err != nil {
		return nil, err
	}
	if cfg.TLS != nil {
		cfg.TLS = cfg.TLS.Clone()
		cfg.TLS.NextProtos = []string{"http/1.1"}
	}
	s := &Server{cfg: cfg, rules: ru, bufs: newBuffers(cfg.MaxHead), epoch: time.Now()}
	if cfg.MaxClients > 0 {
		s.slots = make(chan struct{}, cfg.MaxClients)
	}
	s.tick = 100 * time.Millisecond
	for _, d := range []time.Duration{cfg.HeadTimeout, cfg.IdleTimeout, cfg.BodyTimeout, cfg.ResponseTimeout} {
		if d > 0 {
			s.tick = max(min(s.tick, d/8), 2*time.Millisecond)
		}
	}
	return s, nil
}

// Stats returns the counters.
func (s *Server) Stats() ServerStats {
	s.mu.Lock()
	n := len(s.clients)
	s.mu.Unlock()
	return ServerStats{
		Clients:  int64(n),
		Requests: s.requests.Load(),
		Retries:  s.retries.Load(),
		Refused:  s.refused.Load(),
		Failed:   s.failed.Load(),
		Aborted:  s.aborted.Load(),
	}
}

// Run serves the listeners, and closes them, until ctx ends or one of them
// fails. Then it takes no more connections, closes the idle ones, and waits for
// requests in progress for as long as ServerConfig.Drain says before it closes
// their connections too. It returns context.Cause(ctx), or the listener's
// error. Run is called once.
func (s *Server) Run(ctx context.Context, listeners ...net.Listener) error {
	if len(listeners) == 0 {
		return errors.New("lbhttp: Run needs a listener")
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	hard, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	s.ctx = hard

	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() { stop(s.accept(ctx, l)) })
	}
	ticked := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(ticked)
		s.watch(done)
	}()

	<-ctx.Done()
	s.draining.Store(true)
	for _, l := range listeners {
		l.Close()
	}
	accepting.Wait()
	s.drain(giveUp)
	close(done)
	<-ticked
	s.ups.each(func(*upstream) bool { return false })
	return context.Cause(ctx)
}

// accept returns nil only after ctx has ended.
func (s *Server) accept(ctx context.Context, l net.Listener) error {
	wait := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		if err == nil {
			wait = 5 * time.Millisecond
			if s.slots != nil {
				select {
				case s.slots <- struct{}{}:
				case <-ctx.Done():
					conn.Close()
					return nil
				}
			}
			c := newClient(s, conn)
			s.mu.Lock()
			c.index = len(s.clients)
			s.clients = append(s.clients, c)
			s.mu.Unlock()
			s.wg.Add(1)
			go c.serve()
			continue
		}
		if s.draining.Load() {
			return nil
		}
		//lint:ignore SA1019 out of descriptors: later there are some, and net has no other word for it
		if t, ok := errors.AsType[net.Error](err); ok && t.Temporary() {
			s.cfg.Logger.Warn("accept", "err", err)
			time.Sleep(wait)
			wait = min(2*wait, time.Second)
			continue
		}
		return err
	}
}

// forget is called by a client's goroutine when it ends.
func (s *Server) forget(c *client) {
	s.mu.Lock()
	last := len(s.clients) - 1
	s.clients[c.index] = s.clients[last]
	s.clients[c.index].index = c.index
	s.clients[last] = nil
	s.clients = s.clients[:last]
	s.mu.Unlock()
	if s.slots != nil {
		<-s.slots
	}
	s.wg.Done()
}

// watch moves the clock and looks at the alarms until done.
func (s *Server) watch(done <-chan struct{}) {
	t := time.NewTicker(s.tick)
	defer t.Stop()
	var clients []*client
	swept := time.Duration(0)
	for {
		select {
		case <-done:
			return
		case <-t.C:
		}
		now := time.Since(s.epoch)
		s.now.Store(int64(now))
		s.mu.Lock()
		clients = append(clients[:0], s.clients...)
		s.mu.Unlock()
		for _, c := range clients {
			c.alarm.look(int64(now), c.hasGone, c.expire)
		}
		clear(clients)
		idle := s.cfg.IdleTimeout / 3
		if idle > 0 && now-swept > min(idle/2, time.Second) {
			swept = now
			s.ups.each(func(u *upstream) bool {
				u.expire(int64(now - idle))
				return u.used.Load() > int64(now-10*time.Minute)
			})
		}
	}
}

// drain waits for the clients, in the end with force.
func (s *Server) drain(giveUp func()) {
	finished := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(finished)
	}()
	limit := time.NewTimer(max(s.cfg.Drain, 0))
	defer limit.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	force := false
	for {
		s.mu.Lock()
		clients := append([]*client(nil), s.clients...)
		s.mu.Unlock()
		for _, c := range clients {
			c.alarm.end(func() bool { return force || c.idle }, c.expire)
			if force {
				c.cut()
			}
		}
		select {
		case <-finished:
			return
		case <-again.C:
		case <-limit.C:
			force = true
			giveUp()
			s.cfg.Logger.Warn("requests in progress are given up", "connections", len(clients))
		}
	}
}

// past is a deadline that ends a wait at once.
var past = time.Unix(1, 0)

func (s *Server) until(d time.Duration) int64 {
	if d < 0 {
		return 1<<61 - 1
	}
	return s.now.Load() + int64(d)
}
