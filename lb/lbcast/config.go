package lbcast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// minSecret is the shortest secret that is taken: 128 bits, if it is random.
const minSecret = 16

// maxSecrets bounds what a packet can cost.
const maxSecrets = 8

func keysOf(secrets [][]byte, cluster string) ([]key, error) {
	if len(secrets) == 0 || len(secrets) > maxSecrets {
		return nil, fmt.Errorf("lbcast: %d secrets, want 1 to %d", len(secrets), maxSecrets)
	}
	keys := make([]key, len(secrets))
	for i, s := range secrets {
		if len(s) < minSecret {
			return nil, fmt.Errorf("lbcast: secret %d has %d bytes, want at least %d", i, len(s), minSecret)
		}
		keys[i] = newKey(s, cluster)
	}
	return keys, nil
}

// endpoint is an address to send to or to listen on.
type endpoint struct {
	addr  netip.AddrPort
	iface *net.Interface // nil: the system chooses
}

func (e endpoint) multicast() bool { return e.addr.Addr().IsMulticast() }

// network is the kind of socket for it.
func (e endpoint) network() string {
	if e.addr.Addr().Is4() {
		return "udp4"
	}
	return "udp6"
}

// endpoints reads addresses; groups go through the interface of that name.
func endpoints(list []string, iface string) ([]endpoint, error) {
	if len(list) == 0 {
		return nil, errors.New("lbcast: no address")
	}
	var via *net.Interface
	if iface != "" {
		var err error
		if via, err = net.InterfaceByName(iface); err != nil {
			return nil, fmt.Errorf("lbcast: interface %q: %w", iface, err)
		}
	}
	var out []endpoint
	for _, s := range list {
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			return nil, fmt.Errorf("lbcast: %q is no IP address with a port", s)
		}
		e := endpoint{addr: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())}
		if e.multicast() {
			e.iface = via
			if z := a.Addr().Zone(); z != "" && z != iface {
				return nil, fmt.Errorf("lbcast: %q names another interface than %q", s, iface)
			}
		}
		out = append(out, e)
	}
	return out, nil
}
