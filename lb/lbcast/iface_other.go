//go:build !unix

package lbcast

import (
	"errors"
	"fmt"
	"net"
)

// via6 is not there: see iface_unix.go.
func via6(*net.UDPConn, *net.Interface) error {
	return fmt.Errorf("groups of IPv6: %w", errors.ErrUnsupported)
}
