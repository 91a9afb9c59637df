package cookiecache

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

func (c *core) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mw := &writer{ResponseWriter: w, core: c, r: r}
		next.ServeHTTP(mw, r)
		mw.commit()
	})
}

// writer does the middleware's work at the last moment before the header is
// written. Like any ResponseWriter it is used by one goroutine at a time.
type writer struct {
	http.ResponseWriter
	core    *core
	r       *http.Request
	settled bool // Load has done what was due
	done    bool // the header is written, or the connection taken over
}

// commit is called before each write of the header; the first one counts.
func (w *writer) commit() {
	if w.done {
		return
	}
	w.done = true
	w.core.finish(w.Header(), w.r, w.settled)
}

// finish renews the cookie if that is due and has not been done.
func (c *core) finish(h http.Header, r *http.Request, settled bool) {
	if setsCookie(h, c.name) {
		keepPrivate(h) // the handler may have said otherwise since
		return
	}
	if settled {
		return
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	f, err := c.read(r, s)
	if err != nil || !f.due {
		return
	}
	if value, err := f.value(s, c.maxInflated); err == nil && c.readable(value) {
		c.renew(h, r, s, &f)
	}
}

// writers calls f for each writer of ours that w consists of.
func writers(w http.ResponseWriter, f func(*writer)) {
	for {
		switch x := w.(type) {
		case *writer:
			f(x)
			w = x.ResponseWriter
		case interface{ Unwrap() http.ResponseWriter }:
			w = x.Unwrap()
		default:
			return
		}
	}
}

// written reports whether the header is known to be written.
func written(w http.ResponseWriter) (done bool) {
	writers(w, func(x *writer) { done = done || x.done })
	return done
}

// settle tells the middleware of c that nothing is left for it to renew.
func settle(w http.ResponseWriter, c *core) {
	writers(w, func(x *writer) { x.settled = x.settled || x.core == c })
}

// WriteHeader writes the header; of the 1xx only 101 is a final one.
func (w *writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.commit()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.commit()
	return w.ResponseWriter.Write(b)
}

func (w *writer) WriteString(s string) (int, error) {
	w.commit()
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom lets io.Copy reach the ReadFrom of net/http (sendfile).
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	w.commit()
	return io.Copy(w.ResponseWriter, r)
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// FlushError writes the header and what is buffered; http.ErrNotSupported if
// the server cannot flush.
func (w *writer) FlushError() error {
	w.commit()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for callers that look for an http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() } // the interface has no error

// Hijack takes over the connection; no cookie can be set any more.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.done = true
	}
	return conn, rw, err
}

// Push is HTTP/2 server push where there is such a thing.
func (w *writer) Push(target string, opts *http.PushOptions) error {
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, opts)
	}
	return http.ErrNotSupported
}
