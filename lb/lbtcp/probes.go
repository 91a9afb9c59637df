package lbtcp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// A Probe finds out whether a node serves, and returns nil if so: it is what
// lb.Check.Func asks for. It ends before its context does.
type Probe = func(ctx context.Context, n *lb.Node) error

// ErrProbe is wrapped by the error of a probe that was answered, but not as a
// server that serves would answer.
var ErrProbe = errors.New("lbtcp: unexpected answer")

// maxAnswer bounds what a probe reads.
const maxAnswer = 64 << 10

// conversation makes a probe of a function that talks over a connection, whose
// deadline is the context's.
func conversation(talk func(conn net.Conn, r *bufio.Reader) error) Probe {
	return func(ctx context.Context, n *lb.Node) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", n.Addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			conn.SetDeadline(deadline)
		}
		stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		err = talk(conn, bufio.NewReaderSize(io.LimitReader(conn, maxAnswer), 512))
		if err != nil && ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		return err
	}
}

func unexpected(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProbe, fmt.Sprintf(format, args...))
}

// Connect asks only whether a connection is accepted. The kernel does that also
// for a server that hangs: prefer a probe that is answered.
func Connect() Probe {
	return conversation(func(net.Conn, *bufio.Reader) error { return nil })
}

// HTTPCheck is what [HTTP] asks, and which answers are good.
type HTTPCheck struct {
	Path string // default "/"
	Host string // default the node's address
	// Status is the wanted status; default any of 200 to 399.
	Status int
	// Body must match some of the answer's body, of which 64 KiB are looked at;
	// default any. It finds the server whose error page says 200 OK.
	Body *regexp.Regexp
}

// HTTP asks with GET, in HTTP/1.0, so that the body is as it is.
func HTTP(c HTTPCheck) Probe {
	if c.Path == "" {
		c.Path = "/"
	}
	return func(ctx context.Context, n *lb.Node) error {
		host := c.Host
		if host == "" {
			host = n.Addr
		}
		return conversation(func(conn net.Conn, r *bufio.Reader) error {
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: ashlar-check\r\nConnection: close\r\n\r\n", c.Path, host); err != nil {
				return err
			}
			return c.judge(r)
		})(ctx, n)
	}
}

func (c HTTPCheck) judge(r *bufio.Reader) error {
	line, err := readLine(r)
	if err != nil {
		return err
	}
	var minor, status int
	if n, _ := fmt.Sscanf(line, "HTTP/1.%1d %3d", &minor, &status); n != 2 || status < 100 {
		return unexpected("%.60q is no status line", line)
	}
	if c.Status == 0 && (status < 200 || status > 399) || c.Status != 0 && status != c.Status {
		return unexpected("status %d", status)
	}
	if c.Body == nil {
		return nil
	}
	for {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if !c.Body.Match(body) {
		return unexpected("the body does not match %s", c.Body)
	}
	return nil
}

// readLine reads a line and returns it without its end.
func readLine(r *bufio.Reader) (string, error) {
	var b []byte
	for {
		part, err := r.ReadSlice('\n')
		b = append(b, part...)
		if errors.Is(err, bufio.ErrBufferFull) && len(b) < 8<<10 {
			continue
		}
		if errors.Is(err, io.EOF) {
			return "", io.ErrUnexpectedEOF
		}
		if err != nil {
			return "", err
		}
		return string(bytes.TrimSuffix(b[:len(b)-1], []byte("\r"))), nil
	}
}

// SMTP waits for the greeting (RFC 5321: 220) and says goodbye. It is for LMTP
// too (RFC 2033).
func SMTP() Probe {
	return conversation(func(conn net.Conn, r *bufio.Reader) error {
		for {
			line, err := readLine(r)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(line, "220") {
				return unexpected("%.60q", line)
			}
			if len(line) == 3 || line[3] == ' ' { // the last line of the greeting
				return say(conn, "QUIT\r\n")
			}
			if line[3] != '-' {
				return unexpected("%.60q", line)
			}
		}
	})
}

// IMAP waits for the greeting (RFC 9051: * OK or * PREAUTH) and logs out.
func IMAP() Probe { return greeting("a LOGOUT\r\n", "* OK", "* PREAUTH") }

// POP3 waits for the greeting (RFC 1939: +OK) and quits.
func POP3() Probe { return greeting("QUIT\r\n", "+OK") }

// greeting waits for a line that begins with one of some words.
func greeting(bye string, words ...string) Probe {
	return conversation(func(conn net.Conn, r *bufio.Reader) error {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		for _, w := range words {
			if rest, ok := strings.CutPrefix(strings.ToUpper(line), w); ok && (rest == "" || rest[0] == ' ') {
				return say(conn, bye)
			}
		}
		return unexpected("%.60q", line)
	})
}

// say is a courtesy: the server has shown already that it serves.
func say(conn net.Conn, words string) error {
	io.WriteString(conn, words)
	return nil
}

// Redis asks with PING. A server that answers only to those who log in serves;
// one that is still loading its data does not.
func Redis() Probe {
	return conversation(func(conn net.Conn, r *bufio.Reader) error {
		if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
			return err
		}
		line, err := readLine(r)
		switch {
		case err != nil:
			return err
		case line == "+PONG", strings.HasPrefix(line, "-NOAUTH"), strings.HasPrefix(line, "-NOPERM"):
			return nil
		}
		return unexpected("%.60q", line)
	})
}

// Memcached asks for the version.
func Memcached() Probe {
	return conversation(func(conn net.Conn, r *bufio.Reader) error {
		if _, err := io.WriteString(conn, "version\r\n"); err != nil {
			return err
		}
		line, err := readLine(r)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, "VERSION ") {
			return unexpected("%.60q", line)
		}
		return nil
	})
}
