package group_test

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha/group"
	"github.com/ashlar-go/ashlar/internal/testnet"
)

// With TLS, members speak to each other over it: as servers and as clients.
// Who has no certificate stays out.
func TestMembersSpeakTLS(t *testing.T) {
	ca := testnet.NewAuthority(t)
	good := &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(t, "member")},
		RootCAs:      ca.Pool, ClientCAs: ca.Pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}
	addrs := freeAddrs(t, 3)
	with := func(name string, i int, c *tls.Config) group.Config {
		return group.Config{Name: name, Cluster: addrs[i], Seeds: addrs[:2], TLS: c}
	}
	a, _ := start(t, group.Config{Name: "a", Cluster: addrs[0], Seeds: addrs[:2], Listen: "127.0.0.1:0", TLS: good})
	b, _ := start(t, with("b", 1, good))
	members(t, a, 2)
	in := receive(t, a.At(group.FIFO), "x")
	in.hears(t, b.At(group.FIFO), "x", "hello")

	listen, _, err := a.Addrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, _ := start(t, group.Config{Name: "c", URL: "nats://" + listen, TLS: good})
	in.hears(t, c.At(group.FIFO), "x", "hello from a client")

	start(t, with("stranger", 2, nil))
	plain, err := group.New(group.Config{Name: "plain", URL: "nats://" + listen, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.Run(t.Context()); err == nil {
		t.Error("a client without TLS came in")
	}
	time.Sleep(10 * beat) // a stranger that came in would be seen by now
	if v := a.View(); v.Has("stranger") {
		t.Error("a server without a certificate came in")
	}
}
