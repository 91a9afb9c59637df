package cache

import (
	"sync/atomic"
	"unsafe"
)

// counter is a sum that many goroutines add to at once without sharing a
// cache line.
type counter [8]struct {
	n atomic.Int64
	_ [56]byte
}

// add counts one. Goroutines have stacks of their own, so a stack address
// spreads them at the price of a shift.
func (c *counter) add() {
	var here byte
	c[uintptr(unsafe.Pointer(&here))>>11&7].n.Add(1)
}

func (c *counter) sum() (n int64) {
	for i := range c {
		n += c[i].n.Load()
	}
	return n
}
