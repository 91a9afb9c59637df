package vrrp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

// hands does what a machine wants with the addresses, on a goroutine of its own:
// a Plumber that hangs delays no advertisement. Only the newest wish counts.
type hands struct {
	cfg    Config
	vips   []ha.VIP
	report func(error) // an address that cannot be had, or is gone

	mu     sync.Mutex
	want   bool // guarded by mu
	again  bool // guarded by mu: attach, although it was done
	tell   int  // guarded by mu: announcements to make
	moved  bool // guarded by mu: of those the first is the one after a move
	kicked chan struct{}

	have bool // owned by run
}

func newHands(c Config, report func(error)) *hands {
	return &hands{cfg: c, vips: c.vips(), report: report, kicked: make(chan struct{}, 1)}
}

// ask notes a wish.
func (h *hands) ask(e effect) {
	h.mu.Lock()
	switch e {
	case attach:
		h.want, h.again, h.moved = true, true, true
	case announce:
		h.tell++
	case detach:
		h.want, h.tell = false, 0
	}
	h.mu.Unlock()
	select {
	case h.kicked <- struct{}{}:
	default:
	}
}

// run carries wishes out until ctx ends, and gives the addresses up then. What an
// earlier process left is removed first.
func (h *hands) run(ctx context.Context) {
	h.detach()
	every := h.cfg.Lease / 3
	if every <= 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			h.detach()
			return
		case <-h.kicked:
			h.act(ctx)
		case <-tick.C:
			h.renew(ctx)
		}
	}
}

func (h *hands) act(ctx context.Context) {
	h.mu.Lock()
	want, again, tell, moved := h.want, h.again, h.tell, h.moved
	h.again, h.tell, h.moved = false, 0, false
	h.mu.Unlock()
	if !want {
		h.detach()
		return
	}
	if again {
		for _, v := range h.vips {
			if err := h.cfg.Plumber.Attach(ctx, v); err != nil {
				h.detach()
				h.report(err)
				return
			}
		}
		h.have = true
	}
	if tell > 0 && h.have {
		h.announce(ctx, moved)
	}
}

// announce tells the LAN, and after a move also those that this host knows, each
// in person.
func (h *hands) announce(ctx context.Context, moved bool) {
	for _, v := range h.vips {
		if err := h.cfg.Plumber.Announce(ctx, v, nil); err != nil {
			h.cfg.Logger.Warn("announcement failed", "error", err)
		}
	}
	a, ok := h.cfg.Plumber.(acquainted)
	if !moved || !ok {
		return
	}
	to, err := a.Neighbours(ctx, h.cfg.Iface)
	if err != nil || len(to) == 0 {
		return
	}
	for _, v := range h.vips {
		if err := h.cfg.Plumber.Announce(ctx, v, to); err != nil {
			h.cfg.Logger.Warn("announcement failed", "error", err)
		}
	}
}

// renew keeps the kernel's leases alive. An address that could not be detached is
// tried again.
func (h *hands) renew(ctx context.Context) {
	h.mu.Lock()
	want := h.want
	h.mu.Unlock()
	switch r, ok := h.cfg.Plumber.(renewer); {
	case !want && h.have:
		h.detach()
	case want && h.have && ok && h.cfg.Lease > 0:
		if err := r.Renew(ctx, h.vips, h.cfg.Lease); err != nil && ctx.Err() == nil {
			h.report(errors.Join(errLost, err))
		}
	}
}

// errLost marks a report of addresses that were there.
var errLost = errors.New("vrrp: addresses lost")

// detach does so whatever has happened to the context of the router.
func (h *hands) detach() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	h.have = false
	for _, v := range h.vips {
		if err := h.cfg.Plumber.Detach(ctx, v); err != nil {
			h.have = true
			h.cfg.Logger.Error("address not detached", "error", err)
		}
	}
}
