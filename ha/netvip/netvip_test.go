package netvip_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/netvip"
)

func TestConfigIsChecked(t *testing.T) {
	vrid := func(ha.VIP) uint8 { return 1 }
	for words, cfg := range map[string]netvip.Config{
		"no Mode(3)":            {Mode: 3},
		"needs Config.VRID":     {Mode: netvip.VMAC},
		"belongs to the kernel": {Mark: 3},
		"is no lease":           {Mode: netvip.VMAC, VRID: vrid, Lease: 2 * time.Hour},
	} {
		if _, err := netvip.New(cfg); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v, want %q", cfg, err, words)
		}
	}
}

func TestModesHaveNames(t *testing.T) {
	for _, m := range []netvip.Mode{netvip.Bound, netvip.Leased, netvip.VMAC} {
		if got, err := netvip.ParseMode(m.String()); err != nil || got != m {
			t.Errorf("ParseMode(%q) = %v, %v", m, got, err)
		}
	}
	if _, err := netvip.ParseMode("vmacs"); err == nil || !strings.Contains(err.Error(), "bound, leased, vmac") {
		t.Error(err)
	}
}

func TestErrorIsUnwrapped(t *testing.T) {
	e := &netvip.Error{Op: "attach", VIP: ha.VIP{Iface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.1/32")}, Err: netvip.ErrForeign}
	if e.Unwrap() != netvip.ErrForeign || !strings.HasPrefix(e.Error(), "netvip: attach 10.0.0.1/32 on eth0: the address") {
		t.Error(e)
	}
}
