package lbtcp

import (
	"bufio"
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"
)

// A header that is read can be written and read again.
func FuzzParseHeader(f *testing.F) {
	h := Header{Source: netip.MustParseAddrPort("192.0.2.1:1"), Destination: netip.MustParseAddrPort("[2001:db8::1]:65535"),
		Authority: "a.example", ALPN: "h2", UniqueID: "7", TLS: &TLS{Verified: true, Certificate: true, CommonName: "c"}, Extensions: []Extension{{0xE0, []byte("x")}}}
	f.Add(h.Append(nil, ProxyV1))
	f.Add(h.Append(nil, ProxyV2))
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"))
	f.Add([]byte("PROXY UNKNOWN anything\r\nrest"))
	f.Add(append([]byte(v2Signature), 0x21, 0x11, 0, 15, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2, 3, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrHeader) || n != 0 {
				t.Fatalf("%d, %v", n, err)
			}
			return
		}
		if n < 0 || n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		if n == 0 && len(b) >= maxHeader {
			t.Fatal("waits for more than a header may have")
		}
		if n == 0 {
			return
		}
		for i := 0; i < n; { // whoever reads what is lacking reads just the header
			if i += headerLacks(b[:i]); i > n {
				t.Fatalf("reads %d bytes of %d", i, n)
			}
		}
		// All before its end are the beginning of a header.
		if _, k, err := ParseHeader(b[:n-1]); k != 0 || err != nil {
			t.Fatalf("a part of it: %d, %v", k, err)
		}
		for _, v := range []ProxyVersion{ProxyV1, ProxyV2} {
			text := h.Append(nil, v)
			again, m, err := ParseHeader(text)
			want := h
			if v == ProxyV1 {
				want = Header{Source: h.Source, Destination: h.Destination}
			}
			if err != nil || m != len(text) || !reflect.DeepEqual(again, want) {
				t.Fatalf("%+v, written in version %d: %+v, %d of %d, %v", h, v, again, m, len(text), err)
			}
		}
	})
}

func FuzzParseHello(f *testing.F) {
	f.Add(clientHello("example.com"))
	f.Add([]byte{22, 3, 1, 0, 5, 1, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, done, err := ParseHello(b)
		if err != nil && (done || !errors.Is(err, ErrNotTLS)) {
			t.Fatalf("%v, %v", done, err)
		}
		if !done && err == nil && len(b) > 3*maxHello {
			t.Fatal("waits for ever")
		}
		if done {
			for i := range b { // more bytes change nothing, fewer are not refused
				if _, _, err := ParseHello(b[:i]); err != nil {
					t.Fatalf("the first %d bytes: %v", i, err)
				}
			}
			for _, c := range []byte(h.ServerName) {
				if c <= ' ' || c > 'z' || c >= 'A' && c <= 'Z' {
					t.Fatalf("name %q", h.ServerName)
				}
			}
		}
	})
}

// clientHello writes what ParseHello reads, in two records.
func clientHello(name string) []byte {
	sni := append([]byte{0, byte(len(name) >> 8), byte(len(name))}, name...)
	sni = append([]byte{byte(len(sni) >> 8), byte(len(sni))}, sni...)
	ext := append([]byte{0, 0, byte(len(sni) >> 8), byte(len(sni))}, sni...)
	ext = append(ext, 0, 16, 0, 5, 0, 3, 2, 'h', '2')
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0, 2, 0x13, 1, 1, 0, byte(len(ext)>>8), byte(len(ext)))
	body = append(body, ext...)
	msg := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	record := func(b []byte) []byte { return append([]byte{22, 3, 1, byte(len(b) >> 8), byte(len(b))}, b...) }
	return append(record(msg[:7]), record(msg[7:])...)
}

func TestHelloInPieces(t *testing.T) {
	b := clientHello("WWW.Example.com")
	for i := range b {
		if _, done, err := ParseHello(b[:i]); done || err != nil {
			t.Fatalf("%d bytes: %v %v", i, done, err)
		}
	}
	h, done, err := ParseHello(append(b, "more"...))
	if !done || err != nil || h.ServerName != "www.example.com" || len(h.Protocols) != 1 || h.Protocols[0] != "h2" {
		t.Errorf("%+v %v %v", h, done, err)
	}
}

// The decoders of the probes never read beyond what there is.
func FuzzProbes(f *testing.F) {
	f.Add([]byte("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add([]byte("\xff\x10\x04Too many"))
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\nbody"))
	f.Fuzz(func(t *testing.T, b []byte) {
		judgeMySQL(b)
		if tag, body, err := readBER(bufio.NewReader(bytes.NewReader(b))); err == nil {
			judgeLDAP(body)
			if tag2, body2, _, ok := takeBER(b); !ok || tag2 != tag || !bytes.Equal(body2, body) {
				t.Fatal("two readers of BER disagree")
			}
		}
		HTTPCheck{}.judge(bufio.NewReader(bytes.NewReader(b)))
		readLine(bufio.NewReaderSize(bytes.NewReader(b), 16))
	})
}

func FuzzDNS(f *testing.F) {
	q := []byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'w', 'w', 0, 0, 1, 0, 1}
	a := bytes.Clone(q)
	a[2] |= 0x80
	f.Add(q, a)
	f.Fuzz(func(t *testing.T, q, a []byte) {
		if !isQuery(q) {
			return
		}
		if end := questionEnd(q); end > len(q) {
			t.Fatalf("question ends at %d of %d", end, len(q))
		}
		if answers(a, q) && (a[0] != q[0] || a[1] != q[1]) {
			t.Fatal("an answer to another query")
		}
		if answers(q, q) {
			t.Fatal("a query is taken for an answer")
		}
	})
}
