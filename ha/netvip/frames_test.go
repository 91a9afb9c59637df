package netvip

import (
	"encoding/hex"
	"net"
	"net/netip"
	"testing"
)

func TestAnnouncementBytes(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 0x0a}
	peer := net.HardwareAddr{2, 0, 0, 0, 0, 0x0b}
	v4, v6 := netip.MustParseAddr("10.0.0.100"), netip.MustParseAddr("fd00::100")
	const (
		arpHead = "0806" + "0001" + "0800" + "06" + "04"
		us      = "02000000000a"
		vip4    = "0a000064"
		vip6    = "fd000000000000000000000000000100"
		nodes   = "ff020000000000000000000000000001"
	)
	for _, tt := range []struct {
		name   string
		ip     netip.Addr
		router bool
		to     []neighbour
		want   []string
	}{
		{"gratuitous ARP, request and reply", v4, false, nil, []string{
			"ffffffffffff" + us + arpHead + "0001" + us + vip4 + "000000000000" + vip4,
			"ffffffffffff" + us + arpHead + "0002" + us + vip4 + "ffffffffffff" + vip4,
		}},
		{"neighbours by unicast, and by broadcast", v4, false, []neighbour{{netip.MustParseAddr("10.0.0.7"), peer}, {ip: netip.MustParseAddr("10.0.0.8")}}, []string{
			"ffffffffffff" + us + arpHead + "0001" + us + vip4 + "000000000000" + vip4,
			"ffffffffffff" + us + arpHead + "0002" + us + vip4 + "ffffffffffff" + vip4,
			"02000000000b" + us + arpHead + "0001" + us + vip4 + "000000000000" + "0a000007",
			"ffffffffffff" + us + arpHead + "0001" + us + vip4 + "000000000000" + "0a000008",
		}},
		{"unsolicited advertisement of a router", v6, true, nil, []string{
			"333300000001" + us + "86dd" + "60000000" + "0020" + "3a" + "ff" + vip6 + nodes +
				"8800" + "d893" + "a0000000" + vip6 + "0201" + us,
		}},
		{"solicitations by unicast, and by multicast", v6, false, []neighbour{{netip.MustParseAddr("fd00::7"), peer}, {ip: netip.MustParseAddr("fd00::8")}}, []string{
			"333300000001" + us + "86dd" + "60000000" + "0020" + "3a" + "ff" + vip6 + nodes +
				"8800" + "5894" + "20000000" + vip6 + "0201" + us,
			"02000000000b" + us + "86dd" + "60000000" + "0020" + "3a" + "ff" + vip6 + "fd000000000000000000000000000007" +
				"8700" + "7d89" + "00000000" + "fd000000000000000000000000000007" + "0101" + us,
			"3333ff000008" + us + "86dd" + "60000000" + "0020" + "3a" + "ff" + vip6 + "ff0200000000000000000001ff000008" +
				"8700" + "7c83" + "00000000" + "fd000000000000000000000000000008" + "0101" + us,
		}},
	} {
		got := announcement(mac, tt.ip, tt.router, tt.to)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %d frames, want %d", tt.name, len(got), len(tt.want))
			continue
		}
		for i, frame := range got {
			if hex.EncodeToString(frame) != tt.want[i] {
				t.Errorf("%s: frame %d is\n%x, want\n%s", tt.name, i, frame, tt.want[i])
			}
		}
	}
}

func TestVirtualMACIsThatOfTheRFC(t *testing.T) {
	for ip, want := range map[string]string{"10.0.0.1": "00:00:5e:00:01:ff", "fe80::1": "00:00:5e:00:02:ff"} {
		if got := virtualMAC(255, netip.MustParseAddr(ip)).String(); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}
