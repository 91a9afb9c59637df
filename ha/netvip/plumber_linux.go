package netvip

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ashlar-go/ashlar/ha"
)

// Plumber attaches addresses to this host. Its methods are safe for concurrent
// use; calls are carried out one after another. None of them waits for the
// network, so that a context is only looked at before they begin.
type Plumber struct {
	cfg Config

	mu     sync.Mutex // held across system calls, none of which waits
	closed bool
	held   map[ha.VIP]bool
	tun    *tun // nil until it is needed
	packet int  // socket that sends frames; -1 until it is needed
}

// New checks cfg. The Plumber holds nothing until Attach or Announce.
func New(cfg Config) (*Plumber, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Plumber{cfg: cfg, held: map[ha.VIP]bool{}, packet: -1}, nil
}

// Close detaches all addresses that were attached. It may be called twice.
func (p *Plumber) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for v := range p.held {
		errs = append(errs, p.detach(v))
	}
	if p.tun != nil {
		errs = append(errs, p.tun.close())
		p.tun = nil
	}
	if p.packet >= 0 {
		errs = append(errs, unix.Close(p.packet))
		p.packet = -1
	}
	p.closed = true
	return errors.Join(errs...)
}

// do runs one operation on an address.
func (p *Plumber) do(ctx context.Context, op string, v ha.VIP, f func(ha.VIP) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := context.Cause(ctx)
	switch {
	case err != nil:
	case p.closed:
		err = os.ErrClosed
	default:
		if err = p.cfg.check(v); err == nil {
			err = f(v)
		}
	}
	if err != nil {
		return &Error{Op: op, VIP: v, Err: err}
	}
	return nil
}

// Attach returns once the kernel answers for the address. An address that is
// attached gets a new lease.
func (p *Plumber) Attach(ctx context.Context, v ha.VIP) error {
	return p.do(ctx, "attach", v, p.attach)
}

func (p *Plumber) attach(v ha.VIP) error {
	lan, err := linkByName(v.Iface)
	if err != nil {
		return err
	}
	home, err := p.home(v, lan, true)
	if err != nil {
		return err
	}
	if err := p.evict(v, lan.Attrs().Index, home); err != nil {
		return err
	}
	if err := putAddress(home, v.Prefix.Addr(), p.cfg.Mark, p.cfg.Lease); err != nil {
		return err
	}
	if !p.held[v] {
		p.held[v] = true
		p.cfg.Logger.Info("address attached", "vip", v.Prefix.Addr(), "iface", v.Iface, "mode", p.cfg.Mode)
	}
	return nil
}

// home returns the interface that has, or is to have, the address, and makes it
// if that is wanted; 0 is none.
func (p *Plumber) home(v ha.VIP, lan netlink.Link, create bool) (index int, err error) {
	switch p.cfg.Mode {
	case Bound:
		if create {
			return p.bind(lan)
		}
		if p.tun != nil {
			return p.tun.index, nil
		}
		return 0, nil
	case VMAC:
		return p.macvlan(v, lan, create)
	}
	return lan.Attrs().Index, nil
}

// evict removes the address where a predecessor of ours left it, and refuses if
// it is somebody else's.
func (p *Plumber) evict(v ha.VIP, lan, home int) error {
	all, err := addresses()
	if err != nil {
		return err
	}
	for _, a := range all {
		if !a.is(v, lan) || a.index == home && a.mark == p.cfg.Mark {
			continue
		}
		if a.mark != p.cfg.Mark {
			return fmt.Errorf("%w, on %s", ErrForeign, linkName(a.index))
		}
		if isTUN(a.index) { // its process is alive
			return fmt.Errorf("%w: another process has it, on %s", ErrForeign, linkName(a.index))
		}
		if err := dropAddress(a.index, a.ip); err != nil {
			return err
		}
	}
	return nil
}

// Detach returns once the kernel does not answer for the address any more. What
// a predecessor with the same mark left on the interface counts as ours.
func (p *Plumber) Detach(ctx context.Context, v ha.VIP) error {
	return p.do(ctx, "detach", v, p.detach)
}

func (p *Plumber) detach(v ha.VIP) error {
	home, index := 0, 0
	lan, err := linkByName(v.Iface)
	if err == nil {
		index = lan.Attrs().Index
		home, err = p.home(v, lan, false)
	} else if p.cfg.Mode == Bound && p.tun != nil {
		home, err = p.tun.index, nil // without the LAN, but it is there
	}
	if err != nil && !isNoLink(err) {
		return err
	}
	all, err := addresses()
	if err != nil {
		return err
	}
	for _, a := range all {
		if !a.is(v, index) || a.mark != p.cfg.Mark || a.index != home && isTUN(a.index) {
			continue
		}
		if err := dropAddress(a.index, a.ip); err != nil {
			return err
		}
	}
	if p.cfg.Mode == VMAC && home != 0 {
		if err := dropEmpty(home); err != nil {
			return err
		}
	}
	if p.held[v] {
		delete(p.held, v)
		p.cfg.Logger.Info("address detached", "vip", v.Prefix.Addr(), "iface", v.Iface)
	}
	return nil
}
