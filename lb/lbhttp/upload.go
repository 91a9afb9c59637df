package lbhttp

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// upload streams a request's body to a backend while the answer may already be
// coming back. The goroutine owns the read half of the client and c.w.in until
// stop returns.
type upload struct {
	c    *client
	b    *backend
	done chan struct{}
	end  atomic.Bool // all of the body was sent
	over atomic.Bool // stop was called
	read error       // what failed on the client's side; set before done is closed
}

func (c *client) startUpload(b *backend) *upload {
	u := &upload{c: c, b: b, done: make(chan struct{})}
	go u.run()
	return u
}

func (u *upload) finished() bool { return u.end.Load() }

// stop ends it and returns the client's fault, if there is one.
func (u *upload) stop() error {
	u.over.Store(true)
	if !u.end.Load() {
		u.b.conn.SetWriteDeadline(past)
		u.c.base.SetReadDeadline(past)
	}
	<-u.done
	return u.read
}

func (u *upload) run() {
	defer close(u.done)
	if w := u.c.w; w.req.chunked {
		u.chunked()
	} else {
		u.length(w.req.length)
	}
	if u.end.Load() {
		s := u.c.s
		u.c.alarm.tighten(s.until(s.cfg.ResponseTimeout), watchClient)
		return
	}
	if u.over.Load() && errors.Is(u.read, os.ErrDeadlineExceeded) {
		u.read = nil // that was stop
	}
	// Nobody can wait for an answer to a part of a request, unless it is the
	// backend that would not have the rest.
	if u.read != nil {
		u.b.conn.SetReadDeadline(past)
	}
}

// limit gives both sides the time of one stretch. They have deadlines of
// package net here, one per stretch, since the alarm is the response's.
func (u *upload) limit() {
	if d := u.c.s.cfg.BodyTimeout; d > 0 {
		at := time.Now().Add(d)
		u.c.base.SetReadDeadline(at)
		u.b.conn.SetWriteDeadline(at)
	}
	if u.over.Load() {
		u.c.base.SetReadDeadline(past)
		u.b.conn.SetWriteDeadline(past)
	}
}

func (u *upload) length(n int64) {
	c, w := u.c, u.c.w
	have := min(n, int64(w.end-w.start))
	if have > 0 {
		u.limit()
		if _, err := u.b.conn.Write(w.in[w.start : w.start+int(have)]); err != nil {
			return
		}
		w.start += int(have)
		n -= have
	}
	if n >= spliceFrom && c.tcp != nil && u.b.tcp != nil {
		limited := &io.LimitedReader{R: c.tcp}
		for n > 0 {
			u.limit()
			limited.N = min(n, stretch)
			moved, err := u.b.tcp.ReadFrom(limited)
			n -= moved
			if err == nil && moved == 0 {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				if !clientFault(err) {
					u.read = err
				}
				return
			}
		}
		u.end.Store(true)
		return
	}
	for n > 0 {
		if !u.more() {
			return
		}
		have := min(n, int64(w.end-w.start))
		if _, err := u.b.conn.Write(w.in[w.start : w.start+int(have)]); err != nil {
			return
		}
		w.start += int(have)
		n -= have
	}
	u.end.Store(true)
}

// more reads from the client, after all there was is used up.
func (u *upload) more() bool {
	w := u.c.w
	u.limit()
	n, err := u.c.conn.Read(w.in)
	w.start, w.end = 0, n
	if n == 0 {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		u.read = err
		return false
	}
	return true
}

func (u *upload) chunked() {
	w := u.c.w
	out := u.c.s.bufs.get()[:0]
	defer func() { u.c.s.bufs.put(out[:cap(out)]) }()
	for {
		out = out[:0]
		for w.start < w.end && !w.chunks.done() {
			used, data, err := w.chunks.next(w.in[w.start:w.end])
			if err != nil {
				u.read = err
				return
			}
			if len(data) > 0 {
				out = appendChunk(out, data)
			}
			w.start += used
		}
		done := w.chunks.done()
		if done {
			out = append(append(out, "0\r\n"...), w.chunks.trailer...)
		}
		if len(out) > 0 {
			u.limit()
			if _, err := u.b.conn.Write(out); err != nil {
				return
			}
		}
		if done {
			u.end.Store(true)
			return
		}
		if !u.more() {
			return
		}
	}
}
