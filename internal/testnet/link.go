package testnet

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// chunkSize is how much is read at once.
const chunkSize = 64 << 10

// grace is how long a server has to reply to the chunk after which the
// connection is cut, since there are chunks without a reply.
const grace = 100 * time.Millisecond

// link is one client's connection, with that to the server.
type link struct {
	p      *Proxy
	client *net.TCPConn
	ctx    context.Context // ends with the cut
	done   <-chan struct{}
	end    context.CancelFunc

	mu      sync.Mutex
	server  *net.TCPConn // nil until it is connected
	closed  bool         // the client's connection
	last    lastChunk
	replied bool // something came from the server while last was sending
}

// lastChunk is how far the chunk is whose reply is lost.
type lastChunk uint8

const (
	waiting lastChunk = iota // it has not come
	sending
	sent
)

func newLink(p *Proxy, client *net.TCPConn) *link {
	l := &link{p: p, client: client}
	l.ctx, l.end = context.WithCancel(p.ctx)
	l.done = l.ctx.Done()
	return l
}

// run forwards both ways until both are at their end.
func (l *link) run() {
	defer l.p.forget(l)
	defer l.cut()
	if !l.p.hold(l) || !l.connect() {
		return
	}
	defer l.server.Close()
	var requests sync.WaitGroup
	requests.Go(l.requests)
	l.replies()
	requests.Wait()
}

func (l *link) connect() bool {
	var d net.Dialer
	c, err := d.DialContext(l.ctx, "tcp", l.p.target)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = c.Close()
		return false
	}
	l.server = c.(*net.TCPConn)
	return true
}

// cut resets the client's connection and tells the server that no more comes.
// The server's connection stays open for reading: closed with something unread,
// it would be reset, and the server's kernel would drop what the server has not
// read yet. The server closes it, or the end of the test.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	l.end()
	_ = l.client.SetLinger(0)
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.SetWriteDeadline(time.Unix(1, 0)) // ends a Write that waits
		_ = l.server.CloseWrite()
	}
}

// finish closes the client's connection in order, after the server's end.
func (l *link) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	l.end()
	_ = l.client.Close()
}

// abandon ends both connections, whatever is on its way.
func (l *link) abandon() {
	l.cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// requests forwards what the client sends.
func (l *link) requests() {
	buf := make([]byte, chunkSize)
	for {
		n, err := l.client.Read(buf)
		if n > 0 && (!l.p.hold(l) || !l.request(buf[:n])) {
			l.cut()
			return
		}
		if err != nil {
			// The client may still wait for a reply, if it has only closed its side.
			_ = l.server.CloseWrite()
			if err != io.EOF {
				l.cut()
			}
			return
		}
	}
}

// request forwards one chunk. It returns false if the link is to be cut.
func (l *link) request(chunk []byte) bool {
	fate := l.p.next()
	if fate == dropped {
		return false
	}
	if fate == replyLost {
		l.setLast(sending)
	}
	if _, err := l.server.Write(chunk); err != nil {
		return false
	}
	if fate == replyLost {
		if !l.setLast(sent) {
			timer := time.NewTimer(grace)
			defer timer.Stop()
			select { // replies cuts at the first reply
			case <-timer.C:
			case <-l.done:
			}
		}
		return false
	}
	return true
}

func (l *link) setLast(to lastChunk) (replied bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = to
	return l.replied
}

// replies forwards what the server sends. After a cut it reads on, up to the
// server's end.
func (l *link) replies() {
	buf := make([]byte, chunkSize)
	for {
		n, err := l.server.Read(buf)
		if n > 0 && (!l.p.hold(l) || !l.reply(buf[:n])) {
			l.cut()
		}
		if err != nil {
			if l.lastIs(sent) {
				l.cut()
			} else {
				l.finish()
			}
			return
		}
	}
}

// reply forwards one, unless it is to be lost. It returns false if the link is
// to be cut.
func (l *link) reply(chunk []byte) bool {
	l.mu.Lock()
	last := l.last
	l.replied = l.replied || last == sending
	l.mu.Unlock()
	switch last {
	case sending: // not cut yet, for the server is to get all of the chunk
		return true
	case sent:
		return false
	}
	_, err := l.client.Write(chunk)
	return err == nil
}

func (l *link) lastIs(s lastChunk) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last == s
}
