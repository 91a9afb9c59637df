package netvip

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const tunDevice = "/dev/net/tun"

// tun is a network device that is there as long as this process has it open.
// Nothing is routed through it; it only gives a home to addresses.
type tun struct {
	fd    int
	index int
}

// bind returns the device for an address of lan, and refuses if the kernel would
// not answer for it there.
func (p *Plumber) bind(lan netlink.Link) (index int, err error) {
	name := lan.Attrs().Name
	for _, scope := range []string{"all", name} { // the larger one counts
		switch v, err := sysctl("ipv4", "conf", scope, "arp_ignore"); {
		case err != nil:
			return 0, err
		case v != 0:
			return 0, fmt.Errorf("net.ipv4.conf.%s.arp_ignore is %d, so that the kernel does not answer on %s for addresses of another interface: set it to 0, or use mode leased", scope, v, name)
		}
	}
	if p.tun == nil {
		if p.tun, err = newTUN(); err != nil {
			return 0, err
		}
	}
	return p.tun.index, nil
}

func newTUN() (*tun, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, needs("access to it", fmt.Errorf("open %s: %w", tunDevice, err))
	}
	t := &tun{fd: fd}
	if err := t.up(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *tun) up() error {
	req, err := unix.NewIfreq("ashlar%d") // the kernel puts a number in
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(t.fd, unix.TUNSETIFF, req); err != nil {
		return needs("CAP_NET_ADMIN", fmt.Errorf("make a device of %s: %w", tunDevice, err))
	}
	link, err := netlink.LinkByName(req.Name())
	if err != nil {
		return err
	}
	t.index = link.Attrs().Index
	// Without a link-local address of its own. A kernel without IPv6 has no such
	// setting.
	_ = setSysctl(1, "ipv6", "conf", req.Name(), "disable_ipv6")
	return needs("CAP_NET_ADMIN", netlink.LinkSetUp(link))
}

// close destroys the device with its addresses.
func (t *tun) close() error { return unix.Close(t.fd) }
