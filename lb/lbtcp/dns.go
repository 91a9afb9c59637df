package lbtcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// DNSConfig says how a [DNS] works. Only Pool is required.
type DNSConfig struct {
	// Pool chooses a node for each query. Required.
	Pool *lb.Pool
	// Timeout bounds the wait for one node's answer; default 1 s.
	Timeout time.Duration
	// Attempts bounds the nodes that are asked; default 3.
	Attempts int
	// MaxQueries bounds the queries in progress; more are dropped, and asked
	// again by their clients. Default 1024.
	MaxQueries int
	// Logger hears of state changes, never of single queries; default none.
	Logger *slog.Logger
}

// DNS balances queries over UDP (RFC 1035), each by itself. A node that does not
// answer in time is followed by another: queries may be repeated. Queries over
// TCP, where truncated answers send clients, are for a [Proxy].
//
// Each attempt has a socket of its own, so that its port is as random as the
// kernel makes it, and an answer is passed on only if it comes from the node and
// repeats the query's ID and question (RFC 5452).
type DNS struct {
	cfg                                        DNSConfig
	queries, answers, retries, dropped, failed atomic.Int64
}

// DNSStats counts since the start.
type DNSStats struct {
	Queries int64
	Answers int64
	Retries int64 // attempts beyond a query's first
	Dropped int64 // no query, or too many at once
	Failed  int64 // no node has answered
}

// NewDNS checks cfg and returns a DNS that does nothing until Run.
func NewDNS(cfg DNSConfig) (*DNS, error) {
	switch {
	case cfg.Pool == nil:
		return nil, errors.New("lbtcp: DNSConfig.Pool is required")
	case cfg.Timeout < 0 || cfg.Attempts < 0 || cfg.MaxQueries < 0:
		return nil, fmt.Errorf("lbtcp: DNSConfig has a negative field: timeout %v, attempts %d, queries %d", cfg.Timeout, cfg.Attempts, cfg.MaxQueries)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Second
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 3
	}
	if cfg.MaxQueries == 0 {
		cfg.MaxQueries = 1024
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &DNS{cfg: cfg}, nil
}

// Stats returns the counters.
func (d *DNS) Stats() DNSStats {
	return DNSStats{d.queries.Load(), d.answers.Load(), d.retries.Load(), d.dropped.Load(), d.failed.Load()}
}

// maxDNS is the largest message that is carried: EDNS0 allows 64 KiB, but what
// is larger than this would be in fragments, and is sent over TCP.
const maxDNS = 4096

var dnsBuffers = sync.Pool{New: func() any { return new([maxDNS]byte) }}

// Run serves conn, and closes it, until ctx ends or reading fails; then it waits
// for the queries in progress, which take no longer than Timeout now. It returns
// context.Cause(ctx) or the error.
func (d *DNS) Run(ctx context.Context, conn net.PacketConn) error {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, d.cfg.MaxQueries)
	for {
		buf := dnsBuffers.Get().(*[maxDNS]byte)
		n, client, err := conn.ReadFrom(buf[:])
		if err != nil {
			dnsBuffers.Put(buf)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			continue // such as an ICMP error about an answer to somebody
		}
		d.queries.Add(1)
		if !isQuery(buf[:n]) || !take(slots) {
			d.dropped.Add(1)
			dnsBuffers.Put(buf)
			continue
		}
		wg.Go(func() {
			defer func() {
				dnsBuffers.Put(buf)
				<-slots
			}()
			d.answer(ctx, conn, client, buf[:n])
		})
	}
}

func take(slots chan<- struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// answer asks nodes until one answers.
func (d *DNS) answer(ctx context.Context, conn net.PacketConn, client net.Addr, query []byte) {
	reply := dnsBuffers.Get().(*[maxDNS]byte)
	defer dnsBuffers.Put(reply)
	var req lb.Request
	for attempt := 1; attempt <= d.cfg.Attempts; attempt++ {
		lease, err := d.cfg.Pool.Acquire(ctx, req)
		if err != nil {
			break
		}
		if attempt > 1 {
			d.retries.Add(1)
		}
		begin := time.Now()
		n, err := d.ask(ctx, lease.Node(), query, reply[:])
		lease.Done(lb.Outcome{Err: err, Latency: time.Since(begin)})
		if err == nil {
			if _, err := conn.WriteTo(reply[:n], client); err == nil {
				d.answers.Add(1)
			}
			return
		}
		req.Exclude = append(req.Exclude, lease.Node())
	}
	d.failed.Add(1)
}

// ask sends the query to one node and waits for the answer to it.
func (d *DNS) ask(ctx context.Context, n *lb.Node, query, reply []byte) (int, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", n.Addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(d.cfg.Timeout))
	if _, err := conn.Write(query); err != nil {
		return 0, err
	}
	for {
		k, err := conn.Read(reply)
		if err != nil {
			return 0, err
		}
		if answers(reply[:k], query) {
			return k, nil
		}
	}
}

// A header is twelve bytes: ID, flags, and four counts.
const dnsHeader = 12

// isQuery reports whether b is a query with one question.
func isQuery(b []byte) bool {
	return len(b) > dnsHeader && b[2]&0x80 == 0 && b[4] == 0 && b[5] == 1 && questionEnd(b) > 0
}

// questionEnd finds the end of the first question; 0 if there is none.
func questionEnd(b []byte) int {
	i := dnsHeader
	for i < len(b) {
		n := int(b[i])
		i++
		if n == 0 {
			if i+4 > len(b) || i-dnsHeader > 255 {
				return 0
			}
			return i + 4 // type and class
		}
		if n > 63 { // a pointer has no business in a question
			return 0
		}
		i += n
	}
	return 0
}

// answers reports whether b is a reply to the query: its ID, and its question,
// in whatever case, unless the reply is an error without one.
func answers(b, query []byte) bool {
	if len(b) < dnsHeader || b[0] != query[0] || b[1] != query[1] || b[2]&0x80 == 0 {
		return false
	}
	if b[4] == 0 && b[5] == 0 {
		return b[3]&0x0f != 0
	}
	end := questionEnd(query)
	return questionEnd(b) == end && bytes.EqualFold(b[dnsHeader:end], query[dnsHeader:end])
}
