package lbhttp

import (
	"bytes"
	"net/netip"
)

// Head shows a request to ServerConfig.Choose. It is valid during that call
// only, as are the slices that it returns.
type Head struct {
	r      *request
	client netip.Addr
}

// Method returns the method.
func (h *Head) Method() []byte { return h.r.method }

// Target returns the path and the query as they were sent, or "*".
func (h *Head) Target() []byte { return h.r.target }

// Host returns the host and the port that the client asked for.
func (h *Head) Host() []byte { return h.r.host }

// Client returns the address at the other end of the connection.
func (h *Head) Client() netip.Addr { return h.client }

// Get returns the value of the first field of that name, nil without one.
func (h *Head) Get(name string) []byte {
	for i := range h.r.fields {
		if f := &h.r.fields[i]; foldsToName(h.r.name(f), name) {
			return h.r.value(f)
		}
	}
	return nil
}

func foldsToName(b []byte, name string) bool {
	return len(b) == len(name) && bytes.EqualFold(b, []byte(name))
}
