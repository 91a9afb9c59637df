package lbhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// onceBody is a request's body, which can be read once. An attempt that failed
// closes it; that must not close it for the next one. After the last attempt it
// is the base transport's, which may read it while the answer is coming.
type onceBody struct {
	io.ReadCloser
	mu     sync.Mutex
	read   bool // guarded by mu
	closed bool // guarded by mu: Close was called before any of it was read
	last   bool // guarded by mu: there will be no other attempt
}

func (b *onceBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	b.read = true
	b.mu.Unlock()
	return b.ReadCloser.Read(p)
}

// Close is what a transport calls at the end of an attempt.
func (b *onceBody) Close() error {
	b.mu.Lock()
	b.closed = true
	done := b.read || b.last
	b.mu.Unlock()
	if done {
		return b.ReadCloser.Close()
	}
	return nil
}

// leave is called after the last attempt: what Close has put off is done now,
// also if the attempt failed before anybody had the body.
func (b *onceBody) leave(failed bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.last = true
	unread := !b.read && (b.closed || failed)
	b.mu.Unlock()
	if unread {
		b.ReadCloser.Close()
	}
}

func (b *onceBody) touched() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read
}

// whole reports whether all of the body can be sent once more.
func (b *onceBody) whole(req *http.Request) bool {
	return b == nil || !b.touched() || req.GetBody != nil
}

// leaseBody gives the lease back at the end of the response's body.
type leaseBody struct {
	io.ReadCloser
	lease  lb.Lease
	begin  time.Time
	ctx    context.Context
	class  lb.Class
	report *lb.Report
	tunnel bool
	once   sync.Once
}

func (b *leaseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.done(err)
	}
	return n, err
}

// Close gives the lease back also when the body was not read to its end: then
// its reader did not want more, which is not the node's fault.
func (b *leaseBody) Close() error {
	err := b.ReadCloser.Close()
	b.done(context.Canceled)
	return err
}

func (b *leaseBody) done(err error) {
	b.once.Do(func() {
		o := lb.Outcome{Class: b.class, Latency: time.Since(b.begin), Report: b.report}
		switch {
		case b.tunnel:
			o.Latency = 0 // how long it lasted says nothing about speed
		case err == io.EOF:
		case err == context.Canceled, errors.Is(context.Cause(b.ctx), context.Canceled):
			o.Class = lb.Canceled
		default:
			o.Class = lb.Failed
		}
		b.lease.Done(o)
	})
}

// tunnelBody is the body of 101 Switching Protocols, which can be written to.
type tunnelBody struct {
	*leaseBody
	w io.Writer
}

func (b *tunnelBody) Write(p []byte) (int, error) { return b.w.Write(p) }
