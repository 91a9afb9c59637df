package lbhttp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbhttp"
)

// farm starts two servers and returns a pool of them.
func farm() (*lb.Pool, func()) {
	var nodes []lb.Node
	var servers []*httptest.Server
	for _, name := range []string{"a", "b"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s for %s", r.URL.Path, r.Header.Get("X-Forwarded-For"))
		}))
		servers = append(servers, s)
		nodes = append(nodes, lb.Node{ID: name, Addr: s.Listener.Addr().String()})
	}
	pool, err := lb.New(lb.Config{Nodes: nodes})
	if err != nil {
		log.Fatal(err)
	}
	return pool, func() {
		for _, s := range servers {
			s.Close()
		}
	}
}

func get(client *http.Client, url string) {
	resp, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body), err)
}

func ExampleServer() {
	pool, stop := farm()
	defer stop()
	s, err := lbhttp.NewServer(lbhttp.ServerConfig{Pool: pool})
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx, l) }()

	client := &http.Client{Transport: &http.Transport{}}
	get(client, "http://"+l.Addr().String()+"/news")
	client.CloseIdleConnections()
	cancel()
	fmt.Println(<-done)
	// Output:
	// 200 /news for 127.0.0.1 <nil>
	// context canceled
}

func ExampleProxy() {
	pool, stop := farm()
	defer stop()
	t, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: pool})
	if err != nil {
		log.Fatal(err)
	}
	defer t.CloseIdleConnections()
	p, err := lbhttp.NewProxy(lbhttp.ProxyConfig{Transport: t})
	if err != nil {
		log.Fatal(err)
	}
	front := httptest.NewServer(p) // any server of net/http
	defer front.Close()
	get(front.Client(), front.URL+"/news")
	// Output: 200 /news for 127.0.0.1 <nil>
}

func ExampleTransport() {
	pool, stop := farm()
	defer stop()
	t, err := lbhttp.NewTransport(lbhttp.TransportConfig{Pool: pool})
	if err != nil {
		log.Fatal(err)
	}
	defer t.CloseIdleConnections()
	get(&http.Client{Transport: t}, "http://any.name/news")
	// Output: 200 /news for  <nil>
}
