package lbtcp

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ListenerConfig says how a [Listener] works. Listener and From are required.
type ListenerConfig struct {
	// Listener accepts the connections.
	Listener net.Listener
	// From are the addresses of the proxies in front: their connections begin
	// with a PROXY header and are closed if they do not. Those from elsewhere
	// are as they are, but one that begins with such a header is forged and
	// fails when it is read.
	From []netip.Prefix
	// Timeout bounds the wait for a header; default 5 s.
	Timeout time.Duration
	// Pending bounds the connections whose headers are waited for; more are not
	// accepted meanwhile. Default 1024.
	Pending int
	// Refused is called for each connection that is closed because of its
	// header, concurrently; it may block. Default none.
	Refused func(peer netip.AddrPort, err error)
}

// Listener is a net.Listener for servers behind a proxy that writes PROXY
// headers, for http.Server, lbhttp.Server or any other: what it accepts has the
// client's address as its RemoteAddr, and [HeaderOf] tells the rest. Under TLS
// it comes first: tls.NewListener(l, config).
//
// Accept never waits for a header: a client that sends none delays nobody else.
type Listener struct {
	cfg   ListenerConfig
	ready chan accepted
	stop  chan struct{} // closed by Close
	once  sync.Once     // starts accept
	ended chan struct{} // closed when accept has ended, with err
	err   error         // written before ended is closed

	mu      sync.Mutex
	closed  bool                  // guarded by mu
	pending map[net.Conn]struct{} // guarded by mu: headers are waited for
	wg      sync.WaitGroup
}

// NewListener checks cfg. The first Accept starts goroutines, and Close ends them.
func NewListener(cfg ListenerConfig) (*Listener, error) {
	switch {
	case cfg.Listener == nil:
		return nil, errors.New("lbtcp: ListenerConfig.Listener is required")
	case len(cfg.From) == 0:
		return nil, errors.New("lbtcp: ListenerConfig.From is required: who may write a PROXY header can be anybody")
	case slices.ContainsFunc(cfg.From, func(p netip.Prefix) bool { return !p.IsValid() }):
		return nil, errors.New("lbtcp: ListenerConfig.From holds an invalid prefix")
	case cfg.Timeout < 0 || cfg.Pending < 0:
		return nil, errors.New("lbtcp: ListenerConfig has a negative field")
	}
	cfg.From = slices.Clone(cfg.From)
	cfg.Timeout = orDefault(cfg.Timeout, 5*time.Second)
	if cfg.Pending == 0 {
		cfg.Pending = 1024
	}
	return &Listener{
		cfg: cfg, ready: make(chan accepted), stop: make(chan struct{}),
		ended: make(chan struct{}), pending: map[net.Conn]struct{}{},
	}, nil
}

// Addr is the listener's.
func (l *Listener) Addr() net.Addr { return l.cfg.Listener.Addr() }

// Accept returns the next connection whose client is known. Its error is the
// listener's: after one that is temporary, such as that of a process out of
// descriptors, it may be called again.
func (l *Listener) Accept() (net.Conn, error) {
	l.once.Do(func() { go l.accept() })
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.ended:
		return nil, l.err
	}
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error // temporary
}

// Close closes the listener and the connections whose headers it waits for, and
// returns when its goroutines have ended.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.stop)
	for conn := range l.pending {
		conn.Close()
	}
	l.mu.Unlock()
	err := l.cfg.Listener.Close()
	l.once.Do(func() { // nobody has called Accept
		l.err = net.ErrClosed
		close(l.ended)
	})
	<-l.ended
	l.wg.Wait()
	return err
}

// accept hands connections to Accept, those of proxies when their headers have
// come.
func (l *Listener) accept() {
	defer close(l.ended)
	slots := make(chan struct{}, l.cfg.Pending)
	for {
		conn, err := l.cfg.Listener.Accept()
		if err != nil {
			//lint:ignore SA1019 net has no other word for an error that passes
			if t, ok := errors.AsType[net.Error](err); ok && t.Temporary() {
				l.hand(accepted{err: err})
				continue
			}
			l.err = err
			return
		}
		peer := addrPort(conn.RemoteAddr())
		if !among(l.cfg.From, peer) {
			l.hand(accepted{conn: &guarded{Conn: conn}})
			continue // after Close the next Accept fails
		}
		slots <- struct{}{} // Close ends those who hold them
		l.wg.Go(func() {
			l.introduce(conn, peer)
			<-slots
		})
	}
}

// hand waits until Accept takes what there is, and reports whether it did;
// after Close nobody does, and connections are closed.
func (l *Listener) hand(a accepted) bool {
	select {
	case l.ready <- a:
		return true
	case <-l.stop:
		if a.conn != nil {
			a.conn.Close()
		}
		return false
	}
}

// introduce waits for a header.
func (l *Listener) introduce(conn net.Conn, peer netip.AddrPort) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		conn.Close()
		return
	}
	l.pending[conn] = struct{}{}
	l.mu.Unlock()
	conn.SetReadDeadline(time.Now().Add(l.cfg.Timeout))
	h, err := readHeader(conn)
	l.mu.Lock()
	delete(l.pending, conn)
	l.mu.Unlock()
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	if err != nil {
		conn.Close()
		if l.cfg.Refused != nil {
			l.cfg.Refused(peer, err)
		}
		return
	}
	l.hand(accepted{conn: headed(conn, h)})
}
