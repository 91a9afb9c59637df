package memcached

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"

	"github.com/bradfitz/gomemcache/memcache"
)

// Selector places keys for a plain gomemcache client as a Tier does: it is a
// memcache.ServerSelector. Addresses are handed out as they were configured, so
// that names are resolved for each connection and a resolver's error is that
// of the call; gomemcache's own list resolves once and its New drops the error.
// All methods are safe for concurrent use.
type Selector struct {
	placement Placement
	state     atomic.Pointer[selectorState]
}

var _ memcache.ServerSelector = (*Selector)(nil)

type selectorState struct {
	layout *layout
	addrs  []net.Addr // in the order of layout.servers
}

// NewSelector checks its arguments and returns a Selector.
func NewSelector(p Placement, servers []Server, segments ...Segment) (*Selector, error) {
	s := &Selector{placement: p}
	if err := s.SetServers(servers, segments...); err != nil {
		return nil, err
	}
	return s, nil
}

// SetServers replaces the servers; after an error the old ones stay. Connections
// to servers that go stay in the client until it closes them. A server that
// comes back may hold old values: flush it first.
func (s *Selector) SetServers(servers []Server, segments ...Segment) error {
	l, err := newLayout(s.placement, servers, segments)
	if err != nil {
		return err
	}
	st := &selectorState{layout: l}
	for _, srv := range l.servers {
		st.addrs = append(st.addrs, newAddress(srv.Addr))
	}
	s.state.Store(st)
	return nil
}

// PickServer returns the address of the server that holds key. The error is
// always nil.
func (s *Selector) PickServer(key string) (net.Addr, error) {
	st := s.state.Load()
	return st.addrs[st.layout.pick(key, nil)], nil
}

// Pick returns the server that holds key.
func (s *Selector) Pick(key string) Server {
	st := s.state.Load()
	return st.layout.servers[st.layout.pick(key, nil)]
}

// Each calls f with the address of every server, also after an error, and joins
// the errors, each as an Error with the server's name: so that FlushAll and Ping
// of a client reach all that can be reached.
func (s *Selector) Each(f func(net.Addr) error) error {
	st := s.state.Load()
	var errs []error
	for i, addr := range st.addrs {
		if err := f(addr); err != nil {
			errs = append(errs, &Error{Server: st.layout.servers[i].Name, Op: "each", Err: err})
		}
	}
	return errors.Join(errs...)
}

// newAddress does not resolve: dialling does.
func newAddress(addr string) *address {
	if strings.Contains(addr, "/") {
		return &address{"unix", addr}
	}
	return &address{"tcp", addr}
}
