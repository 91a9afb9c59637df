package lbhttp_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// Messages that two programs might read in two ways (hard test 8): each is
// answered with an error and a close, and nothing of it reaches a backend.
var smuggled = map[string]string{
	"CL.TE":                           "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
	"TE.CL":                           "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	"TE.TE, unknown":                  "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
	"TE.TE, twice":                    "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
	"TE: xchunked":                    "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"TE: quoted":                      "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
	"TE: vertical tab":                "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
	"TE: identity":                    "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: identity\r\n\r\n",
	"TE in HTTP/1.0":                  "POST / HTTP/1.0\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"TE space colon":                  "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"TE tab colon":                    "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
	"two lengths":                     "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
	"two equal lengths":               "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"list of lengths":                 "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3, 3\r\n\r\nabc",
	"length with sign":                "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: +3\r\n\r\nabc",
	"negative length":                 "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: -1\r\n\r\n",
	"hexadecimal length":              "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 0x3\r\n\r\nabc",
	"empty length":                    "POST / HTTP/1.1\r\nHost: e\r\nContent-Length:\r\n\r\n",
	"huge length":                     "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 99999999999999999999\r\n\r\n",
	"folded field":                    "GET / HTTP/1.1\r\nHost: e\r\nX: a\r\n b\r\n\r\n",
	"folded first field":              "GET / HTTP/1.1\r\n Host: e\r\n\r\n",
	"bare LF":                         "GET / HTTP/1.1\r\nHost: e\nX: y\r\n\r\n",
	"bare LF in request line":         "GET / HTTP/1.1\nHost: e\r\n\r\n",
	"bare LF at the end":              "GET / HTTP/1.1\r\nHost: e\r\n\n",
	"bare CR":                         "GET / HTTP/1.1\r\nHost: e\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n",
	"NUL":                             "GET / HTTP/1.1\r\nHost: e\r\nX: a\x00b\r\n\r\n",
	"NUL in name":                     "GET / HTTP/1.1\r\nHost: e\r\nX\x00: b\r\n\r\n",
	"no name":                         "GET / HTTP/1.1\r\nHost: e\r\n: b\r\n\r\n",
	"no colon":                        "GET / HTTP/1.1\r\nHost: e\r\nGET /admin HTTP/1.1\r\n\r\n",
	"Connection names Content-Length": "POST / HTTP/1.1\r\nHost: e\r\nConnection: Content-Length\r\nContent-Length: 3\r\n\r\nabc",
	"Connection names Host":           "GET / HTTP/1.1\r\nHost: e\r\nConnection: close, host\r\n\r\n",
	"no Host":                         "GET / HTTP/1.1\r\n\r\n",
	"two Hosts":                       "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"Host with a path":                "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"Host with user":                  "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
	"space in target":                 "GET /a b HTTP/1.1\r\nHost: e\r\n\r\n",
	"two spaces":                      "GET  / HTTP/1.1\r\nHost: e\r\n\r\n",
	"tab for space":                   "GET\t/ HTTP/1.1\r\nHost: e\r\n\r\n",
	"control in target":               "GET /\x01 HTTP/1.1\r\nHost: e\r\n\r\n",
	"relative target":                 "GET a HTTP/1.1\r\nHost: e\r\n\r\n",
	"HTTP/0.9":                        "GET /\r\n\r\n",
	"lower-case version":              "GET / http/1.1\r\nHost: e\r\n\r\n",
	"version 1.10":                    "GET / HTTP/1.10\r\nHost: e\r\n\r\n",
	"chunk size with sign":            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
	"chunk size with 0x":              "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
	"chunk size with space":           "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
	"chunk size too large":            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nabc\r\n0\r\n\r\n",
	"chunk with bare LF":              "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
	"chunk data without CR LF":        "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n",
	"chunk extension with bare LF":    "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n",
	"chunk extension with CR":         "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n",
	"endless chunk extension":         "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3;" + strings.Repeat("a", 5000) + "\r\nabc\r\n0\r\n\r\n",
	"trailer with bare LF":            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n",
	"trailer that is folded":          "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n",
	"TE.CL, TE hidden by case":        "POST / HTTP/1.1\r\nHost: e\r\ncontent-length: 4\r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n",
	"TE.TE, first unknown":            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"TE.TE, two fields":               "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
	"TE: chunked, identity":           "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	"TE: gzip, chunked":               "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"TE: empty":                       "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding:\r\n\r\n",
	"TE: comma only":                  "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
	"TE: parameter":                   "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
	"TE: NUL":                         "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n",
	"TE: non-breaking space":          "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
	"TE folded":                       "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
	"TE before a CR":                  "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\r\n\r\n0\r\n\r\n",
	"TE in HTTP/1.0 with length":      "POST / HTTP/1.0\r\nHost: e\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"TE named in Connection":          "POST / HTTP/1.1\r\nHost: e\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"GET with both lengths":           "GET / HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"length space colon":              "POST / HTTP/1.1\r\nHost: e\r\nContent-Length : 3\r\n\r\nabc",
	"length with point":               "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3.0\r\n\r\nabc",
	"length with space inside":        "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3 0\r\n\r\nabc",
	"length with underscore":          "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 1_0\r\n\r\n0123456789",
	"length beyond 63 bits":           "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 9223372036854775808\r\n\r\n",
	"length beyond 64 bits":           "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 18446744073709551619\r\n\r\nabc",
	"length that wraps at 32 bits in hexadecimal": "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 0x100000003\r\n\r\nabc",
	"length folded":                   "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\t4\r\n\r\nabc",
	"bare CR at the end of the head":  "GET / HTTP/1.1\r\nHost: e\r\n\r\rGET /x HTTP/1.1\r\n\r\n",
	"CR CR LF":                        "GET / HTTP/1.1\r\nHost: e\r\nX: y\r\r\n\r\n",
	"bare LF before the head":         "\nGET / HTTP/1.1\r\nHost: e\r\n\r\n",
	"two empty lines before the head": "\r\n\r\nGET / HTTP/1.1\r\nHost: e\r\n\r\n",
	"NUL in target":                   "GET /\x00 HTTP/1.1\r\nHost: e\r\n\r\n",
	"NUL in method":                   "G\x00T / HTTP/1.1\r\nHost: e\r\n\r\n",
	"DEL in value":                    "GET / HTTP/1.1\r\nHost: e\r\nX: \x7f\r\n\r\n",
	"8 bits in name":                  "GET / HTTP/1.1\r\nHost: e\r\nX\xe9: y\r\n\r\n",
	"8 bits in target":                "GET /\xe9 HTTP/1.1\r\nHost: e\r\n\r\n",
	"Host space colon":                "GET / HTTP/1.1\r\nHost : e\r\n\r\n",
	"Host with a space":               "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"Host list":                       "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: a\r\n\r\n",
	"absolute target, two Hosts":      "GET http://e/ HTTP/1.1\r\nHost: e\r\nHost: f\r\n\r\n",
	"absolute target, no Host":        "GET http://e/ HTTP/1.1\r\n\r\n",
	"absolute target, empty host":     "GET http:///x HTTP/1.1\r\nHost: e\r\n\r\n",
	"absolute target, other scheme":   "GET gopher://e/ HTTP/1.1\r\nHost: e\r\n\r\n",
	"authority target":                "GET e:80 HTTP/1.1\r\nHost: e\r\n\r\n",
	"star target":                     "GET * HTTP/1.1\r\nHost: e\r\n\r\n",
	"fragment in front":               "GET #x HTTP/1.1\r\nHost: e\r\n\r\n",
	"no version":                      "GET / \r\nHost: e\r\n\r\n",
	"version with a space":            "GET / HTTP/1.1 \r\nHost: e\r\n\r\n",
	"chunk size negative":             "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
	"chunk size empty":                "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n",
	"chunk size with tab":             "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3\t\r\nabc\r\n0\r\n\r\n",
	"chunk size that wraps":           "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
	"chunk size with NUL":             "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3\x00\r\nabc\r\n0\r\n\r\n",
	"chunk with bare CR":              "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3\rabc\r\n0\r\n\r\n",
	"chunk that is too short":         "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n",
	"chunk extension with CR CR LF":   "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\r\nabc\r\n0\r\n\r\n",
	"chunk extension with NUL":        "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3;\x00\r\nabc\r\n0\r\n\r\n",
	"last chunk with bare LF":         "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n",
	"last chunk followed by data":     "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGET /admin HTTP/1.1\r\n\r\n",
	"trailer with space before colon": "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n",
	"trailer with NUL":                "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: \x00\r\n\r\n",
}

func TestSmugglingIsRefusedAndNothingReachesABackend(t *testing.T) {
	var requests atomic.Int64
	node := backend(t, func(w http.ResponseWriter, r *http.Request) { requests.Add(1) })
	addr, s, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	for name, message := range smuggled {
		conn, r := dial(t, addr)
		say(t, conn, "%s", message)
		resp, _ := response(t, r, "GET")
		if resp.StatusCode != 400 || !resp.Close {
			t.Errorf("%s: %d, close %v; want 400 and close", name, resp.StatusCode, resp.Close)
		}
		if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
			t.Errorf("%s: after the answer: %v %q", name, err, rest)
		}
		conn.Close()
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests reached the backend", n)
	}
	if n := s.Stats().Refused; n != int64(len(smuggled)) {
		t.Errorf("refused: %d, want %d", n, len(smuggled))
	}
}

// net/http reads some of it otherwise: what the handler passes on of that is one
// request at the most, which the native server behind it finds nothing wrong with.
func TestWhatTheHandlerPassesOnIsUnambiguous(t *testing.T) {
	var requests atomic.Int64
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/admin" {
			t.Error("the backend sees a request that was inside another one")
		}
		io.Copy(io.Discard, r.Body)
	})
	strict, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node), Trace: &lbhttp.Trace{Refused: func(_ net.Addr, status int, reason string) {
		t.Errorf("the handler passes on what is refused: %d, %s", status, reason)
	}}})
	h := handle(t, lbhttp.TransportConfig{Pool: pool(t, nil, lb.Node{ID: "strict", Addr: strict})}, lbhttp.ProxyConfig{}, nil)
	for _, message := range smuggled {
		conn, r := dial(t, h.Listener.Addr().String())
		say(t, conn, "%s", message)
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, r) // until the connection is closed
		conn.Close()
	}
	if n := requests.Load(); n > int64(len(smuggled)) {
		t.Errorf("%d messages are %d requests", len(smuggled), n)
	}
}

// What arrives byte by byte is judged as what arrives at once.
func TestSmugglingInSmallPieces(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	for _, name := range []string{"CL.TE", "bare LF", "chunk data without CR LF", "TE space colon", "trailer with bare LF"} {
		conn, r := dial(t, addr)
		conn.(*net.TCPConn).SetNoDelay(true)
		go func() {
			for _, c := range []byte(smuggled[name]) {
				if _, err := conn.Write([]byte{c}); err != nil {
					return
				}
				time.Sleep(100 * time.Microsecond)
			}
		}()
		if resp, _ := response(t, r, "GET"); resp.StatusCode != 400 {
			t.Errorf("%s: %d, want 400", name, resp.StatusCode)
		}
		conn.Close()
	}
}

func TestOtherRefusals(t *testing.T) {
	node := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	addr, _, _ := serve(t, lbhttp.ServerConfig{Pool: pool(t, nil, node)})
	for _, tt := range []struct {
		request string
		status  int
	}{
		{"GET / HTTP/1.1\r\nHost: e\r\nX: " + strings.Repeat("x", 17<<10) + "\r\n\r\n", 431},
		{"GET / HTTP/1.1\r\nHost: e\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n", 431},
		{"GET / HTTP/2.0\r\nHost: e\r\n\r\n", 505},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"CONNECT e:443 HTTP/1.1\r\nHost: e:443\r\n\r\n", 405},
		{"POST / HTTP/1.1\r\nHost: e\r\nExpect: magic\r\n\r\n", 417},
	} {
		conn, r := dial(t, addr)
		say(t, conn, "%s", tt.request)
		if resp, _ := response(t, r, "GET"); resp.StatusCode != tt.status || !resp.Close {
			t.Errorf("%.40q: %d, close %v; want %d", tt.request, resp.StatusCode, resp.Close, tt.status)
		}
		conn.Close()
	}
}

// A backend that answers in a way that could be read in two is not believed.
func TestAmbiguousResponsesAre502(t *testing.T) {
	for name, answer := range map[string]string{
		"CL and TE":    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":  "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"TE: gzip":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"bare LF":      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"folded":       "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		"no HTTP":      "220 mail.example.com ESMTP\r\n\r\n",
		"status 99":    "HTTP/1.1 099 Eh\r\n\r\n",
		"version 2":    "HTTP/2.0 200 OK\r\n\r\n",
		"long head":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n",
		"chunk is bad": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
	} {
		node := scripted(t, func(conn net.Conn, r *bufio.Reader) {
			readHead(r)
			io.WriteString(conn, answer)
			io.Copy(io.Discard, r)
		})
		addr, _, stop := serve(t, lbhttp.ServerConfig{Pool: pool(t, lb.RoundRobin{}, node)})
		conn, r := dial(t, addr)
		say(t, conn, "GET / HTTP/1.1\r\nHost: e\r\n\r\n")
		resp, _ := response(t, r, "GET")
		if resp.StatusCode != 502 || resp.Header.Get("Proxy-Status") != "lb; error=http_protocol_error" {
			t.Errorf("%s: %d %s", name, resp.StatusCode, resp.Header.Get("Proxy-Status"))
		}
		conn.Close()
		stop()
	}
}
