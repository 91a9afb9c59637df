//go:build !linux

package netvip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"github.com/ashlar-go/ashlar/ha"
)

var errOther = fmt.Errorf("netvip: %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Plumber is for Linux only.
type Plumber struct{}

// New refuses with [errors.ErrUnsupported].
func New(cfg Config) (*Plumber, error) {
	if _, err := cfg.withDefaults(); err != nil {
		return nil, err
	}
	return nil, errOther
}

// Close returns nil.
func (p *Plumber) Close() error { return nil }

// Attach refuses.
func (p *Plumber) Attach(context.Context, ha.VIP) error { return errOther }

// Detach refuses.
func (p *Plumber) Detach(context.Context, ha.VIP) error { return errOther }

// Announce refuses.
func (p *Plumber) Announce(context.Context, ha.VIP, []netip.Addr) error { return errOther }

// Renew refuses.
func (p *Plumber) Renew(context.Context, []ha.VIP, time.Duration) error { return errOther }

// Attached refuses.
func (p *Plumber) Attached(context.Context) ([]ha.VIP, error) { return nil, errOther }

// Neighbours refuses.
func (p *Plumber) Neighbours(context.Context, string) ([]netip.Addr, error) { return nil, errOther }

// Watch refuses.
func (p *Plumber) Watch(context.Context, func(ha.PlumberEvent)) error { return errOther }
