package vrrp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

// Plumber is what a [Router] needs of ha.Plumber, with the abilities that it uses
// if they are there: Renew, Neighbours and Watch of package netvip.
type Plumber interface {
	Attach(ctx context.Context, v ha.VIP) error
	Detach(ctx context.Context, v ha.VIP) error
	Announce(ctx context.Context, v ha.VIP, to []netip.Addr) error
}

type renewer interface {
	Renew(ctx context.Context, vips []ha.VIP, d time.Duration) error
}

type acquainted interface {
	Neighbours(ctx context.Context, iface string) ([]netip.Addr, error)
}

type watcher interface {
	Watch(ctx context.Context, event func(ha.PlumberEvent)) error
}

// Config describes one virtual router on one LAN, of IPv4 or of IPv6.
type Config struct {
	Iface   string       // required
	VRID    uint8        // required: 1 to 255, the same on all its routers
	Addrs   []netip.Addr // required: of one family, the same everywhere; with IPv6 a link-local one first (RFC 9568, 5.2.9)
	Plumber Plumber      // required: gives this host the addresses and takes them

	Version  uint8         // 2 or 3; default 3
	Priority uint8         // default 100; 255 only for the owner of the addresses
	Interval time.Duration // default 1s; version 3: 10 ms to 40.95 s, version 2: whole seconds

	// Source is where advertisements come from. Default: the first IPv4 address
	// of Iface, or its link-local one, that is none of Addrs.
	Source netip.Addr

	NoPreempt    bool          // a backup with a higher priority waits until the active one is gone
	PreemptDelay time.Duration // after the start, and after each carrier; default 0

	// VMAC makes the virtual hardware address the source of advertisements, so
	// that switches learn where it is. It belongs to netvip's mode of that name.
	VMAC bool

	Checksum Checksum      // for version 3 over IPv4; default AsHeard
	Lease    time.Duration // for a Plumber with Renew: renewed each third of it; default 2s; negative: never

	Logger *slog.Logger // default: discard; changes of state, and failures
	Trace  *Trace       // optional
}

// Trace is told what happens. Functions that are nil are left out; the others are
// called by the goroutine that advertises, and must not wait.
type Trace struct {
	State   func(from, to State)             // after the change, before the addresses follow
	Refused func(from netip.Addr, err error) // a message that Parse, or the configuration, refuses
	Failed  func(err error)                  // the Plumber, or the network
}

// ErrMismatch: a message of this virtual router that its configuration forbids.
var ErrMismatch = errors.New("vrrp: another configuration")

func (c Config) withDefaults() (Config, error) {
	if c.Version == 0 {
		c.Version = 3
	}
	if c.Priority == 0 {
		c.Priority = 100
	}
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.Lease == 0 {
		c.Lease = 2 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Trace == nil {
		c.Trace = &Trace{}
	}
	c.Logger = c.Logger.With("iface", c.Iface, "vrid", c.VRID)
	switch {
	case c.Iface == "":
		return c, errors.New("vrrp: needs Config.Iface")
	case c.Plumber == nil:
		return c, errors.New("vrrp: needs Config.Plumber")
	case c.Checksum > Pseudo:
		return c, fmt.Errorf("vrrp: no checksum %d", c.Checksum)
	case c.PreemptDelay < 0:
		return c, fmt.Errorf("vrrp: a delay of %v", c.PreemptDelay)
	}
	if err := c.advertisement().check(); err != nil {
		return c, err
	}
	if c.Source.IsValid() && c.Source.Is4() != c.Addrs[0].Is4() {
		return c, fmt.Errorf("vrrp: the source %v is not of the addresses' family", c.Source)
	}
	return c, nil
}

func (c Config) advertisement() Advertisement {
	return Advertisement{Version: c.Version, VRID: c.VRID, Priority: c.Priority, Interval: c.Interval, Addrs: c.Addrs}
}

func (c Config) vips() []ha.VIP {
	var vips []ha.VIP
	for _, ip := range c.Addrs {
		vips = append(vips, ha.VIP{Iface: c.Iface, Prefix: netip.PrefixFrom(ip, ip.BitLen())})
	}
	return vips
}

// accept says why a message of this virtual router is not heard.
func (c Config) accept(a Advertisement) error {
	switch {
	case a.Version != c.Version:
		return fmt.Errorf("%w: version %d", ErrMismatch, a.Version)
	case c.Version == 2 && a.Interval != c.Interval: // RFC 3768, 7.1
		return fmt.Errorf("%w: interval %v", ErrMismatch, a.Interval)
	}
	return nil
}
