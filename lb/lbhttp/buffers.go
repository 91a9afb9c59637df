package lbhttp

import "sync"

// buffers are of one size. Before what is read into one there is room for the
// head that is sent on: it is usually longer than the one that came, and the
// body behind it need not be moved.
type buffers struct {
	size     int // of what is read
	headroom int
	pool     sync.Pool // of *[]byte
	boxes    sync.Pool // of empty *[]byte, so that put does not allocate
}

const headroom = 1 << 10

func newBuffers(size int) *buffers { return &buffers{size: size, headroom: headroom} }

func (b *buffers) get() []byte {
	box, _ := b.pool.Get().(*[]byte)
	if box == nil {
		return make([]byte, b.headroom+b.size)
	}
	buf := *box
	*box = nil
	b.boxes.Put(box)
	return buf
}

func (b *buffers) put(buf []byte) {
	box, _ := b.boxes.Get().(*[]byte)
	if box == nil {
		box = new([]byte)
	}
	*box = buf
	b.pool.Put(box)
}
