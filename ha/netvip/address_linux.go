package netvip

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ashlar-go/ashlar/ha"
)

// ifaProto is IFA_PROTO, who configured an address (Linux 5.18). The netlink
// package does not know it; that is why these messages are put together here.
const ifaProto = 11

// address is what the kernel says of one.
type address struct {
	index int // of the interface
	ip    netip.Addr
	bits  int
	mark  uint8
}

// is reports whether a is the address of v, whose LAN's interface is lan. Only a
// link-local address may be another one on another LAN.
func (a address) is(v ha.VIP, lan int) bool {
	if a.ip != v.Prefix.Addr() {
		return false
	}
	if !a.ip.IsLinkLocalUnicast() || a.index == lan {
		return true
	}
	link, err := netlink.LinkByIndex(a.index)
	return err == nil && link.Attrs().ParentIndex == lan
}

// putAddress adds the address to an interface, or, if it is there, gives it a
// new lifetime.
func putAddress(index int, ip netip.Addr, mark uint8, lease time.Duration) error {
	req := addressRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK, index, ip)
	req.AddData(nl.NewRtAttr(unix.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, unix.IFA_F_NODAD|unix.IFA_F_NOPREFIXROUTE)))
	// Not preferred, hence not the source of what the host sends by itself.
	life := unix.IfaCacheinfo{Valid: seconds(lease), Prefered: 0}
	req.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, (&nl.IfaCacheInfo{IfaCacheinfo: life}).Serialize()))
	req.AddData(nl.NewRtAttr(ifaProto, []byte{mark}))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return needs("CAP_NET_ADMIN", err)
}

// seconds rounds up; negative is forever.
func seconds(d time.Duration) uint32 {
	if d < 0 {
		return math.MaxUint32
	}
	return uint32(max(1, (d+time.Second-1)/time.Second))
}

// dropAddress removes the address, if it is there.
func dropAddress(index int, ip netip.Addr) error {
	req := addressRequest(unix.RTM_DELADDR, unix.NLM_F_ACK, index, ip)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return needs("CAP_NET_ADMIN", err)
}

func addressRequest(kind, flags, index int, ip netip.Addr) *nl.NetlinkRequest {
	family := unix.AF_INET
	if ip.Is6() {
		family = unix.AF_INET6
	}
	msg := nl.NewIfAddrmsg(family)
	msg.Prefixlen = uint8(ip.BitLen())
	msg.Index = uint32(index)
	req := nl.NewNetlinkRequest(kind, flags)
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, ip.AsSlice()))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, ip.AsSlice()))
	return req
}

// addresses lists all addresses of the host.
func addresses() ([]address, error) {
	msgs, err := dump(func() ([][]byte, error) {
		req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
		req.AddData(nl.NewIfAddrmsg(unix.AF_UNSPEC))
		return req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	})
	if err != nil {
		return nil, err
	}
	all := make([]address, 0, len(msgs))
	for _, m := range msgs {
		head := nl.DeserializeIfAddrmsg(m)
		attrs, err := nl.ParseRouteAttr(m[head.Len():])
		if err != nil {
			return nil, err
		}
		a := address{index: int(head.Index), bits: int(head.Prefixlen)}
		for _, attr := range attrs {
			switch attr.Attr.Type {
			case unix.IFA_LOCAL: // beats IFA_ADDRESS, which may be the peer's
				a.ip, _ = netip.AddrFromSlice(attr.Value)
			case unix.IFA_ADDRESS:
				if !a.ip.IsValid() {
					a.ip, _ = netip.AddrFromSlice(attr.Value)
				}
			case ifaProto:
				if len(attr.Value) > 0 {
					a.mark = attr.Value[0]
				}
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// dump repeats a listing that a change interrupted. The last one counts in any
// case: a host whose addresses change all the time must not keep us waiting.
func dump[T any](list func() ([]T, error)) ([]T, error) {
	for range 10 {
		if all, err := list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	all, err := list()
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		err = nil
	}
	return all, err
}
