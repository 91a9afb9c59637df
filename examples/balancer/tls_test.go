package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testnet"
)

// A client's certificate decides which backends serve it, and an identity that
// the client claims itself is dropped.
func TestClientCertificatesChooseTheTier(t *testing.T) {
	dir := t.TempDir()
	ca := testnet.NewAuthority(t)
	testnet.WritePEM(t, dir, "ca", ca.Own)
	testnet.WritePEM(t, dir, "server", ca.Issue(t, "server"))
	testnet.WritePEM(t, dir, "client", ca.Issue(t, "client", "premium"))
	path := func(name string) string { return filepath.Join(dir, name) }
	all, _ := site(t, "all")
	best, _ := site(t, "best")
	b := start(t, "-tls-cert", path("server.pem"), "-tls-key", path("server.key"), "-client-ca", path("ca.pem"), "-tier", "premium=2",
		"-backend", all+",tier=0", "-backend", best+",tier=2")
	pair, err := tls.LoadX509KeyPair(path("client.pem"), path("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, certs := range [][]tls.Certificate{nil, {pair}} {
		c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: ca.Pool, Certificates: certs}}}
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
