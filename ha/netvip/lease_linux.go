package netvip

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ashlar-go/ashlar/ha"
)

// Renew lets the kernel keep the addresses for another lease, of d, rounded up
// to seconds. One that is gone is not added again: its error is [ErrLost]. The
// others are renewed.
func (p *Plumber) Renew(ctx context.Context, vips []ha.VIP, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	began := bootTime()
	all, err := addresses()
	if err != nil {
		return fmt.Errorf("netvip: renew: %w", err)
	}
	var errs []error
	for _, v := range vips {
		if err := p.renew(v, all, began, d); err != nil {
			errs = append(errs, &Error{Op: "renew", VIP: v, Err: err})
		}
	}
	return errors.Join(errs...)
}

func (p *Plumber) renew(v ha.VIP, all []address, began, d time.Duration) error {
	if !p.held[v] {
		return ErrLost
	}
	a, ok := p.find(v, all)
	if !ok {
		delete(p.held, v)
		return ErrLost
	}
	if err := putAddress(a.index, a.ip, p.cfg.Mark, d); err != nil {
		return err
	}
	// The kernel adds an address that it is to renew and does not have. If we were
	// stopped since we looked, it may have been gone.
	if p.cfg.Lease > 0 && bootTime()-began > p.cfg.Lease/2 {
		return errors.Join(ErrLost, dropAddress(a.index, a.ip))
	}
	return nil
}

// find returns the address of v that has our mark.
func (p *Plumber) find(v ha.VIP, all []address) (address, bool) {
	lan := 0
	if link, err := linkByName(v.Iface); err == nil {
		lan = link.Attrs().Index
	}
	for _, a := range all {
		if a.mark == p.cfg.Mark && a.is(v, lan) {
			return a, true
		}
	}
	return address{}, false
}

// bootTime also counts while the machine sleeps.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // cannot be: Linux has it since 2.6.39
	}
	return time.Duration(ts.Nano())
}
