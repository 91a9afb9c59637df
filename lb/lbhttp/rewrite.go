package lbhttp

import (
	"bytes"
	"net/netip"
	"strconv"
)

// peer is what a connection says about its client, worked out once.
type peer struct {
	addr     netip.Addr
	trusted  bool
	proto    string   // http or https
	identity []byte   // lines that say who the certificate belongs to
	names    []string // of those lines, in lower case
}

// appendRequest writes the head that the backend gets: r without what is for
// the client's connection, and with what the backend is to know.
func appendRequest(dst []byte, r *request, p *peer, ru *rules) []byte {
	dst = append(dst, r.method...)
	dst = append(dst, ' ')
	dst = append(dst, r.target...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = append(dst, "Host: "...) // empty if an HTTP/1.0 client named none
	dst = append(dst, r.host...)
	dst = append(dst, '\r', '\n')
	dst = appendFields(dst, &r.head, r.lines)
	dst = appendForwarding(dst, r, p, ru)
	dst = append(dst, p.identity...)
	if ru.via != "" {
		dst = append(dst, "Via: 1."...)
		dst = append(dst, byte('0'+r.minor), ' ')
		dst = append(dst, ru.via...)
		dst = append(dst, '\r', '\n')
	}
	switch {
	case r.upgrade:
		dst = append(dst, "Connection: Upgrade\r\n"...)
		dst = appendAll(dst, &r.head, "Upgrade", fieldUpgrade)
	case r.trailers:
		dst = append(dst, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	return append(dst, '\r', '\n')
}

// appendFields copies the lines that go further, runs of them at once.
func appendFields(dst []byte, h *head, lines int) []byte {
	from := lines
	for i := range h.fields {
		if f := &h.fields[i]; f.drop {
			dst = append(dst, h.raw[from:f.line]...)
			from = f.next
		}
	}
	return append(dst, h.raw[from:len(h.raw)-2]...)
}

// appendAll copies the fields of a kind under one spelling of their name.
func appendAll(dst []byte, h *head, name string, kind fieldKind) []byte {
	for i := range h.fields {
		if f := &h.fields[i]; requestField(h.name(f)) == kind {
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, h.value(f)...)
			dst = append(dst, '\r', '\n')
		}
	}
	return dst
}

// appendForwarding says who the client is.
func appendForwarding(dst []byte, r *request, p *peer, ru *rules) []byte {
	dst = append(dst, "X-Forwarded-For: "...)
	var proto, host bool
	if r.forwarded {
		for i := range r.fields {
			f := &r.fields[i]
			switch name := r.name(f); {
			case foldsTo(name, "x-forwarded-for"):
				if f.start < f.end {
					dst = append(append(dst, r.value(f)...), ", "...)
				}
			case foldsTo(name, "x-forwarded-proto"):
				proto = true
			case foldsTo(name, "x-forwarded-host"):
				host = true
			}
		}
	}
	dst = p.addr.AppendTo(dst)
	dst = append(dst, '\r', '\n')
	if !proto {
		dst = append(append(append(dst, "X-Forwarded-Proto: "...), p.proto...), '\r', '\n')
	}
	if !host && len(r.host) > 0 {
		dst = append(append(append(dst, "X-Forwarded-Host: "...), r.host...), '\r', '\n')
	}
	if !ru.forwarded {
		return dst
	}
	dst = append(dst, "Forwarded: "...)
	if r.forwarded {
		for i := range r.fields {
			if f := &r.fields[i]; equalFold(r.name(f), "forwarded") && f.start < f.end {
				dst = append(append(dst, r.value(f)...), ", "...)
			}
		}
	}
	dst = appendForwarded(dst, p, r.host)
	return append(dst, '\r', '\n')
}

// appendForwarded writes one element of Forwarded (RFC 7239): an IPv6 address
// is quoted and in brackets, and so is a host with a port.
func appendForwarded(dst []byte, p *peer, host []byte) []byte {
	dst = append(dst, "for="...)
	if p.addr.Is6() {
		dst = append(dst, `"[`...)
		dst = p.addr.AppendTo(dst)
		dst = append(dst, `]"`...)
	} else {
		dst = p.addr.AppendTo(dst)
	}
	if len(host) > 0 {
		dst = append(dst, `;host=`...)
		if all(host, &tokenTable) {
			dst = append(dst, host...)
		} else {
			dst = strconv.AppendQuote(dst, string(host))
		}
	}
	return append(append(dst, ";proto="...), p.proto...)
}

func appendField(dst []byte, name, value string) []byte {
	return append(append(append(append(dst, name...), ": "...), value...), '\r', '\n')
}

// An ending says what the client is told about the end of a response.
type ending struct {
	chunked bool // the body is sent in chunks
	close   bool // the connection ends with it
	old     bool // the client speaks HTTP/1.0 and must be told that it goes on
}

// appendResponse writes the head that the client gets.
func appendResponse(dst []byte, r *response, ru *rules, e ending) []byte {
	dst = append(dst, "HTTP/1.1"...)
	dst = append(dst, r.raw[8:r.lines]...)
	dst = appendFields(dst, &r.head, r.lines)
	if ru.via != "" {
		dst = append(dst, "Via: 1."...)
		dst = append(dst, byte('0'+r.minor), ' ')
		dst = append(dst, ru.via...)
		dst = append(dst, '\r', '\n')
	}
	if e.chunked {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case r.status == 101:
		dst = append(dst, "Connection: Upgrade\r\n"...)
		dst = appendAll(dst, &r.head, "Upgrade", fieldUpgrade)
	case e.close:
		dst = append(dst, "Connection: close\r\n"...)
	case e.old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, '\r', '\n')
}

// upgradesTo reports whether one of the protocols that a request asks for is
// name, in small letters.
func (h *head) upgradesTo(name string) bool {
	for i := range h.fields {
		f := &h.fields[i]
		if requestField(h.name(f)) != fieldUpgrade {
			continue
		}
		for rest := h.value(f); len(rest) > 0; {
			var protocol []byte
			protocol, rest = cutList(rest)
			protocol, _, _ = bytes.Cut(protocol, []byte("/"))
			if equalFold(protocol, name) {
				return true
			}
		}
	}
	return false
}
