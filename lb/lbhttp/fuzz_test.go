package lbhttp

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func mustRules(t testing.TB, r Rules) *rules {
	t.Helper()
	ru, err := r.compile()
	if err != nil {
		t.Fatal(err)
	}
	return ru
}

// What the parser accepts, net/http accepts too, with the same end of the
// message; and what goes on to a backend is again acceptable, with the same
// framing and nothing that was to be stripped.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /a?b HTTP/1.1\r\nHost: e\r\n\r\n",
		"POST http://h:80/x HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\nConnection: close, x\r\nX: y\r\n\r\nabc",
		"PUT / HTTP/1.1\r\nhost:e\r\ntransfer-encoding: Chunked \r\nTE: trailers\r\nExpect: 100-continue\r\n\r\n",
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET /c HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX_Forwarded_For: 1\r\nLb-Tier: 2\r\n\r\n",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	ru := mustRules(f, Rules{Forwarded: true, Via: "v"})
	f.Fuzz(func(t *testing.T, b []byte, trusted bool) {
		var r request
		n, err := r.parse(b, ru, trusted)
		if err != nil {
			if _, ok := err.(*refusal); !ok || n != 0 {
				t.Fatalf("%d %v", n, err)
			}
			return
		}
		if n == 0 {
			if bytes.Contains(b, []byte("\r\n\r\n")) {
				t.Fatal("waits for more of a head that is there")
			}
			return
		}
		std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Skip() // net/http knows more of URLs and hosts; what counts is that we agree where it agrees
		}
		if std.Host != string(r.host) || (std.ContentLength >= 0) == r.chunked || r.length >= 0 && std.ContentLength != r.length {
			t.Fatalf("host %q and %q, length %d and %d, chunked %v", std.Host, r.host, std.ContentLength, r.length, r.chunked)
		}
		p := &peer{addr: netip.MustParseAddr("192.0.2.1"), proto: "http", trusted: trusted}
		out := appendRequest(nil, &r, p, ru)
		var again request
		m, err := again.parse(out, mustRules(t, Rules{}), true)
		if err != nil || m != len(out) {
			t.Fatalf("%q\nbecomes\n%q: %d of %d, %v", b[:n], out, m, len(out), err)
		}
		if again.chunked != r.chunked || again.length != r.length || again.expect != r.expect || !bytes.Equal(again.host, r.host) || !bytes.Equal(again.target, r.target) {
			t.Fatalf("%q\nbecomes another request:\n%q", b[:n], out)
		}
		for i := range again.fields {
			name := again.name(&again.fields[i])
			if ru.strips(name) || bytes.ContainsRune(name, '_') && requestField(name) == fieldForwarding && !trusted {
				t.Fatalf("%q is still there", name)
			}
		}
		if !trusted && bytes.Count(bytes.ToLower(out), []byte("x-forwarded-for:"))-strings.Count(strings.ToLower(string(r.target)), "x-forwarded-for:") > 1+valuesWith(&r, "x-forwarded-for:") {
			t.Fatalf("two X-Forwarded-For:\n%q", out)
		}
	})
}

// valuesWith counts values that merely contain the text.
func valuesWith(r *request, text string) (n int) {
	for i := range r.fields {
		n += strings.Count(strings.ToLower(string(r.value(&r.fields[i]))), text)
		n += strings.Count(strings.ToLower(string(r.name(&r.fields[i])))+":", text)
	}
	return n
}

func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.0 304\r\nConnection: keep-alive\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 503 No\r\nRetry-After: 1\r\nTransfer-Encoding: chunked\r\nLb-Report: rif=1;cores=2\r\nEndpoint-Load-Metrics: TEXT named_metrics.rif=1\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	ru := mustRules(f, Rules{Via: "v"})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r response
		n, err := r.parse(b, ru)
		if err != nil || n == 0 {
			return
		}
		for _, e := range []ending{{}, {chunked: r.body(false) == bodyChunked, close: true}} {
			out := appendResponse(nil, &r, ru, e)
			var again response
			m, err := again.parse(out, ru)
			if err != nil || m != len(out) {
				t.Fatalf("%q\nbecomes\n%q: %d of %d, %v", b[:n], out, m, len(out), err)
			}
			if again.status != r.status || again.length != r.length || again.chunked != e.chunked || again.report.next != 0 || again.orca.next != 0 || again.close != (e.close && r.status != 101) {
				t.Fatalf("%q\nbecomes another response:\n%q", b[:n], out)
			}
		}
		r.loadReport() // whatever it says, it does no harm
	})
}

// However a chunked body is cut into pieces, the same data comes out, or the
// same refusal; and what net/http reads is the same.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), uint8(1))
	f.Add([]byte("a;x=\"y\"\r\n0123456789\r\n00\r\nX: y\r\nHost: z\r\n\r\nnext"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		whole, n1, err1 := decode(t, b, len(b)+1)
		parts, n2, err2 := decode(t, b, int(size)+1)
		if !bytes.Equal(whole, parts) || n1 != n2 || (err1 == nil) != (err2 == nil) {
			t.Fatalf("at once %q %d %v, in pieces %q %d %v", whole, n1, err1, parts, n2, err2)
		}
		if n1 == 0 || err1 != nil {
			return
		}
		req := "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n"
		std, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(req), bytes.NewReader(b[:n1]))))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(std.Body)
		if err == nil && !bytes.Equal(data, whole) {
			t.Fatalf("net/http reads %q, we %q", data, whole)
		}
		// Encoded again it is the same, with what is left of the trailer.
		var out []byte
		if len(whole) > 0 {
			out = appendChunk(out, whole)
		}
		out = append(out, "0\r\n\r\n"...)
		if again, n, err := decode(t, out, 7); err != nil || n != len(out) || !bytes.Equal(again, whole) {
			t.Fatalf("%q %v", again, err)
		}
	})
}

// decode returns the data, and where the body ends, 0 if it does not.
func decode(t *testing.T, b []byte, piece int) (data []byte, end int, err error) {
	var c chunks
	c.reset(mustRules(t, Rules{}), 0)
	for at := 0; at < len(b) && !c.done(); {
		part := b[at:min(len(b), at+piece)]
		used, d, err := c.next(part)
		if used > len(part) || used == 0 && err == nil && !c.done() {
			t.Fatalf("used %d of %d", used, len(part))
		}
		data = append(data, d...)
		at += used
		if err != nil {
			return data, 0, err
		}
		end = at
	}
	if !c.done() {
		return data, 0, nil
	}
	return data, end, nil
}

// A request costs no allocation on its way through the rules.
func TestRewritingDoesNotAllocate(t *testing.T) {
	ru := mustRules(t, Rules{Forwarded: true})
	in := []byte("GET /index.html HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n")
	answer := []byte("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/html\r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\n")
	r := request{head: head{fields: make([]field, 0, 32)}}
	res := response{head: head{fields: make([]field, 0, 32)}}
	p := &peer{addr: netip.MustParseAddr("192.0.2.1"), proto: "http"}
	out := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		if n, err := r.parse(in, ru, false); n != len(in) || err != nil {
			t.Fatal(n, err)
		}
		out = appendRequest(out[:0], &r, p, ru)
		if n, err := res.parse(answer, ru); n != len(answer) || err != nil {
			t.Fatal(n, err)
		}
		out = appendResponse(out[:0], &res, ru, ending{})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRewrite(b *testing.B) {
	ru := mustRules(b, Rules{})
	in := []byte("GET /index.html HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n")
	var r request
	p := &peer{addr: netip.MustParseAddr("192.0.2.1"), proto: "http"}
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		r.parse(in, ru, false)
		out = appendRequest(out[:0], &r, p, ru)
	}
}
