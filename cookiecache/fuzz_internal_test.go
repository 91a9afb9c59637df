package cookiecache

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// FuzzBase64 compares our decoder with the one of the standard library, made
// strict: ours also refuses the line ends that theirs skips.
func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "A", "AA", "AAA", "AAAA", "AAAAA", "AB", "AAB", "____----", "AA\nAA", "\r\n", "AAAAAAAAAAAAAAAAAAAAAAA", "AA==", "a+/=", "é", "AAAAAAA\x80"} {
		f.Add(s)
	}
	strict := base64.RawURLEncoding.Strict()
	f.Fuzz(func(t *testing.T, s string) {
		want, err := strict.DecodeString(s)
		wantOK := err == nil && !strings.ContainsAny(s, "\r\n")
		got, ok := decodeBase64([]byte("kept"), s)
		gotBytes, okBytes := decodeBase64(nil, []byte(s))
		if ok != wantOK || okBytes != wantOK {
			t.Fatalf("%q: ok is %v and %v, want %v", s, ok, okBytes, wantOK)
		}
		if ok && (string(got) != "kept"+string(want) || string(gotBytes) != string(want)) {
			t.Fatalf("%q: %x and %x, want %x", s, got, gotBytes, want)
		}
		if ok && encoding.EncodeToString(want) != s {
			t.Fatalf("%q is another spelling of %q", s, encoding.EncodeToString(want))
		}
		if !ok && string(got) != "kept" {
			t.Fatalf("%q: refused, but %q", s, got)
		}
	})
}

// FuzzDirectives makes sure that a Cache-Control is private afterwards, and
// stays the same when it is made so twice.
func FuzzDirectives(f *testing.F) {
	for _, s := range []string{"", "public, max-age=60", `private="a,b", x="\"", no-store`, `"`, `a="\`, ",,", "PUBLIC , S-MaxAge=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := privateControl([]string{s})
		if twice := privateControl([]string{once}); twice != once {
			t.Fatalf("%q became %q, then %q", s, once, twice)
		}
	})
}

// FuzzSentCookies compares the reading of Cookie headers with net/http's: what
// that finds is found, in the same order. What it finds no fault with only we
// find too, for the decoder to refuse.
func FuzzSentCookies(f *testing.F) {
	for _, s := range []string{"n=v", "a=b; n=v; n=w", "n=1;n=2;n=3;n=4", " n=v ;\tn=w", `n="q"; n=v`, "n", "n=", "=v;n==", "N=v; nn=w; n =x", "n=\x00; n=ä", ";;n=v;;", "n=a b, c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !plainName(s) {
			return
		}
		r := http.Request{Header: http.Header{"Cookie": {s, "n=last"}}}
		got := sentCookies(r.Header, "n", nil)
		i := 0
		for _, c := range r.CookiesNamed("n") {
			want := c.Value
			if want == "" { // also from a name alone
				continue
			}
			if c.Quoted {
				want = `"` + want + `"`
			}
			for i < len(got) && got[i] != want {
				if _, ok := decodeBase64(nil, got[i]); ok && got[i] != "" {
					t.Fatalf("%q: net/http skips %q", s, got[i])
				}
				i++
			}
			if i == len(got) {
				if len(got) == maxDuplicates {
					return
				}
				t.Fatalf("%q: net/http finds %q, we found %q", s, want, got)
			}
			i++
		}
	})
}

// plainName says that no white space but blanks and tabs is in s, and none
// before an equals sign: net/http trims more there, and browsers send none.
func plainName(s string) bool {
	return !strings.ContainsAny(s, "\r\n") && !strings.Contains(s, " =") && !strings.Contains(s, "\t=")
}
