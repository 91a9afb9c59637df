package netvip

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
)

func linkByName(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if isNoLink(err) {
		return nil, fmt.Errorf("no interface %s: %w", name, err)
	}
	return link, err
}

func isNoLink(err error) bool {
	_, ok := errors.AsType[netlink.LinkNotFoundError](err)
	return ok
}

func linkName(index int) string {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return "interface " + strconv.Itoa(index)
	}
	return link.Attrs().Name
}

func isTUN(index int) bool {
	link, err := netlink.LinkByIndex(index)
	return err == nil && link.Type() == "tuntap"
}

// sysctl reads what is called net.KEY.
func sysctl(key ...string) (int, error) {
	b, err := os.ReadFile("/proc/sys/net/" + strings.Join(key, "/"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func setSysctl(value int, key ...string) error {
	return os.WriteFile("/proc/sys/net/"+strings.Join(key, "/"), []byte(strconv.Itoa(value)), 0)
}
