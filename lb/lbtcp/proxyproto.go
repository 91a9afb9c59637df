package lbtcp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrHeader is wrapped by the errors of a PROXY header that is none.
var ErrHeader = errors.New("lbtcp: invalid PROXY header")

// Header is a PROXY protocol header: who is behind a connection that a proxy
// made (haproxy.org/download/1.8/doc/proxy-protocol.txt).
type Header struct {
	// Source and Destination are the client's connection as its first proxy
	// saw it. Both are zero if the header says nothing about it: a connection
	// of the proxy itself, such as a check.
	Source, Destination netip.AddrPort

	// What follows is in headers of version 2 only, of connections that are not
	// the proxy's own.

	Authority  string // the host name that the client asked for, in TLS by SNI
	ALPN       string // the protocol agreed upon, such as "h2"
	UniqueID   string // of the connection, up to 128 bytes
	TLS        *TLS   // nil: nothing was said about TLS
	Extensions []Extension
}

// ProxyVersion says whether to write PROXY headers, and in which form.
type ProxyVersion uint8

const (
	// NoProxy writes none.
	NoProxy ProxyVersion = 0
	// ProxyV1 is a line of text.
	ProxyV1 ProxyVersion = 1
	// ProxyV2 is binary.
	ProxyV2 ProxyVersion = 2
)

const (
	v1Signature = "PROXY "
	v2Signature = "\r\n\r\n\x00\r\nQUIT\n"
	v1Max       = 107 // with CR LF
	v2Head      = 16
	// maxHeader bounds a header of version 2 with all its extensions, which
	// could be 64 KiB long: none that is written in practice is a tenth of this.
	maxHeader = 4 << 10
)

// Append writes the header in the given version. An IPv4 address mapped into
// IPv6 is written as IPv4 if both are. What does not fit into 4 KiB is left out,
// which no header is that was read.
func (h Header) Append(dst []byte, v ProxyVersion) []byte {
	src, to := unmap(h.Source), unmap(h.Destination)
	known := src.IsValid() && to.IsValid()
	v4 := known && src.Addr().Is4() && to.Addr().Is4()
	switch v {
	case ProxyV1:
		if !known {
			return append(dst, "PROXY UNKNOWN\r\n"...)
		}
		proto := "TCP6"
		s, d := as16(src.Addr()), as16(to.Addr())
		if v4 {
			proto, s, d = "TCP4", src.Addr().String(), to.Addr().String()
		}
		return fmt.Appendf(dst, "PROXY %s %s %s %d %d\r\n", proto, s, d, src.Port(), to.Port())
	case ProxyV2:
		dst = append(dst, v2Signature...)
		if !known {
			return append(dst, 0x20, 0, 0, 0) // LOCAL
		}
		length := len(dst) + 2
		if v4 {
			s, d := src.Addr().As4(), to.Addr().As4()
			dst = append(append(append(dst, 0x21, 0x11, 0, 0), s[:]...), d[:]...)
		} else {
			s, d := src.Addr().As16(), to.Addr().As16()
			dst = append(append(append(dst, 0x21, 0x21, 0, 0), s[:]...), d[:]...)
		}
		dst = binary.BigEndian.AppendUint16(dst, src.Port())
		dst = binary.BigEndian.AppendUint16(dst, to.Port())
		dst = h.appendExtensions(dst)
		binary.BigEndian.PutUint16(dst[length:], uint16(len(dst)-length-2))
		return dst
	}
	return dst
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// as16 is the text of an address as IPv6.
func as16(a netip.Addr) string {
	return netip.AddrFrom16(a.As16()).String()
}

// ParseHeader reads a header of either version from the beginning of b and
// returns its length, which is 0 as long as there may be more of it to come. An
// error that wraps [ErrHeader] means that b does not begin with a header.
func ParseHeader(b []byte) (Header, int, error) {
	switch {
	case hasSignature(b, v2Signature):
		if len(b) < v2Head {
			return Header{}, 0, nil
		}
		return parseV2(b)
	case hasSignature(b, v1Signature):
		return parseV1(b)
	}
	return Header{}, 0, fmt.Errorf("%w: no signature", ErrHeader)
}

// hasSignature reports whether b begins with it, or may once there is more.
func hasSignature(b []byte, signature string) bool {
	n := min(len(b), len(signature))
	return string(b[:n]) == signature[:n]
}

// beginsLikeHeader reports whether b has a whole signature.
func beginsLikeHeader(b []byte) bool {
	return bytes.HasPrefix(b, []byte(v2Signature)) || bytes.HasPrefix(b, []byte(v1Signature))
}

func parseV1(b []byte) (Header, int, error) {
	end := bytes.IndexByte(b[:min(len(b), v1Max)], '\n')
	if end < 0 {
		if len(b) >= v1Max {
			return Header{}, 0, fmt.Errorf("%w: a line that is too long", ErrHeader)
		}
		return Header{}, 0, nil
	}
	line, ok := strings.CutSuffix(string(b[:end]), "\r")
	if !ok {
		return Header{}, 0, fmt.Errorf("%w: no CR before LF", ErrHeader)
	}
	words := strings.Split(line, " ")
	if words[1] == "UNKNOWN" { // with anything behind it
		return Header{}, end + 1, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return Header{}, 0, fmt.Errorf("%w: not TCP4, TCP6 or UNKNOWN with four words", ErrHeader)
	}
	src, err1 := parsePair(words[2], words[4], words[1] == "TCP4")
	dst, err2 := parsePair(words[3], words[5], words[1] == "TCP4")
	if err := errors.Join(err1, err2); err != nil {
		return Header{}, 0, err
	}
	return Header{Source: src, Destination: dst}, end + 1, nil
}

func parsePair(host, port string, v4 bool) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is4() != v4 || a.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%w: an address that is none", ErrHeader)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || len(port) > 1 && port[0] == '0' || port[0] == '+' {
		return netip.AddrPort{}, fmt.Errorf("%w: a port that is none", ErrHeader)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}

func parseV2(b []byte) (Header, int, error) {
	version, command := b[12]>>4, b[12]&15
	if version != 2 || command > 1 {
		return Header{}, 0, fmt.Errorf("%w: version or command", ErrHeader)
	}
	n := v2Head + int(binary.BigEndian.Uint16(b[14:]))
	if n > maxHeader {
		return Header{}, 0, fmt.Errorf("%w: longer than %d bytes", ErrHeader, maxHeader)
	}
	if len(b) < n {
		return Header{}, 0, nil
	}
	body := b[v2Head:n]
	family, transport := b[13]>>4, b[13]&15
	if command == 0 || family == 0 || family == 3 { // LOCAL, unspecified, unix
		return Header{}, n, nil
	}
	if family > 3 || transport > 2 {
		return Header{}, 0, fmt.Errorf("%w: address family", ErrHeader)
	}
	size := 4
	if family == 2 {
		size = 16
	}
	if len(body) < 2*size+4 {
		return Header{}, 0, fmt.Errorf("%w: too short for its addresses", ErrHeader)
	}
	src, _ := netip.AddrFromSlice(body[:size])
	dst, _ := netip.AddrFromSlice(body[size : 2*size])
	h := Header{
		Source:      netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(body[2*size:])),
		Destination: netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(body[2*size+2:])),
	}
	if err := h.extensions(b[:n], v2Head+2*size+4); err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

// headerLacks is how many bytes are missing at least to a header that begins
// with b, of which more is needed: who reads no more than that at once reads
// nothing of what comes behind it.
func headerLacks(b []byte) int {
	const shortest, shortestTCP = len("PROXY UNKNOWN\r\n"), len("PROXY TCP6 :: :: 1 1\r\n")
	switch {
	case len(b) < shortest:
		return shortest - len(b)
	case b[0] == v2Signature[0] && len(b) < v2Head:
		return v2Head - len(b)
	case b[0] == v2Signature[0]:
		return v2Head + int(binary.BigEndian.Uint16(b[14:])) - len(b)
	case bytes.HasPrefix(b, []byte("PROXY TCP")) && len(b) < shortestTCP:
		return shortestTCP - len(b)
	}
	return 1
}
