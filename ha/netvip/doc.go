// Package netvip gives virtual addresses to this host and takes them away, on
// Linux, by netlink: the part of chapter 6 of the book that talks to the kernel.
// Elsewhere [New] refuses with [errors.ErrUnsupported].
//
// A [Plumber] satisfies ha.Plumber. [Config.Mode] says how an address is tied to
// the host; all three answer ARP or neighbour discovery by the kernel alone:
//
//   - [Bound], IPv4: the address is on a TUN device that the kernel destroys with
//     the process. Nothing is left behind by SIGKILL or a panic.
//   - [Leased], IPv4 and IPv6: the address is on the interface of the LAN.
//   - [VMAC], IPv4 and IPv6: the address is on a macvlan with VRRP's virtual
//     hardware address, which moves with it, so that no neighbour has to learn.
//
// # Guarantees
//
//   - The kernel removes an address that is not renewed: at the latest a second
//     after its lease, whatever the process does. That is for processes that
//     hang; only Bound covers those that die at once.
//   - An address is never the primary of its LAN's prefix, makes no route, and is
//     not the source of connections that the host makes: /32 and /128 are the
//     only prefixes, without prefix route, and deprecated.
//   - Attach returns once the kernel answers, Detach once it does not; both may be
//     repeated. IPv6 addresses are not checked for duplicates (RFC 4862), which
//     would take a second and fail while the old owner is still there.
//   - Only our own addresses are taken over or removed: they carry
//     [Config.Mark]. One that somebody else configured is refused with
//     [ErrForeign].
//   - Announce sends a gratuitous ARP request and a reply (RFC 5227), or an
//     unsolicited neighbour advertisement that overrides (RFC 4861), from the
//     address's hardware address. Each given neighbour is asked, by unicast if its
//     hardware address is known, for its own address in the name of the virtual
//     one: also a host that ignores gratuitous ARP learns from that.
//   - Watch misses no final state: what it hears from the kernel only makes it
//     look again, so that lost messages (ENOBUFS) do no harm.
//
// # What happens when
//
//   - a capability is missing: the error names it: CAP_NET_ADMIN, CAP_NET_RAW,
//     or /dev/net/tun. It is [io/fs.ErrPermission].
//   - arp_ignore keeps the kernel from answering for a Bound address: Attach says
//     so and attaches nothing.
//   - the address is removed by somebody else: Watch says Lost, and Renew fails
//     with [ErrLost]. It is never added again without Attach.
//   - the interface goes down, or away: IPv6 addresses go with it, and IPv4
//     addresses when it is removed. Watch says CarrierDown, and Lost.
//   - the process was killed: addresses of Leased and VMAC stay until their lease
//     ends. Attached tells a new process what is left, Detach removes it at once.
//
// # Limits
//
// The mark needs Linux 5.18; before that, Attached sees nothing and addresses
// left behind go with their lease. VMAC sets arp_ignore of the LAN's interface to
// 1 and leaves it so. Many clouds forbid addresses, or hardware addresses, that
// they have not assigned. All calls are made in the network namespace of the
// calling thread. Established connections of an address that is detached are not
// ended; they hang until the new owner's kernel resets them.
package netvip
