package netvip

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

// Mode is how an address is tied to the host.
type Mode uint8

const (
	// Bound puts an IPv4 address on a TUN device of this process. It needs
	// /dev/net/tun, and an arp_ignore of 0 on the LAN's interface.
	Bound Mode = iota
	// Leased puts an address on the LAN's interface.
	Leased
	// VMAC puts an address on a macvlan over the LAN's interface, with the virtual
	// router's hardware address 00:00:5e:00:01:VRID (IPv6 02; RFC 9568, 7.3).
	VMAC
)

var modes = []string{"bound", "leased", "vmac"}

// String returns bound, leased or vmac.
func (m Mode) String() string {
	if int(m) < len(modes) {
		return modes[m]
	}
	return fmt.Sprintf("Mode(%d)", m)
}

// ParseMode is the opposite of [Mode.String].
func ParseMode(s string) (Mode, error) {
	for i, name := range modes {
		if s == name {
			return Mode(i), nil
		}
	}
	return 0, fmt.Errorf("netvip: no mode %q; there are %s", s, strings.Join(modes, ", "))
}

// Config says how addresses are attached.
type Config struct {
	Mode Mode // default Bound

	// Lease is how long the kernel keeps an address after Attach or Renew, in
	// whole seconds, rounded up. Default 2 s; negative: until Detach, or in mode
	// Bound the end of the process.
	Lease time.Duration

	// VRID returns the virtual router identifier, 1 to 255, that gives an address
	// its hardware address. Mode VMAC requires it; addresses may share one.
	VRID func(ha.VIP) uint8

	// Mark tells our addresses from those of others. Processes on one host that
	// are not successors of each other need different ones. Default 0xa5; those
	// below 4 belong to the kernel.
	Mark uint8

	Logger *slog.Logger // default: discard; attached and detached addresses
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case int(c.Mode) >= len(modes):
		return c, fmt.Errorf("netvip: no %v", c.Mode)
	case c.Mode == VMAC && c.VRID == nil:
		return c, errors.New("netvip: mode vmac needs Config.VRID")
	case c.Mark > 0 && c.Mark < 4:
		return c, fmt.Errorf("netvip: mark %d belongs to the kernel", c.Mark)
	case c.Lease > time.Hour:
		return c, fmt.Errorf("netvip: a lease of %v is no lease; negative means none", c.Lease)
	}
	if c.Lease == 0 {
		c.Lease = 2 * time.Second
	}
	if c.Mark == 0 {
		c.Mark = 0xa5
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

var (
	// ErrForeign: the host has the address, and it is not ours to move.
	ErrForeign = errors.New("the address was configured by somebody else")
	// ErrLost: the address was attached and is gone.
	ErrLost = errors.New("the address is gone")
)

// Error is what methods of [Plumber] return.
type Error struct {
	Op  string // attach, detach, announce, renew
	VIP ha.VIP
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("netvip: %s %v on %s: %v", e.Op, e.VIP.Prefix, e.VIP.Iface, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// needs adds to a refusal what would have allowed it.
func needs(what string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (needs %s)", err, what)
	}
	return err
}

// check refuses what no mode can do.
func (c Config) check(v ha.VIP) error {
	switch ip := v.Prefix.Addr(); {
	case !v.Prefix.IsValid() || v.Iface == "":
		return errors.New("needs an address and an interface")
	case !v.Prefix.IsSingleIP():
		return fmt.Errorf("/%d would move the LAN's prefix along; use /%d", v.Prefix.Bits(), ip.BitLen())
	case ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() || ip.Is4In6():
		return errors.New("no host can have this address")
	case c.Mode == Bound && ip.Is6():
		return errors.New("mode bound is for IPv4: the kernel answers no neighbour solicitation for an address of another interface; use leased or vmac")
	case c.Mode == VMAC && c.VRID(v) == 0:
		return errors.New("Config.VRID returns 0 for it")
	}
	return nil
}
