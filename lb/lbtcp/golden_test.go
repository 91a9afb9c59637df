package lbtcp

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// Headers written out by hand from the text of the specification (sections 2.1
// and 2.2).
func TestGoldenHeaders(t *testing.T) {
	v4 := Header{Source: netip.MustParseAddrPort("192.0.2.7:56324"), Destination: netip.MustParseAddrPort("198.51.100.1:443")}
	v6 := Header{Source: netip.MustParseAddrPort("[2001:db8::7]:1"), Destination: netip.MustParseAddrPort("[2001:db8::1]:65535")}
	full := v4
	full.ALPN, full.Authority, full.UniqueID = "h2", "a.b", "7"
	full.TLS = &TLS{Certificate: true, Session: true, Verified: true, Version: "TLSv1.3", CommonName: "jo"}
	full.Extensions = []Extension{{0xE0, []byte{1}}}
	const sig = "0d0a0d0a000d0a515549540a"
	const addr4 = "c0000207c6336401dc0401bb"
	const tlvs = "010002" + "6832" + "020003" + "612e62" + "050001" + "37" +
		"200014" + "07" + "00000000" + "210007" + "544c5376312e33" + "220002" + "6a6f" + "e00001" + "01"
	for _, tt := range []struct {
		name string
		h    Header
		v    ProxyVersion
		text string // of version 2 in hexadecimal
	}{
		{"v1 IPv4", v4, ProxyV1, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"},
		{"v1 IPv6", v6, ProxyV1, "PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n"},
		{"v1 unknown", Header{}, ProxyV1, "PROXY UNKNOWN\r\n"},
		{"v2 IPv4", v4, ProxyV2, sig + "2111000c" + addr4},
		{"v2 IPv6", v6, ProxyV2, sig + "21210024" + "20010db8000000000000000000000007" + "20010db8000000000000000000000001" + "0001ffff"},
		{"v2 local", Header{}, ProxyV2, sig + "20000000"},
		{"v2 with all there is", full, ProxyV2, sig + "21110036" + addr4 + tlvs},
	} {
		want := tt.text
		if tt.v == ProxyV2 {
			want = unhex(t, tt.text)
		}
		if got := string(tt.h.Append(nil, tt.v)); got != want {
			t.Errorf("%s: wrote %x, want %x", tt.name, got, want)
		}
		if got, n, err := ParseHeader([]byte(want + "data")); err != nil || n != len(want) || !reflect.DeepEqual(got, tt.h) {
			t.Errorf("%s: read %+v, %d bytes, %v", tt.name, got, n, err)
		}
	}
	for name, bad := range map[string]string{
		"an extension that is cut off":     sig + "2111000f" + addr4 + "020003",
		"a TLS extension that is cut off":  sig + "21110011" + addr4 + "200002" + "0700",
		"a wrong checksum":                 sig + "21110013" + addr4 + "030004" + "00000001",
		"version 1 in the binary form":     sig + "1111000c" + addr4,
		"a command that is none":           sig + "2211000c" + addr4,
		"a family that is none":            sig + "2141000c" + addr4,
		"too short for its addresses":      sig + "2111000b" + addr4[:22],
		"longer than anybody writes":       sig + "2111ffff",
		"a sub-field of TLS that runs out": sig + "21110017" + addr4 + "200008" + "0700000000" + "2200ff",
	} {
		if _, n, err := ParseHeader([]byte(unhex(t, bad))); err == nil || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	for _, bad := range []string{
		"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n", "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "PROXY TCP4 " + strings.Repeat("1", 120),
	} {
		if _, n, err := ParseHeader([]byte(bad)); err == nil || n != 0 {
			t.Errorf("%q: %d, %v", bad, n, err)
		}
	}
	sum := unhex(t, sig+"21110013"+addr4+"030004"+"00000000")
	for i := range 4 { // the right checksum, and one bit of it wrong
		b := withSum([]byte(sum))
		if _, n, err := ParseHeader(b); err != nil || n != len(b) {
			t.Fatalf("the right checksum: %d, %v", n, err)
		}
		b[len(b)-1-i] ^= 1
		if _, _, err := ParseHeader(b); err == nil {
			t.Error("a wrong checksum passes")
		}
	}
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// withSum fills in the checksum, computed bit by bit: RFC 3720, appendix B.4.
func withSum(b []byte) []byte {
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78*(crc&1)
		}
	}
	crc = ^crc
	n := len(b)
	b[n-4], b[n-3], b[n-2], b[n-1] = byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc)
	return b
}
