//go:build !unix

package memcached

import "net"

// closedByPeer cannot tell here: the first call on a connection that the other
// side has closed fails and is done again.
func closedByPeer(net.Conn) bool { return false }
