package netvip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ashlar-go/ashlar/ha"
)

// Watch calls event, from the calling goroutine, for what happens to the host,
// until ctx ends, and returns its cause. First it tells for each interface,
// except loopback and our own, whether it has a carrier, that is, is up and
// connected; an interface that goes away has none. Lost is told once for an
// address that was attached and is gone; it counts as detached.
func (p *Plumber) Watch(ctx context.Context, event func(ha.PlumberEvent)) error {
	// Subscribed before the first look, so that nothing falls in between.
	hints, err := newHints()
	if err != nil {
		return fmt.Errorf("netvip: watch: %w", err)
	}
	defer hints.Close()
	defer context.AfterFunc(ctx, func() { _ = hints.Close() })()
	var carriers map[string]bool
	for ctx.Err() == nil {
		now, err := lookAtCarriers()
		if err != nil {
			return fmt.Errorf("netvip: watch: %w", err)
		}
		lost, err := p.lost()
		if err != nil {
			return fmt.Errorf("netvip: watch: %w", err)
		}
		for _, e := range slices.Concat(changes(carriers, now), lost) {
			event(e)
		}
		carriers = now
		if err := wait(hints); err != nil && ctx.Err() == nil {
			return fmt.Errorf("netvip: watch: %w", err)
		}
	}
	return context.Cause(ctx)
}

// changes tells what is new about carriers. An interface that was made anew
// between two looks has another index, which is part of its key.
func changes(before, now map[string]bool) []ha.PlumberEvent {
	var events []ha.PlumberEvent
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, there := now[key]; !there && before[key] {
			events = append(events, ha.PlumberEvent{Iface: nameOf(key), What: ha.CarrierDown})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		was, known := before[key]
		switch {
		case known && was == now[key]:
		case now[key]:
			events = append(events, ha.PlumberEvent{Iface: nameOf(key), What: ha.CarrierUp})
		default:
			events = append(events, ha.PlumberEvent{Iface: nameOf(key), What: ha.CarrierDown})
		}
	}
	return events
}

func carrierKey(l *netlink.LinkAttrs) string { return fmt.Sprintf("%d %s", l.Index, l.Name) }

func nameOf(key string) (name string) {
	var index int
	_, _ = fmt.Sscanf(key, "%d %s", &index, &name)
	return name
}

func lookAtCarriers() (map[string]bool, error) {
	links, err := dump(netlink.LinkList)
	if err != nil {
		return nil, err
	}
	carriers := make(map[string]bool)
	for _, link := range links {
		l := link.Attrs()
		if l.Flags&net.FlagLoopback != 0 || link.Type() == "tuntap" || link.Type() == "macvlan" {
			continue
		}
		carriers[carrierKey(l)] = l.RawFlags&unix.IFF_UP != 0 && l.RawFlags&unix.IFF_LOWER_UP != 0
	}
	return carriers, nil
}

// lost forgets the addresses that are gone.
func (p *Plumber) lost() ([]ha.PlumberEvent, error) {
	p.mu.Lock() // an address that is being attached is not gone
	defer p.mu.Unlock()
	all, err := addresses()
	if err != nil {
		return nil, err
	}
	var events []ha.PlumberEvent
	for v := range p.held {
		if _, ok := p.find(v, all); !ok {
			delete(p.held, v)
			p.cfg.Logger.Warn("address lost", "vip", v.Prefix.Addr(), "iface", v.Iface)
			events = append(events, ha.PlumberEvent{VIP: v, Iface: v.Iface, What: ha.Lost})
		}
	}
	return events, nil
}

// newHints returns a netlink socket on which something comes whenever a link or
// an address changes.
func newHints() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	groups := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR}
	if err := unix.Bind(fd, groups); err != nil {
		return nil, errors.Join(os.NewSyscallError("bind", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// wait returns when there was at least one hint, and takes all that are there.
// That some did not fit into the socket's buffer is a hint too.
func wait(hints *os.File) error {
	raw, err := hints.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) (done bool) {
		buf := make([]byte, 1<<16)
		for {
			_, err := syscall.Read(int(fd), buf)
			switch err {
			case nil, syscall.ENOBUFS:
				done = true
			case syscall.EINTR:
			case syscall.EAGAIN:
				return done
			default:
				failed = err
				return true
			}
		}
	})
	return errors.Join(err, failed)
}
