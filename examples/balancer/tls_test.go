package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A client's certificate decides which backends serve it, and an identity that
// the client claims itself is dropped.
func TestClientCertificatesChooseTheTier(t *testing.T) {
	dir := t.TempDir()
	ca := newCert(t, dir, "ca", nil, "")
	newCert(t, dir, "server", ca, "")
	newCert(t, dir, "client", ca, "premium")
	path := func(name string) string { return filepath.Join(dir, name) }
	all, _ := site(t, "all")
	best, _ := site(t, "best")
	b := start(t, "-tls-cert", path("server.pem"), "-tls-key", path("server.key"), "-client-ca", path("ca.pem"), "-tier", "premium=2",
		"-backend", all+",tier=0", "-backend", best+",tier=2")
	roots := x509.NewCertPool()
	roots.AddCert(ca.leaf)
	pair, err := tls.LoadX509KeyPair(path("client.pem"), path("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, certs := range [][]tls.Certificate{nil, {pair}} {
		c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs}}}
		req, _ := http.NewRequest("GET", "https://"+b.addr+"/", nil)
		req.Header.Set("X-Client-Cert-Subject", "CN=somebody else")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		c.CloseIdleConnections()
		want := "all 127.0.0.1 "
		if certs != nil {
			want = "best 127.0.0.1 CN=client,OU=premium"
		}
		if string(body) != want || resp.ProtoMajor != 2 {
			t.Errorf("HTTP/%d: %q, want %q", resp.ProtoMajor, body, want)
		}
	}
}

type authority struct {
	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newCert writes NAME.pem and NAME.key.
func newCert(t *testing.T, dir, name string, by *authority, unit string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true, IsCA: by == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if unit != "" {
		c.Subject.OrganizationalUnit = []string{unit}
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.leaf, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{leaf, key}
}
