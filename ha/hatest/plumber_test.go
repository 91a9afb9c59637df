package hatest_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha"
	"github.com/ashlar-go/ashlar/ha/hatest"
	"github.com/ashlar-go/ashlar/ha/quorum"
)

var vips = [2]ha.VIP{
	{Iface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.1/32")},
	{Iface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::1/128")},
}

func TestLANPlumber(t *testing.T) {
	var lan *hatest.LAN
	hatest.TestPlumber(t, func(t *testing.T) (ha.Plumber, [2]ha.VIP) {
		lan = new(hatest.LAN)
		return lan.Host("a"), vips
	}, func(v ha.VIP) bool { return slices.Contains(lan.On("a"), v) })
}

func TestClientsBelieveTheLastAnnouncement(t *testing.T) {
	lan, ctx := new(hatest.LAN), context.Background()
	a, b := lan.Host("a"), lan.Host("b")
	err := errors.Join(a.Attach(ctx, vips[0]), a.Announce(ctx, vips[0], nil), b.Attach(ctx, vips[0]))
	if got := lan.Reaches(vips[0].Prefix); err != nil || got != "a" {
		t.Errorf("%q, %v", got, err)
	}
	err = errors.Join(b.Announce(ctx, vips[0], nil), a.Detach(ctx, vips[0]))
	if got := lan.Reaches(vips[0].Prefix); err != nil || got != "b" || lan.Gaps() != 0 {
		t.Errorf("%q, %v, %d gaps", got, err, lan.Gaps())
	}
	b.Happen(ha.PlumberEvent{VIP: vips[0], What: ha.Lost})
	if got := lan.Reaches(vips[0].Prefix); got != "" || lan.Gaps() != 1 {
		t.Errorf("%q, %d gaps", got, lan.Gaps())
	}
	if b.Announce(ctx, vips[0], nil) == nil {
		t.Error("an address that is not there was announced")
	}
}

func TestFailFailsSoOften(t *testing.T) {
	p, ctx := new(hatest.LAN).Host("a"), context.Background()
	p.Fail("Attach", 2, nil)
	for i, want := range []error{hatest.ErrFault, hatest.ErrFault, nil} {
		if err := p.Attach(ctx, vips[0]); !errors.Is(err, want) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func ExampleSim() {
	s := hatest.Sim{Seed: 1, Members: 3, Quorum: quorum.Majority(), Faults: []hatest.Fault{
		{At: time.Second, For: time.Second, What: hatest.Partition, A: 0b001},
	}}
	s.Each = func(st *hatest.State) error {
		if owners := st.Owners("a"); len(owners) > 1 {
			return fmt.Errorf("a is served by %v", owners)
		}
		return nil
	}
	fmt.Println(s.Run())
	// Output: <nil>
}

func ExampleLAN() {
	lan := new(hatest.LAN)
	vip := ha.VIP{Iface: "eth0", Prefix: netip.MustParsePrefix("192.0.2.1/32")}
	_ = lan.Host("web1").Attach(context.Background(), vip)
	fmt.Println(lan.Addresses())
	// Output: map[192.0.2.1/32:[web1]]
}
