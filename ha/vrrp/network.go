package vrrp

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

func isPermission(err error) bool { return errors.Is(err, fs.ErrPermission) }

// listen begins to receive from the socket, if there is one.
func (x *run) listen(ctx context.Context) {
	s := x.sock
	if s == nil {
		return
	}
	x.m.primary = s.src
	x.readers.Go(func() {
		b := make([]byte, 1<<13) // 255 addresses of IPv6 are 4 KiB
		for {
			n, src, dst, ttl, err := s.receive(b)
			if err != nil {
				select {
				case x.broken <- s:
				case <-ctx.Done():
				}
				return
			}
			var h heard
			h.from = src
			h.adv, h.sum, h.err = Parse(b[:n], src, dst, ttl)
			select {
			case x.messages <- h:
			case <-ctx.Done():
				return
			}
		}
	})
}

// plug tries to get at the network again.
func (x *run) plug(ctx context.Context) {
	s, err := open(x.cfg)
	if err != nil {
		x.failed(err)
		return
	}
	x.sock = s
	x.listen(ctx)
}

// unplug gives the addresses up: nobody can be told, and nobody can be reached.
func (x *run) unplug() {
	x.do(x.m.stop())
	if x.sock != nil {
		x.sock.close()
		x.sock = nil
	}
}

// event is told by the Plumber's Watch. A socket does not outlive its interface,
// so that a new one is opened with each carrier.
func (x *run) event(ctx context.Context, e ha.PlumberEvent) {
	switch {
	case e.What == ha.Lost:
		if slices.Contains(x.hands.vips, e.VIP) {
			x.failed(errLost)
			x.do(x.m.lost(time.Now()))
			return
		}
	case e.Iface != x.cfg.Iface:
	case e.What == ha.CarrierDown && x.carrier:
		x.carrier = false
		x.unplug()
	case e.What == ha.CarrierUp && !x.carrier:
		x.carrier = true
		x.plug(ctx)
	}
}

// watch passes events on, and starts anew when Watch ends.
func (x *run) watch(ctx context.Context, w watcher) {
	for ctx.Err() == nil {
		err := w.Watch(ctx, func(e ha.PlumberEvent) {
			select {
			case x.events <- e:
			case <-ctx.Done():
			}
		})
		if ctx.Err() != nil {
			return
		}
		x.cfg.Logger.Warn("the network is not watched", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}
