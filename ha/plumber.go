package ha

import (
	"context"
	"net/netip"
	"time"
)

// Plumber puts addresses on this host. Package ha/netvip has those for Linux,
// ha/hatest one in memory. Methods are called concurrently for different VIPs,
// never for the same one.
type Plumber interface {
	// Attach returns once the kernel answers for the address; it does nothing if
	// it does already.
	Attach(ctx context.Context, v VIP) error
	// Detach returns once the kernel does not answer any more; it does nothing
	// for an address that is not there.
	Detach(ctx context.Context, v VIP) error
	// Announce tells the network where the address is (gratuitous ARP,
	// unsolicited neighbour advertisement), and the neighbours in to one by one.
	Announce(ctx context.Context, v VIP, to []netip.Addr) error
}

// Renewer is a Plumber whose addresses vanish unless they are renewed, so that a
// process that hangs loses them by the kernel alone. Run calls Renew each third
// of Config.Lease with the addresses that this node holds.
type Renewer interface {
	// Renew lets the addresses live for d from now on.
	Renew(ctx context.Context, vips []VIP, d time.Duration) error
}

// Inventory is a Plumber that knows what is attached. Run takes away at its start
// what an earlier process left behind.
type Inventory interface {
	// Attached returns the addresses that a Plumber of this kind attached.
	Attached(ctx context.Context) ([]VIP, error)
}

// Watcher is a Plumber that sees the network of the host change. Run watches it
// as long as it runs, and again a second after Watch returns.
type Watcher interface {
	// Watch calls f for each change, in order, until ctx ends or it cannot.
	Watch(ctx context.Context, f func(PlumberEvent)) error
}

// NeighbourLister is a Plumber that knows who was spoken to: all members together
// know whom a moved address must be announced to (the book's shared ARP caches).
type NeighbourLister interface {
	// Neighbours returns the addresses in the interface's neighbour table.
	Neighbours(ctx context.Context, iface string) ([]netip.Addr, error)
}

// PlumberEvent is a change of the host's network that this node did not make.
type PlumberEvent struct {
	VIP   VIP    // Lost: the address
	Iface string // CarrierDown, CarrierUp: the interface
	What  string // Lost, CarrierDown or CarrierUp
}

// What happened to the host's network.
const (
	Lost        = "lost"         // an attached address was removed by somebody else
	CarrierDown = "carrier down" // the interface has no link any more
	CarrierUp   = "carrier up"   // the interface has a link again
)
