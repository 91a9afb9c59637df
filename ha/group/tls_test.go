package group_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ha/group"
)

// authority makes a certificate for loopback that both sides of a connection
// may show, and the configuration that asks for it.
func authority(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "member"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}
}

// With TLS, members speak to each other over it: as servers and as clients.
// Who has no certificate stays out.
func TestMembersSpeakTLS(t *testing.T) {
	good := authority(t)
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
