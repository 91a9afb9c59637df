package lbmemcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// Run checks the nodes until ctx ends and returns its cause then. It owns all
// goroutines of the Selector, one for each node, and waits for them. A second
// Run at the same time is an error.
func (s *Selector) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("lbmemcached: Run is running already")
	}
	defer s.running.Store(false)
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(map[*state]context.CancelFunc)
	for {
		s.mu.Lock()
		changed := s.changed
		keep := make(map[*state]bool)
		for _, st := range s.layout.states {
			keep[st] = true
			if stop[st] == nil {
				watching, cancel := context.WithCancel(ctx)
				stop[st] = cancel
				wg.Go(func() { s.watch(watching, st) })
			}
		}
		s.mu.Unlock()
		for st, cancel := range stop {
			if !keep[st] {
				cancel()
				delete(stop, st)
			}
		}
		select {
		case <-ctx.Done():
			for _, cancel := range stop {
				cancel()
			}
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// watch checks one node, at moments that differ from those of other nodes.
func (s *Selector) watch(ctx context.Context, st *state) {
	c := checker{timeout: s.cfg.Timeout, addr: addressOf(st.node.Addr)}
	defer c.close()
	good, bad := 0, 0
	for {
		err := c.check(ctx)
		if ctx.Err() != nil {
			return
		}
		s.checks.Add(1)
		if err != nil {
			s.failures.Add(1)
			good = 0
			bad++
			if bad >= s.cfg.Fall && !st.out.Load() {
				s.turn(st, true, err)
			}
		} else {
			bad = 0
			good++
			if good >= s.cfg.Rise && st.out.Load() && s.purged(ctx, &c) {
				s.turn(st, false, nil)
			}
		}
		pause := time.NewTimer(s.cfg.Interval*9/10 + rand.N(s.cfg.Interval/5+1))
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// purged empties a node that comes back. A node that cannot be emptied stays
// out.
func (s *Selector) purged(ctx context.Context, c *checker) bool {
	if s.cfg.Keep {
		return true
	}
	if err := c.ask(ctx, "flush_all", "OK"); err != nil {
		return false
	}
	s.purges.Add(1)
	return true
}

// turn takes a node out or back, unless SetNodes has replaced it meanwhile.
func (s *Selector) turn(st *state, out bool, why error) {
	id := st.node.ID
	s.mu.Lock()
	current := s.layout.states[id] == st
	if current {
		st.out.Store(out)
		_ = s.pool.SetHealthy(id, !out) // it is a member: mu is held
	}
	s.mu.Unlock()
	switch {
	case !current:
	case out:
		s.outs.Add(1)
		s.cfg.Logger.Warn("lbmemcached: node is out", "node", id, "error", why)
		if f := s.cfg.Trace.Out; f != nil {
			f(id, why)
		}
	default:
		s.cfg.Logger.Info("lbmemcached: node is used", "node", id)
		if f := s.cfg.Trace.Back; f != nil {
			f(id)
		}
	}
}

// checker speaks with one node over one connection. It is owned by the
// goroutine of the node's checks.
type checker struct {
	addr    address
	timeout time.Duration
	conn    net.Conn
	in      *bufio.Reader
}

func (c *checker) check(ctx context.Context) error { return c.ask(ctx, "version", "VERSION ") }

// ask sends a line and wants an answer that begins so.
func (c *checker) ask(ctx context.Context, line, want string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if c.conn == nil {
		c.conn, err = new(net.Dialer).DialContext(ctx, c.addr.network, c.addr.addr)
		if err != nil {
			c.conn = nil
			return err
		}
		c.in = bufio.NewReaderSize(c.conn, 256)
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	conn := c.conn
	// Also the end of Run cuts it short.
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if err := conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(line + "\r\n")); err != nil {
		return err
	}
	answer, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(answer), want) {
		return fmt.Errorf("lbmemcached: %s: answer %.40q", line, answer)
	}
	return nil
}

func (c *checker) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
