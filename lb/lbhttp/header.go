package lbhttp

import (
	"net/http"
	"strconv"
	"strings"
	"unsafe"
)

// The same rules for heads that net/http has parsed.

// bytesOf lets the functions for bytes look at a string. The bytes must not be
// changed or kept.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// connectionOptions finds the names of the fields that are for one connection
// only, in lower case, and whether an upgrade is among the options.
func connectionOptions(h http.Header) (named []string, upgrade bool) {
	for _, v := range h["Connection"] {
		for option := range strings.SplitSeq(v, ",") {
			switch option = strings.ToLower(strings.TrimSpace(option)); option {
			case "", "close", "keep-alive":
			case "upgrade":
				upgrade = true
			default:
				named = append(named, option)
			}
		}
	}
	return named, upgrade
}

func isNamed(named []string, name string) bool {
	for _, n := range named {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// requestHeader makes the fields that the backend gets from those that came.
// Values are shared with r.
func (ru *rules) requestHeader(r *http.Request, p *peer) http.Header {
	named, upgrade := connectionOptions(r.Header)
	out := make(http.Header, len(r.Header)+4)
	var proto, host, trailers bool
	for name, values := range r.Header {
		if isNamed(named, name) {
			continue
		}
		switch requestField(bytesOf(name)) {
		case fieldConnection, fieldUpgrade, fieldHop, fieldTransferEncoding, fieldHost:
		case fieldTE:
			for _, v := range values {
				for coding := range strings.SplitSeq(v, ",") {
					trailers = trailers || strings.EqualFold(strings.TrimSpace(coding), "trailers")
				}
			}
		case fieldForwarding:
			if !p.trusted || foldsTo(bytesOf(name), "x-forwarded-for") || ru.forwarded && name == "Forwarded" {
				continue
			}
			proto = proto || name == "X-Forwarded-Proto"
			host = host || name == "X-Forwarded-Host"
			out[name] = values[:len(values):len(values)]
		default:
			if name != "" && !ru.strips(bytesOf(name)) {
				out[name] = values[:len(values):len(values)]
			}
		}
	}
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = nil // net/http would invent one
	}
	addr := p.addr.String()
	if prior := r.Header["X-Forwarded-For"]; p.trusted && len(prior) > 0 {
		addr = strings.Join(prior, ", ") + ", " + addr
	}
	out["X-Forwarded-For"] = []string{addr}
	if !proto {
		out["X-Forwarded-Proto"] = []string{p.proto}
	}
	if !host && r.Host != "" {
		out["X-Forwarded-Host"] = []string{r.Host}
	}
	if ru.forwarded {
		value := string(appendForwarded(nil, p, []byte(r.Host)))
		if prior := r.Header["Forwarded"]; p.trusted && len(prior) > 0 {
			value = strings.Join(prior, ", ") + ", " + value
		}
		out["Forwarded"] = []string{value}
	}
	if ru.via != "" {
		out.Add("Via", via(r.ProtoMajor, r.ProtoMinor, ru.via))
	}
	switch protocol := strings.Join(r.Header["Upgrade"], ", "); {
	case upgrade && protocol != "" && !strings.Contains(strings.ToLower(protocol), "h2c"):
		out["Connection"] = []string{"Upgrade"}
		out["Upgrade"] = []string{protocol}
	case trailers:
		out["Te"] = []string{"trailers"}
	}
	return out
}

// responseHeader adds to dst the fields that the client gets.
func (ru *rules) responseHeader(dst, h http.Header, major, minor int) {
	named, _ := connectionOptions(h)
	for name, values := range h {
		if isNamed(named, name) {
			continue
		}
		switch responseField(bytesOf(name)) {
		case fieldConnection, fieldUpgrade, fieldHop, fieldTransferEncoding, fieldReport, fieldORCA:
		default:
			if name != "" && name != "Trailer" && !ru.strips(bytesOf(name)) {
				dst[name] = values
			}
		}
	}
	if ru.via != "" {
		dst["Via"] = append(dst["Via"][:len(dst["Via"]):len(dst["Via"])], via(major, minor, ru.via))
	}
}

func (ru *rules) passesTrailer(name string) bool {
	b := bytesOf(name)
	return name != "" && requestField(b) == fieldOther && responseField(b) == fieldOther && !ru.strips(b)
}

func via(major, minor int, name string) string {
	if major >= 2 {
		return strconv.Itoa(major) + " " + name
	}
	return "1." + strconv.Itoa(minor) + " " + name
}
