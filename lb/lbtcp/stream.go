package lbtcp

import (
	"io"
	"os"
	"sync"
	"syscall"
)

// bufferSize is what is read at once. A read that fills it is taken as the
// beginning of much more, which is then spliced.
const bufferSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// stream is one direction between two sockets that never block. While it waits
// for its source it has neither buffer nor pipe.
type stream struct {
	moved    int64 // bytes that the destination took
	buf      *[bufferSize]byte
	off, end int  // of buf: read and not yet written
	pipe     pipe // for what is spliced
	piped    int  // bytes in it

	asked bool  // for hints, at the second message: many streams have but one
	hints bool  // reads tell what is left
	guard bool  // the first bytes must not be a PROXY header
	bulk  bool  // splice
	few   uint8 // small messages since then
}

// next is what a stream waits for.
type next uint8

const (
	nothing      next = iota // there may be more at once
	whenReadable             // the source
	whenWritable             // the destination
	never                    // the source has ended, and all of it has been written
)

// A stream splices until fewSmall messages in a row were shorter than bulkFrom.
// After turn bytes others that share its goroutine have theirs.
const (
	bulkFrom = 4 << 10
	fewSmall = 8
	turn     = 1 << 20
)

// move moves what there is from src to dst. It never blocks.
func (s *stream) move(src, dst int) (next, error) {
	end := s.moved + turn
	for last := nothing; ; {
		if n, err := s.flush(dst); err != nil || n == whenWritable {
			return n, err
		}
		if last != nothing || s.moved >= end {
			return last, nil
		}
		var err error
		if last, err = s.fill(src); err != nil {
			return last, err
		}
	}
}

// fill takes a piece from the source, and says whenReadable if that was all.
func (s *stream) fill(src int) (next, error) {
	if s.bulk {
		return s.splice(src)
	}
	if !s.asked && s.moved > 0 {
		s.asked, s.hints = true, wantINQ(src)
	}
	if s.buf == nil {
		s.buf = buffers.Get().(*[bufferSize]byte)
	}
	n, more, errno := rawRead(src, s.buf[s.end:])
	switch {
	case errno == syscall.EAGAIN:
		s.spare()
		return whenReadable, nil
	case errno != 0:
		return 0, os.NewSyscallError("read", errno)
	case n == 0 && s.end > 0: // what the guard held back is all there is
		s.guard = false
		return nothing, nil
	case n == 0:
		s.spare()
		return never, nil
	}
	s.end += n
	s.bulk = n == bufferSize
	if s.guard {
		hold, err := forged(s.buf[:s.end])
		if hold || err != nil {
			return nothing, err
		}
		s.guard = false
	}
	if s.hints && !more {
		return whenReadable, nil
	}
	// Without a hint only a read that fails shows that there is no more: data
	// and the end of the source may have come as one event.
	return nothing, nil
}

// splice takes a piece by way of a pipe: it does not pass through our memory.
func (s *stream) splice(src int) (next, error) {
	p, err := getPipe()
	if err != nil { // out of descriptors: buffers do as well
		s.bulk = false
		return nothing, nil
	}
	n, errno := rawSplice(src, p.w, pipeSize)
	if errno != 0 || n == 0 {
		putPipe(p)
		switch errno {
		case 0:
			return never, nil
		case syscall.EAGAIN:
			return whenReadable, nil
		}
		return 0, os.NewSyscallError("splice", errno)
	}
	s.pipe, s.piped = p, n
	if n >= bulkFrom {
		s.few = 0
	} else if s.few++; s.few == fewSmall {
		s.bulk, s.few = false, 0
	}
	return nothing, nil
}

// flush writes what was read. It says whenWritable if some of it is left, else
// whenReadable.
func (s *stream) flush(dst int) (next, error) {
	for s.piped > 0 {
		n, errno := rawSplice(s.pipe.r, dst, s.piped)
		if errno == syscall.EAGAIN {
			return whenWritable, nil
		}
		if errno != 0 {
			return 0, os.NewSyscallError("splice", errno)
		}
		if n == 0 {
			return 0, io.ErrShortWrite
		}
		s.moved += int64(n)
		if s.piped -= n; s.piped == 0 {
			putPipe(s.pipe)
		}
	}
	for s.end > s.off && !s.guard {
		n, errno := rawWrite(dst, s.buf[s.off:s.end])
		if errno == syscall.EAGAIN {
			return whenWritable, nil
		}
		if errno != 0 {
			return 0, os.NewSyscallError("write", errno)
		}
		s.moved += int64(n)
		if s.off += n; s.off == s.end {
			s.off, s.end = 0, 0
			s.spare()
		}
	}
	return whenReadable, nil
}

// pending reports whether something was read and is not yet written.
func (s *stream) pending() bool { return s.piped > 0 || s.end > s.off }

// spare gives an empty buffer back.
func (s *stream) spare() {
	if s.buf != nil && s.end == 0 {
		buffers.Put(s.buf)
		s.buf = nil
	}
}

// release gives back what a stream has that ends before its source.
func (s *stream) release() {
	s.off, s.end = 0, 0
	s.spare()
	if s.piped > 0 {
		s.pipe.close() // with what is in it
		s.piped = 0
	}
}
