package lbhttp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rules says what happens to the fields of a head on their way through. The
// zero value is what an edge needs: nothing that a client says about itself is
// believed, the backend learns the client's address from X-Forwarded-For,
// X-Forwarded-Proto and X-Forwarded-Host, and connection fields stay on their
// connection (RFC 9110, section 7.6.1).
type Rules struct {
	// Trusted are the addresses of proxies in front of this one: what they say
	// in X-Forwarded-*, X-Real-Ip and Forwarded is kept, and X-Forwarded-For
	// extended. From all others these fields are dropped. Default nobody.
	Trusted []netip.Prefix
	// Strip names further fields that only this proxy may set, such as those
	// that carry an identity; a name may end in * for all that begin so. They
	// are dropped from requests, and from responses too, where they would tell
	// clients what is not theirs to know. Always dropped are Lb-*,
	// Endpoint-Load-Metrics*, Client-Cert and Client-Cert-Chain (RFC 9440),
	// X-Client-Cert*, X-Ssl-* and Ssl-Client-*.
	// A name with _ for - counts as the same.
	Strip []string
	// Forwarded adds the field of that name (RFC 7239) beside X-Forwarded-*.
	Forwarded bool
	// Via is the name under which this proxy enters itself in Via (RFC 9110,
	// section 7.6.3), in both directions; default it does not.
	Via string
}

// alwaysStripped are the fields by which this package, and what is built on it,
// tells backends who a client is, and by which nodes report their load.
var alwaysStripped = []string{"lb-*", "endpoint-load-metrics*", "client-cert", "client-cert-chain", "x-client-cert*", "x-ssl-*", "ssl-client-*"}

// rules is Rules as the hot path wants it.
type rules struct {
	trusted   []netip.Prefix
	names     []string  // lower case
	prefixes  []string  // lower case, without the star
	first     [256]bool // the bytes that stripped names begin with, in both cases
	forwarded bool
	via       string
}

func (r Rules) compile() (*rules, error) {
	c := &rules{trusted: slices.Clone(r.Trusted), forwarded: r.Forwarded, via: r.Via}
	if r.Via != "" && !all([]byte(r.Via), &tokenTable) {
		return nil, fmt.Errorf("lbhttp: Rules.Via is %q, want a token", r.Via)
	}
	for _, p := range r.Trusted {
		if !p.IsValid() {
			return nil, fmt.Errorf("lbhttp: Rules.Trusted holds an invalid prefix")
		}
	}
	for _, name := range slices.Concat(alwaysStripped, r.Strip) {
		lower, prefix := strings.CutSuffix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "*")
		if lower == "" || !all([]byte(lower), &tokenTable) {
			return nil, fmt.Errorf("lbhttp: Rules.Strip holds %q, want a field name", name)
		}
		if prefix {
			c.prefixes = append(c.prefixes, lower)
		} else {
			c.names = append(c.names, lower)
		}
		c.first[lower[0]] = true
		c.first[strings.ToUpper(lower[:1])[0]] = true
	}
	return c, nil
}

// strips reports whether a field of this name stays here.
func (r *rules) strips(name []byte) bool {
	if !r.first[name[0]] {
		return false
	}
	for _, n := range r.names {
		if len(n) == len(name) && foldsTo(name, n) {
			return true
		}
	}
	for _, p := range r.prefixes {
		if len(name) >= len(p) && foldsTo(name[:len(p)], p) {
			return true
		}
	}
	return false
}

// trusts reports whether the peer may say who the client is.
func (r *rules) trusts(peer netip.Addr) bool {
	peer = peer.Unmap()
	for _, p := range r.trusted {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}
