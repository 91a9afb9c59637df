package cookiecache

import "testing"

func TestHostNameLeavesOutWhatDoesNotMatter(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"example.com":           "example.com",
		"EXAMPLE.com:8080":      "example.com",
		"example.com.":          "example.com",
		"example.com.:443":      "example.com",
		"127.0.0.1:80":          "127.0.0.1",
		"[::1]":                 "[::1]",
		"[2001:DB8::1]:443":     "[2001:db8::1]",
		"2001:db8::1":           "2001:db8::1",
		":80":                   "",
		"example.com:80:90":     "example.com:80:90", // no such thing: bound to as it is
		"user@example.com:8080": "user@example.com",
	} {
		if got := hostName(in); got != want {
			t.Errorf("hostName(%q) = %q, want %q", in, got, want)
		}
	}
}
