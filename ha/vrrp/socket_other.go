//go:build !linux

package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
)

var errOther = fmt.Errorf("vrrp: %s: %w", runtime.GOOS, errors.ErrUnsupported)

type socket struct{ src netip.Addr }

func open(Config) (*socket, error) { return nil, errOther }

func (s *socket) send([]byte) error { return errOther }

func (s *socket) receive([]byte) (n int, src, dst netip.Addr, ttl int, err error) {
	return 0, src, dst, 0, errOther
}

func (s *socket) close() {}
