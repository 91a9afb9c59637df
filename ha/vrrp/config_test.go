package vrrp_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/vrrp"
)

// idle is a Plumber that does nothing.
type idle struct{}

func (idle) Attach(context.Context, ha.VIP) error                 { return nil }
func (idle) Detach(context.Context, ha.VIP) error                 { return nil }
func (idle) Announce(context.Context, ha.VIP, []netip.Addr) error { return nil }

func TestConfigIsChecked(t *testing.T) {
	good := vrrp.Config{Iface: "eth0", VRID: 1, Addrs: []netip.Addr{vip4}, Plumber: idle{}}
	if r, err := vrrp.New(good); err != nil || r.State() != vrrp.Initialize || r.Stats() != (vrrp.Stats{}) {
		t.Fatal(r, err)
	}
	for words, change := range map[string]func(*vrrp.Config){
		"needs Config.Iface":     func(c *vrrp.Config) { c.Iface = "" },
		"needs Config.Plumber":   func(c *vrrp.Config) { c.Plumber = nil },
		"virtual router 0":       func(c *vrrp.Config) { c.VRID = 0 },
		"version 4":              func(c *vrrp.Config) { c.Version = 4 },
		"version 2 has multiple": func(c *vrrp.Config) { c.Version, c.Interval = 2, time.Millisecond },
		"0 addresses":            func(c *vrrp.Config) { c.Addrs = nil },
		"no checksum 3":          func(c *vrrp.Config) { c.Checksum = 3 },
		"a delay of -1s":         func(c *vrrp.Config) { c.PreemptDelay = -time.Second },
		"not of the addresses'":  func(c *vrrp.Config) { c.Source = src6 },
	} {
		c := good
		change(&c)
		if _, err := vrrp.New(c); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
	}
}
