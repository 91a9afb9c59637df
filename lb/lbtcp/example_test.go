package lbtcp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

func ExampleProxy() {
	mail, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			conn, err := mail.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "220 mail.example.com ESMTP\r\n")
			conn.Close()
		}
	}()
	defer mail.Close()

	pool, err := lb.New(lb.Config{Nodes: []lb.Node{{ID: "mail1", Addr: mail.Addr().String()}}})
	if err != nil {
		log.Fatal(err)
	}
	p, err := lbtcp.New(lbtcp.Config{Pool: pool})
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx, l) }()

	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	greeting, err := io.ReadAll(conn)
	fmt.Printf("%q %v\n", greeting, err)
	conn.Close()
	cancel()
	fmt.Println(<-done)
	// Output:
	// "220 mail.example.com ESMTP\r\n" <nil>
	// context canceled
}

// A pool that asks its web servers for a page, and looks at it.
func ExampleHTTP() {
	_, err := lb.New(lb.Config{
		Nodes: []lb.Node{{ID: "www1", Addr: "192.0.2.1:80"}},
		Check: lb.Check{
			Func:     lbtcp.HTTP(lbtcp.HTTPCheck{Path: "/healthz", Body: regexp.MustCompile(`^ok`)}),
			Interval: time.Second,
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleParseHeader() {
	h, n, err := lbtcp.ParseHeader([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\nEHLO client"))
	fmt.Println(h.Source, n, err)
	// Output: 192.0.2.7:56324 44 <nil>
}

// An HTTP server behind a proxy that writes PROXY headers.
func ExampleListener() {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	l, err := lbtcp.NewListener(lbtcp.ListenerConfig{Listener: plain, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	if err != nil {
		log.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello,", r.RemoteAddr)
	})}
	go s.Serve(l)
	defer s.Close()

	conn, err := net.Dial("tcp", l.Addr().String()) // as that proxy does
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\nGET / HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(os.Stdout, resp.Body)
	// Output: hello, 192.0.2.7:56324
}
