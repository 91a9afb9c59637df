package lbhttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/testnet"
	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// speaker answers as a gRPC server does: /unary after the request, with the
// status in announced trailers, /refuse with trailers and no body, and all
// others line by line, beginning before there is a line.
func speaker(canceled chan time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
			http.Error(w, "not gRPC", 500)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/grpc")
		switch r.URL.Path {
		case "/unary":
			body, _ := io.ReadAll(r.Body)
			h.Set("Trailer", "Grpc-Status")
			w.Write(body)
			h.Set("Grpc-Status", "0")
			return
		case "/refuse":
			h.Set("Grpc-Status", "7") // "trailers only" is a head
			return
		}
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "echo %s\n", lines.Text())
			w.(http.Flusher).Flush()
		}
		if r.Context().Err() != nil {
			canceled <- time.Now()
			return
		}
		h.Set(http.TrailerPrefix+"Grpc-Status", "0")
		h.Set(http.TrailerPrefix+"Grpc-Message", "late")
	}
}

// What gRPC needs (hard test 10): HTTP/2 on both sides, messages both ways at
// once, trailers, and a cancel that reaches the backend. How soon is logged.
func TestHandlerCarriesGRPC(t *testing.T) {
	canceled := make(chan time.Time, 1)
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	b := httptest.NewUnstartedServer(speaker(canceled))
	b.Config.Protocols = h2c
	b.Config.ErrorLog = quiet
	b.Start()
	defer b.Close()
	addr := b.Listener.Addr().String()
	s := handle(t, lbhttp.TransportConfig{Pool: pool(t, nil, lb.Node{ID: addr, Addr: addr}), HTTP2: true}, lbhttp.ProxyConfig{}, h2c)
	tr := &http.Transport{Protocols: h2c}
	defer tr.CloseIdleConnections()
	call := func(ctx context.Context, path string, body io.Reader) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, "POST", s.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Te", "trailers")
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	read := func(resp *http.Response) string {
		t.Helper()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return string(body)
	}

	resp := call(t.Context(), "/unary", strings.NewReader("message"))
	if body := read(resp); body != "message" || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("unary: %q %v", body, resp.Trailer)
	}
	resp = call(t.Context(), "/refuse", strings.NewReader("message"))
	if body := read(resp); body != "" || resp.Header.Get("Grpc-Status") != "7" {
		t.Errorf("trailers only: %q %v", body, resp.Header)
	}
	var slowest time.Duration
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		pr, pw := io.Pipe()
		resp := call(ctx, "/chat", pr)
		lines := bufio.NewReader(resp.Body)
		for i := range 3 { // each answer before the next question
			fmt.Fprintf(pw, "m%d\n", i)
			if line, err := lines.ReadString('\n'); line != fmt.Sprintf("echo m%d\n", i) {
				t.Fatalf("%q %v", line, err)
			}
		}
		begin := time.Now()
		cancel() // RST_STREAM, in the middle of the dialogue
		resp.Body.Close()
		pw.Close()
		select {
		case at := <-canceled:
			slowest = max(slowest, at.Sub(begin))
		case <-time.After(patience):
			t.Fatal("the cancel does not reach the backend")
		}
	}
	t.Logf("the slowest of 20 cancels reached the backend after %v", slowest)

	pr, pw := io.Pipe()
	resp = call(t.Context(), "/chat", pr)
	fmt.Fprint(pw, "bye\n")
	pw.Close()
	if body := read(resp); body != "echo bye\n" || resp.Trailer.Get("Grpc-Status") != "0" || resp.Trailer.Get("Grpc-Message") != "late" {
		t.Errorf("%q %v", body, resp.Trailer)
	}
}

// eager answers before it has read the request's body, as a base transport may.
type eager struct{ read chan string }

func (e eager) RoundTrip(r *http.Request) (*http.Response, error) {
	go func() {
		body, err := io.ReadAll(r.Body)
		e.read <- fmt.Sprint(string(body), err)
		r.Body.Close()
	}()
	return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}}, nil
}

// watched is a body that knows whether it was closed.
type watched struct {
	*io.PipeReader
	closed atomic.Bool
}

func (w *watched) Close() error {
	w.closed.Store(true)
	return w.PipeReader.Close()
}

func TestBodyOutlivesTheHeadOfTheAnswer(t *testing.T) {
	base := eager{make(chan string)}
	tr, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: pool(t, nil, lb.Node{ID: "a", Addr: "a"}), Base: base})
	if err != nil {
		t.Fatal(err)
	}
	pr, pw := io.Pipe()
	body := &watched{PipeReader: pr}
	req, _ := http.NewRequest("POST", "http://service/", body)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if body.closed.Load() {
		t.Error("closed when the head has come")
	}
	io.WriteString(pw, "all of it")
	pw.Close()
	if got := <-base.read; got != "all of it<nil>" {
		t.Errorf("the base transport reads %q", got)
	}
	testnet.Eventually(t, "it is closed", body.closed.Load)
}

func TestBodyIsClosedWhenNoNodeIsThere(t *testing.T) {
	for _, p := range []*lb.Pool{pool(t, nil), pool(t, nil, gone(t, "a"))} {
		tr, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: p})
		if err != nil {
			t.Fatal(err)
		}
		pr, _ := io.Pipe()
		body := &watched{PipeReader: pr}
		req, _ := http.NewRequest("POST", "http://service/", body)
		if _, err := tr.RoundTrip(req); err == nil {
			t.Error("an answer from nowhere")
		}
		testnet.Eventually(t, "the body is closed", body.closed.Load)
	}
}
