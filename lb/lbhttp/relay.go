package lbhttp

import (
	"errors"
	"io"
	"net"
	"syscall"
)

const (
	// spliceFrom is how much of a body must be missing for it to be worth
	// moving without copying it through our memory.
	spliceFrom = 16 << 10
	// stretch is how much of a body moves under one time limit.
	stretch = 256 << 10
)

// sendLength sends the head in c.w.out and a body of n bytes.
func (a *attempted) sendLength(b *backend, n int64) error {
	c := a.c
	w := c.w
	have := min(n, int64(b.end-b.start))
	// The head goes right before what there is of the body, over the old head.
	if at := b.start - len(w.out); at >= 0 {
		copy(b.buf[at:], w.out)
		if err := a.write(b.buf[at : b.start+int(have)]); err != nil {
			return err
		}
	} else {
		w.out = append(w.out, b.buf[b.start:b.start+int(have)]...)
		if err := a.write(w.out); err != nil {
			return err
		}
	}
	b.start += int(have)
	n -= have
	if n == 0 {
		return nil
	}
	if n >= spliceFrom && c.tcp != nil && b.tcp != nil {
		return a.splice(b, n)
	}
	return a.copyLength(b, n)
}

// splice moves n bytes from socket to socket.
func (a *attempted) splice(b *backend, n int64) error {
	c := a.c
	b.start, b.end = 0, 0
	for n > 0 {
		c.w.limited = io.LimitedReader{R: b.tcp, N: min(n, stretch)}
		c.alarm.set(c.s.until(c.s.cfg.BodyTimeout), watchClient)
		moved, err := c.tcp.ReadFrom(&c.w.limited)
		if !c.alarm.stop() && err == nil {
			err = errSlow
		}
		n -= moved
		if err == nil && moved == 0 {
			err = errShort
		}
		if err != nil {
			a.gone = c.gone || clientFault(err)
			return err
		}
	}
	return nil
}

// copyLength moves n bytes through the buffer.
func (a *attempted) copyLength(b *backend, n int64) error {
	for n > 0 {
		if err := a.refill(b); err != nil {
			return err
		}
		have := min(n, int64(b.end-b.start))
		if err := a.write(b.buf[b.start : b.start+int(have)]); err != nil {
			return err
		}
		b.start += int(have)
		n -= have
	}
	return nil
}

// refill waits for more of the answer's body.
func (a *attempted) refill(b *backend) error {
	c := a.c
	c.alarm.set(c.s.until(c.s.cfg.BodyTimeout), watchClient)
	err := b.refill()
	if !c.alarm.stop() && err == nil {
		err = errSlow
	}
	if err == io.EOF {
		err = errShort
	}
	return err
}

// sendUnknown sends the head in c.w.out and a body whose length is not known
// beforehand: in chunks, or up to the end of the connection if the client is old.
func (a *attempted) sendUnknown(b *backend, kind bodyKind, e ending) error {
	c := a.c
	w := c.w
	w.answer.reset(c.s.rules, 0)
	for {
		rest := b.bytes()
		for len(rest) > 0 && !w.answer.done() {
			used, data := len(rest), rest
			if kind == bodyChunked {
				var err error
				if used, data, err = w.answer.next(rest); err != nil {
					return err
				}
			}
			switch {
			case len(data) == 0:
			case e.chunked:
				w.out = appendChunk(w.out, data)
			default:
				w.out = append(w.out, data...)
			}
			rest = rest[used:]
		}
		b.start = b.end - len(rest)
		done := w.answer.done()
		if done && e.chunked {
			w.out = append(append(w.out, "0\r\n"...), w.answer.trailer...)
		}
		if len(w.out) > 0 {
			if err := a.write(w.out); err != nil {
				return err
			}
		}
		w.out = w.out[:0]
		if done {
			return nil
		}
		err := a.refill(b)
		if err == errShort && kind == bodyUntilClose {
			if e.chunked {
				return a.write(lastChunk)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

var lastChunk = []byte("0\r\n\r\n")

// write sends to the client: from then on nobody else can answer it.
func (a *attempted) write(p []byte) error {
	a.answered = true
	err := a.c.write(p)
	a.gone = err != nil
	return err
}

// clientFault reports whether an error of a splice came from the side that is
// written to.
func clientFault(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "write" || errors.Is(err, syscall.EPIPE)
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
