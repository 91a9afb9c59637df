package vrrp_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha/vrrp"
)

var (
	src4 = netip.MustParseAddr("10.99.0.2")
	dst4 = netip.MustParseAddr("224.0.0.18")
	src6 = netip.MustParseAddr("fe80::2")
	dst6 = netip.MustParseAddr("ff02::12")
	vip4 = netip.MustParseAddr("10.99.0.100")
	vip6 = netip.MustParseAddr("fe80::100")
)

// vectors are messages by hand: their checksums were computed by another program.
var vectors = []struct {
	name     string
	adv      vrrp.Advertisement
	sum      vrrp.Checksum
	src, dst netip.Addr
	hex      string
}{
	{"version 2", vrrp.Advertisement{Version: 2, VRID: 42, Priority: 100, Interval: time.Second, Addrs: []netip.Addr{vip4}},
		vrrp.Plain, src4, dst4, "212a6401" + "0001" + "700c" + "0a630064" + "0000000000000000"},
	{"version 3", vrrp.Advertisement{Version: 3, VRID: 42, Priority: 100, Interval: time.Second, Addrs: []netip.Addr{vip4}},
		vrrp.Plain, src4, dst4, "312a6401" + "0064" + "5fa9" + "0a630064"},
	{"version 3, pseudo-header", vrrp.Advertisement{Version: 3, VRID: 42, Priority: 100, Interval: time.Second, Addrs: []netip.Addr{vip4}},
		vrrp.Pseudo, src4, dst4, "312a6401" + "0064" + "74b5" + "0a630064"},
	{"version 3, IPv6, longest interval, owner", vrrp.Advertisement{Version: 3, VRID: 255, Priority: 255, Interval: 40950 * time.Millisecond, Addrs: []netip.Addr{vip6}},
		vrrp.Pseudo, src6, dst6, "31ffff01" + "0fff" + "c15e" + "fe800000000000000000000000000100"},
}

func TestGoldenVectors(t *testing.T) {
	for _, v := range vectors {
		want, err := hex.DecodeString(v.hex)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.adv.Marshal(v.src, v.dst, v.sum)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v, want %x", v.name, got, err, want)
		}
		a, sum, err := vrrp.Parse(want, v.src, v.dst, 255)
		if err != nil || sum != v.sum || !reflect.DeepEqual(a, v.adv) {
			t.Errorf("%s: read as %+v, checksum %v, %v", v.name, a, sum, err)
		}
	}
}

func TestForeignMessagesAreRefused(t *testing.T) {
	good := func(version uint8) []byte {
		b, err := vrrp.Advertisement{Version: version, VRID: 1, Priority: 1, Interval: time.Second, Addrs: []netip.Addr{vip4}}.Marshal(src4, dst4, vrrp.Plain)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	set := func(b []byte, i int, v byte) []byte { // and keeps the sum, in the same column of the address
		old := b[i]
		b[i] = v
		j := 8 + i&1
		s := int(b[j]) + int(old) - int(v)
		if s < 0 || s > 255 {
			t.Fatalf("byte %d cannot be set to %d", i, v)
		}
		b[j] = byte(s)
		return b
	}
	for _, tt := range []struct {
		name string
		b    []byte
		src  netip.Addr
		ttl  int
		want error
	}{
		{"TTL 254", good(3), src4, 254, vrrp.ErrTTL},
		{"nothing", nil, src4, 255, vrrp.ErrLength},
		{"short", good(3)[:11], src4, 255, vrrp.ErrLength},
		{"long", append(good(3), 0, 0), src4, 255, vrrp.ErrLength},
		{"count", set(good(3), 3, 2), src4, 255, vrrp.ErrLength},
		{"version 2 without its tail", good(2)[:12], src4, 255, vrrp.ErrLength},
		{"version", append([]byte{0x41}, good(3)[1:]...), src4, 255, vrrp.ErrVersion},
		{"type", append([]byte{0x32}, good(3)[1:]...), src4, 255, vrrp.ErrVersion},
		{"version 2 over IPv6", good(2), src6, 255, vrrp.ErrVersion},
		{"authentication", set(good(2), 4, 1), src4, 255, vrrp.ErrAuth},
		{"checksum", append(good(3)[:11:11], 1), src4, 255, vrrp.ErrChecksum},
		{"virtual router 0", set(good(3), 1, 0), src4, 255, vrrp.ErrValue},
		{"interval 0", set(good(2), 5, 0), src4, 255, vrrp.ErrValue},
	} {
		if _, _, err := vrrp.Parse(tt.b, tt.src, dst4, tt.ttl); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestImpossibleAdvertisementsAreRefused(t *testing.T) {
	ok := vrrp.Advertisement{Version: 3, VRID: 1, Priority: 1, Interval: time.Second, Addrs: []netip.Addr{vip4}}
	for name, change := range map[string]func(*vrrp.Advertisement){
		"version":       func(a *vrrp.Advertisement) { a.Version = 4 },
		"router":        func(a *vrrp.Advertisement) { a.VRID = 0 },
		"short":         func(a *vrrp.Advertisement) { a.Interval = 5 * time.Millisecond },
		"between":       func(a *vrrp.Advertisement) { a.Interval = 15 * time.Millisecond },
		"long":          func(a *vrrp.Advertisement) { a.Interval = 41 * time.Second },
		"fraction":      func(a *vrrp.Advertisement) { a.Version, a.Interval = 2, 1500*time.Millisecond },
		"no address":    func(a *vrrp.Advertisement) { a.Addrs = nil },
		"256 addresses": func(a *vrrp.Advertisement) { a.Addrs = make([]netip.Addr, 256) },
		"families":      func(a *vrrp.Advertisement) { a.Addrs = []netip.Addr{vip4, vip6} },
		"IPv6 in 2":     func(a *vrrp.Advertisement) { a.Version, a.Addrs = 2, []netip.Addr{vip6} },
	} {
		a := ok
		change(&a)
		if b, err := a.Marshal(src4, dst4, vrrp.Plain); err == nil {
			t.Errorf("%s: %x", name, b)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		b, _ := hex.DecodeString(v.hex)
		f.Add(b, v.src.Is6())
	}
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		src, dst := src4, dst4
		if v6 {
			src, dst = src6, dst6
		}
		a, sum, err := vrrp.Parse(b, src, dst, 255)
		if err != nil {
			return
		}
		again, err := a.Marshal(src, dst, sum)
		if err != nil || len(again) != len(b) {
			t.Fatalf("%x is read as %+v, and written as %x, %v", b, a, again, err)
		}
		if a2, sum2, err := vrrp.Parse(again, src, dst, 255); err != nil || sum2 != sum || !reflect.DeepEqual(a, a2) {
			t.Fatalf("%x is read as %+v, and again as %+v, %v", b, a, a2, err)
		}
	})
}
