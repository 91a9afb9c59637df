package ha

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Run is the member's life. When ctx ends it gives its groups to others, each of
// which is ready before this one lets go; what nobody takes within Timing.Hook it
// gives up; it tells the others that it leaves, and returns the cause of ctx's end.
// Another error means that a path could not be opened. All goroutines have ended
// when it returns, except hooks that went on after their time.
func (n *Node) Run(ctx context.Context) error {
	if !n.running.CompareAndSwap(false, true) {
		return errors.New("ha: node is running already")
	}
	core, err := NewCore(n.cfg, uint64(time.Now().UnixNano()), uptime())
	if err != nil {
		n.running.Store(false)
		return err
	}
	n.core = core
	n.inputs = make(chan Input, 4096)
	n.events = make(chan Event, 256)
	n.workers = make(map[string]*worker)
	n.lines = make(map[string]string)
	n.seal = newSealer(n.cfg.Keys)
	n.paths = nil
	n.beats = 0
	all, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.ctx = all
	defer func() {
		cancel()
		for _, p := range n.paths {
			p.close()
		}
		n.wait.Wait()
		n.running.Store(false)
		n.mu.Lock()
		close(n.stopped)
		n.stopped = make(chan struct{})
		n.mu.Unlock()
	}()
	for i, cfg := range n.cfg.Paths {
		p, err := openPath(cfg)
		if err != nil {
			return fmt.Errorf("ha: Config.Paths[%d]: %w", i, err)
		}
		n.paths = append(n.paths, p)
	}
	if err := n.removeOrphans(ctx); err != nil {
		return err
	}
	for _, p := range n.paths {
		for _, conn := range p.readers {
			n.wait.Go(func() { n.read(conn) })
		}
		n.wait.Go(func() { n.accept(p) })
	}
	n.wait.Go(n.tell)
	n.watch()
	n.loop(ctx)
	return context.Cause(ctx)
}

// loop owns the machine.
func (n *Node) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	ended := ctx.Done()
	var armed, giveUpAt time.Duration // giveUpAt is when handing over has to have ended; 0 while running
	left := false
	for {
		select {
		case in := <-n.inputs:
			n.do(n.core.Step(uptime(), in))
		case f := <-n.requests:
			n.do(f(n.core))
		case <-timer.C:
			armed = 0
			n.do(n.core.Step(uptime(), Input{Kind: Tick}))
		case <-ended:
			ended = nil
			giveUpAt = uptime() + n.cfg.Hook
			n.do(n.core.Step(uptime(), Input{Kind: Drain}))
		}
		if giveUpAt > 0 {
			now := uptime()
			switch {
			case !left && (n.core.Idle() || !n.core.Snapshot().others() || now > giveUpAt):
				left = true
				giveUpAt = now + 3*n.cfg.Hook
				n.do(n.core.Step(now, Input{Kind: Leave}))
			case left && (n.core.Idle() && n.beats >= 3 || now > giveUpAt):
				return
			}
		}
		if next := n.core.Next(); next != armed { // most heartbeats change nothing
			armed = next
			timer.Reset(next - n.core.now)
		}
	}
}

// do executes effects, or has them executed.
func (n *Node) do(effects []Effect) {
	for _, e := range effects {
		switch e.Kind {
		case Send:
			n.stats.sent.Add(1)
			if e.Heartbeat.flags&flagLeaving != 0 {
				n.beats++
			}
			n.frame = n.seal.seal(n.frame[:0], e.Heartbeat)
			for _, p := range n.paths {
				p.send(n.frame)
			}
		case Report:
			switch e.Event.Kind {
			case Taken:
				n.stats.taken.Add(1)
			case Given:
				n.stats.given.Add(1)
			case MemberUp:
				n.watchProcess(e.Event.Member)
			}
			select {
			case n.events <- e.Event:
			default:
				n.stats.lostEvents.Add(1)
			}
		default:
			n.work(e)
		}
	}
}

// input hands something to the loop.
func (n *Node) input(in Input) {
	select {
	case n.inputs <- in:
	case <-n.ctx.Done():
	}
}

// tell hands events to the user.
func (n *Node) tell() {
	say := func(e Event) {
		args := []any{"member", e.Member, "group", e.Group, "epoch", e.Term.Epoch, "reason", e.Reason}
		if e.Err != nil {
			args = append(args, "err", e.Err)
		}
		n.cfg.Logger.Info("ha: "+string(e.Kind), args...)
		if n.cfg.Trace.Event != nil {
			n.cfg.Trace.Event(e)
		}
	}
	for {
		select {
		case e := <-n.events:
			say(e)
		case <-n.ctx.Done():
			for {
				select {
				case e := <-n.events:
					say(e)
				default:
					return
				}
			}
		}
	}
}

// removeOrphans removes what an earlier process of this member left behind.
func (n *Node) removeOrphans(ctx context.Context) error {
	inv, ok := n.cfg.Plumber.(Inventory)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Hook)
	defer cancel()
	vips, err := inv.Attached(ctx)
	for _, v := range vips {
		err = errors.Join(err, n.cfg.Plumber.Detach(ctx, v))
	}
	if err != nil {
		return fmt.Errorf("ha: addresses of an earlier process: %w", err)
	}
	return nil
}

// watch runs what the Plumber can do besides.
func (n *Node) watch() {
	if w, ok := n.cfg.Plumber.(Watcher); ok {
		n.wait.Go(func() {
			for n.ctx.Err() == nil {
				err := w.Watch(n.ctx, func(e PlumberEvent) { n.input(Input{Kind: Plumbing, Event: e}) })
				if err != nil && n.ctx.Err() == nil {
					n.cfg.Logger.Warn("ha: the network of this host cannot be watched", "err", err)
				}
				sleep(n.ctx, time.Second)
			}
		})
	}
	if l, ok := n.cfg.Plumber.(NeighbourLister); ok {
		n.wait.Go(func() {
			for n.ctx.Err() == nil {
				for _, iface := range n.ifaces() {
					addrs, err := l.Neighbours(n.ctx, iface)
					if err != nil && n.ctx.Err() == nil {
						n.cfg.Logger.Warn("ha: the neighbours are not known", "iface", iface, "err", err)
					}
					n.input(Input{Kind: Sampled, Iface: iface, Addrs: addrs})
				}
				sleep(n.ctx, sampleEvery)
			}
		})
	}
	if r, ok := n.cfg.Plumber.(Renewer); ok {
		n.wait.Go(func() {
			for n.ctx.Err() == nil {
				var held []VIP
				err := n.ask(n.ctx, func(c *Core) []Effect { held = c.attached(); return nil })
				if err == nil && len(held) > 0 {
					err = r.Renew(n.ctx, held, n.cfg.Lease)
				}
				if err != nil && n.ctx.Err() == nil {
					n.cfg.Logger.Warn("ha: addresses could not be renewed", "err", err)
				}
				sleep(n.ctx, n.cfg.Lease/3)
			}
		})
	}
}

// ifaces are the interfaces that groups have addresses on.
func (n *Node) ifaces() (list []string) {
	_ = n.ask(n.ctx, func(c *Core) []Effect {
		for _, l := range c.locals {
			for _, v := range l.group.VIPs {
				list = append(list, v.Iface)
			}
		}
		return nil
	})
	slices.Sort(list)
	return slices.Compact(list)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// attached are the addresses that are here by right.
func (c *Core) attached() []VIP {
	var list []VIP
	for _, l := range c.locals {
		if l.phase == owned {
			list = append(list, l.group.VIPs...)
		}
	}
	return list
}
