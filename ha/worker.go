package ha

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// worker executes the effects of one group, one after the other.
type worker struct {
	queue  chan Effect
	cancel context.CancelFunc // ends the newest Take
}

// work gives an effect to its group's worker. The queue is longer than a group
// can have effects that are waited for; announcements are left out if it is full.
func (n *Node) work(e Effect) {
	w := n.workers[e.Group.Name]
	if w == nil {
		w = &worker{queue: make(chan Effect, 64)}
		n.workers[e.Group.Name] = w
		n.wait.Go(func() { n.serve(w.queue) })
	}
	switch e.Kind {
	case Take:
		if w.cancel != nil {
			w.cancel()
		}
		var ctx context.Context
		ctx, w.cancel = context.WithTimeout(n.ctx, n.cfg.Hook)
		e.ctx = ctx
	case Detach:
		if w.cancel != nil {
			w.cancel()
		}
	}
	select {
	case w.queue <- e:
	default:
		if e.Op != 0 { // it cannot be lost: say that it failed
			n.wait.Go(func() { n.input(Input{Kind: Done, Op: e.Op, Err: errors.New("ha: the group's hooks are stuck")}) })
		}
	}
}

func (n *Node) serve(queue chan Effect) {
	for {
		select {
		case e := <-queue:
			err := n.execute(e)
			if e.Op != 0 {
				n.input(Input{Kind: Done, Op: e.Op, Err: err})
			}
		case <-n.ctx.Done():
			return
		}
	}
}

func (n *Node) execute(e Effect) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), n.cfg.Hook)
	defer cancel()
	switch e.Kind {
	case Take:
		return n.takeGroup(e)
	case Attach:
		return n.attach(ctx, e.Group)
	case Announce:
		return n.announce(ctx, e)
	case Detach:
		return n.detach(ctx, e.Group)
	case Demote:
		return n.demote(ctx, e)
	}
	return nil
}

// takeGroup leaves nothing behind if it fails.
func (n *Node) takeGroup(e Effect) error {
	err := call(e.ctx, func() error {
		if n.cfg.Hooks.Promote == nil {
			return nil
		}
		return n.cfg.Hooks.Promote(e.ctx, e.Term, e.Group)
	})
	refused := err != nil && e.ctx.Err() == nil
	if err == nil {
		err = e.ctx.Err()
	}
	if err == nil {
		err = n.attach(e.ctx, e.Group)
	}
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), n.cfg.Hook)
	defer cancel()
	undone := n.detach(ctx, e.Group)
	if !refused {
		undone = errors.Join(undone, n.demote(ctx, e))
	}
	return errors.Join(err, undone)
}

func (n *Node) attach(ctx context.Context, g Group) error {
	for _, v := range g.VIPs {
		if err := n.cfg.Plumber.Attach(ctx, v); err != nil {
			return &VIPError{Op: "attach", VIP: v, Err: err}
		}
	}
	return nil
}

func (n *Node) detach(ctx context.Context, g Group) error {
	var all error
	for _, v := range g.VIPs {
		if err := n.cfg.Plumber.Detach(ctx, v); err != nil {
			all = errors.Join(all, &VIPError{Op: "detach", VIP: v, Err: err})
		}
	}
	return all
}

func (n *Node) announce(ctx context.Context, e Effect) error {
	for _, v := range e.Group.VIPs {
		if err := n.cfg.Plumber.Announce(ctx, v, e.To[v.Iface]); err != nil {
			n.cfg.Logger.Warn("ha: not announced", "vip", v.String(), "err", err)
		}
	}
	return nil
}

func (n *Node) demote(ctx context.Context, e Effect) error {
	if n.cfg.Hooks.Demote == nil {
		return nil
	}
	return call(ctx, func() error { return n.cfg.Hooks.Demote(ctx, e.Term, e.Group) })
}

// call runs f and does not wait for it for longer than ctx.
func call(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("ha: hook panics: %v\n%s", v, debug.Stack())
			}
		}()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("ha: hook is not waited for: %w", context.Cause(ctx))
	}
}

// VIPError is an address that could not be attached or removed.
type VIPError struct {
	Op  string // attach or detach
	VIP VIP
	Err error
}

func (e *VIPError) Error() string { return fmt.Sprintf("ha: %s %s: %v", e.Op, e.VIP, e.Err) }

func (e *VIPError) Unwrap() error { return e.Err }
