package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestTheStatusPageAsksForItsToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := start(t, "-backend", "127.0.0.1:1", "-admin-token-file", file)
	for _, auth := range []struct {
		set  func(*http.Request)
		code int
	}{
		{func(*http.Request) {}, 401},
		{func(r *http.Request) { r.SetBasicAuth("x", "wrong") }, 401},
		{func(r *http.Request) { r.SetBasicAuth("x", "secret") }, 200},
		{func(r *http.Request) { r.Header.Set("Authorization", "Bearer secret") }, 200},
	} {
		req, _ := http.NewRequest("GET", b.admin+"/status.json", nil)
		auth.set(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != auth.code {
			t.Errorf("status %d, want %d", resp.StatusCode, auth.code)
		}
	}
}

// A page of somebody else's can neither press the buttons nor read the page,
// under a name that was made to mean this machine either.
func TestOtherSitesGetNothing(t *testing.T) {
	a, _ := site(t, "a")
	b := start(t, "-backend", a)
	for _, c := range []struct {
		method, path, host, origin string
		code                       int
		usable                     int64
	}{
		{"POST", "/drain?node=" + a, "", "http://evil.example", 403, 1},
		{"GET", "/status", "evil.example:80", "", 421, 1},
		{"GET", "/status", "evil.example", "", 421, 1},
		{"GET", "/status", "localhost", "", 200, 1},
		{"GET", "/status", "[::1]:80", "", 200, 1},
		{"GET", "/drain?node=" + a, "", "", 405, 1},
		{"POST", "/drain?node=" + a + "&back=1", "", b.admin, 303, 0},
	} {
		req, _ := http.NewRequest(c.method, b.admin+c.path, nil)
		req.Host = c.host
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := b.status().Usable; resp.StatusCode != c.code || got != c.usable {
			t.Errorf("%+v: %d, %d usable", c, resp.StatusCode, got)
		}
	}
}
