package gorilla_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
	"github.com/ashlar-go/ashlar/cookiecache/gorilla"
)

// vector was made by gorilla/securecookie v1.1.2; internal/bench/cookiecache
// makes them, and tries many more.
type vector struct {
	Comment  string `json:"comment"`
	HashKey  []byte `json:"hash_key"`
	BlockKey []byte `json:"block_key"`
	Hash     string `json:"hash"`
	Name     string `json:"name"`
	Made     int64  `json:"made"`
	Cookie   string `json:"cookie"`
	Value    []byte `json:"value"`
}

func (v vector) opener(t testing.TB, cfg gorilla.Config) *gorilla.Opener {
	t.Helper()
	cfg.Keys = append(cfg.Keys, gorilla.KeyPair{HashKey: v.HashKey, BlockKey: v.BlockKey})
	if v.Hash == "sha512" {
		cfg.Hash = func() hash.Hash { return sha512.New() }
	}
	o, err := gorilla.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil || len(all) < 5 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	return all
}

// after runs f at so long after the vector was made.
func after(t *testing.T, v vector, d time.Duration, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Unix(v.Made, 0).Add(d)))
		f(t)
	})
}

func TestReadsRealCookies(t *testing.T) {
	for _, v := range vectors(t) {
		after(t, v, time.Hour, func(t *testing.T) {
			got, made, err := v.opener(t, gorilla.Config{}).Open(v.Name, v.Cookie)
			if err != nil || !bytes.Equal(got, v.Value) || made.Unix() != v.Made {
				t.Errorf("%s: %x, %v, %v", v.Comment, got, made, err)
			}
			old := gorilla.Config{Keys: []gorilla.KeyPair{{HashKey: []byte("newer")}}}
			if _, _, err := v.opener(t, old).Open(v.Name, v.Cookie); err != nil {
				t.Errorf("%s, with the second key: %v", v.Comment, err)
			}
		})
	}
}

func TestRefusesWhatIsNotExactlyRight(t *testing.T) {
	for _, v := range vectors(t) {
		after(t, v, time.Hour, func(t *testing.T) {
			o := v.opener(t, gorilla.Config{})
			refused := func(what, name, value string) {
				if got, _, err := o.Open(name, value); !errors.Is(err, cookiecache.ErrTampered) || !errors.Is(err, cookiecache.ErrMiss) || got != nil {
					t.Fatalf("%s: %s: %x, %v", v.Comment, what, got, err)
				}
			}
			refused("another name", v.Name+"x", v.Cookie)
			refused("empty", v.Name, "")
			refused("a line end", v.Name, v.Cookie[:8]+"\r\n"+v.Cookie[8:])
			refused("too long", v.Name, v.Cookie+strings.Repeat("A", 4096))
			raw, err := base64.URLEncoding.DecodeString(v.Cookie)
			if err != nil {
				t.Fatal(err)
			}
			for i := range raw {
				changed := bytes.Clone(raw)
				changed[i] ^= 1 << (i % 8)
				refused(fmt.Sprint("byte ", i), v.Name, base64.URLEncoding.EncodeToString(changed))
				refused(fmt.Sprint("cut at ", i), v.Name, base64.URLEncoding.EncodeToString(raw[:i]))
			}
			other := v
			other.HashKey = append([]byte("x"), v.HashKey...)
			if _, _, err := other.opener(t, gorilla.Config{}).Open(v.Name, v.Cookie); !errors.Is(err, cookiecache.ErrTampered) {
				t.Errorf("%s: another key: %v", v.Comment, err)
			}
		})
	}
}

func TestAgesAreJudged(t *testing.T) {
	v := vectors(t)[0]
	const day = 24 * time.Hour
	for _, tt := range []struct {
		age, max time.Duration
		want     error
	}{
		{0, 0, nil},
		{30 * day, 0, nil},
		{30*day + time.Second, 0, cookiecache.ErrExpired},
		{time.Hour + time.Second, time.Hour, cookiecache.ErrExpired},
		{1000 * day, -1, nil},
		{-30 * time.Second, 0, nil},
		{-31 * time.Second, 0, cookiecache.ErrFuture},
	} {
		after(t, v, tt.age, func(t *testing.T) {
			_, _, err := v.opener(t, gorilla.Config{MaxAge: tt.max}).Open(v.Name, v.Cookie)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("age %v, limit %v: %v, want %v", tt.age, tt.max, err, tt.want)
			}
		})
	}
}

func TestKeysThatMakeNoSenseAreRefused(t *testing.T) {
	for _, keys := range [][]gorilla.KeyPair{nil, {{}}, {{BlockKey: make([]byte, 32)}}, {{HashKey: []byte("x"), BlockKey: make([]byte, 31)}}} {
		if _, err := gorilla.New(gorilla.Config{Keys: keys}); err == nil {
			t.Errorf("%d keys were accepted", len(keys))
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	k := gorilla.KeyPair{HashKey: []byte("correct horse"), BlockKey: []byte("battery staple!!")}
	js, err := json.Marshal(map[string]any{"k": k, "p": &k})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString(string(js))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		out.WriteString(fmt.Sprintf(verb+verb, k, []*gorilla.KeyPair{&k}[0]))
	}
	for _, leak := range []string{"correct", "battery", "636f7272", "99 111", "Y29ycm", "0x63"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("shows the secret: %s", out.String())
		}
	}
}

func FuzzOpen(f *testing.F) {
	v := vectors(f)[0]
	o := v.opener(f, gorilla.Config{MaxAge: -1})
	f.Add(v.Cookie)
	f.Add("")
	f.Add(base64.URLEncoding.EncodeToString([]byte("1|a|mac")))
	f.Add(base64.URLEncoding.EncodeToString([]byte("||")))
	f.Fuzz(func(t *testing.T, value string) {
		got, _, err := o.Open(v.Name, value)
		if err == nil && value != v.Cookie {
			t.Fatalf("%q was opened: %x", value, got)
		}
		if err != nil && !errors.Is(err, cookiecache.ErrMiss) {
			t.Fatal(err)
		}
	})
}

// The loader opens the old cookie; Load sets the new one. From then on the old
// one is not looked at.
func ExampleOpener() {
	// Both values are what securecookie.New was called with.
	old, err := gorilla.New(gorilla.Config{Keys: []gorilla.KeyPair{{HashKey: bytes.Repeat([]byte{1}, 32), BlockKey: bytes.Repeat([]byte{2}, 32)}}, MaxAge: -1})
	if err != nil {
		panic(err)
	}
	keys, err := cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		panic(err)
	}
	cookie, err := cookiecache.New(cookiecache.Config[string]{Name: "user", Keyring: keys, Codec: cookiecache.JSON[string](1)})
	if err != nil {
		panic(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		user, err := cookie.Load(w, r, func(context.Context) (string, error) {
			ck, err := r.Cookie("session")
			if err != nil {
				return "", err
			}
			b, _, err := old.Open("session", ck.Value)
			if err != nil {
				return "", err
			}
			var values map[any]any // what gorilla/sessions keeps
			if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&values); err != nil {
				return "", err
			}
			user, _ := values["user"].(string)
			return user, nil
		})
		fmt.Println(user, err, w.Header().Get("Set-Cookie") != "")
	}

	r := httptest.NewRequest("GET", "https://www.example.com/", nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: sessionCookie})
	w := httptest.NewRecorder()
	handler(w, r)
	r = httptest.NewRequest("GET", "https://www.example.com/", nil)
	r.AddCookie(w.Result().Cookies()[0])
	handler(httptest.NewRecorder(), r)
	// Output:
	// theo <nil> true
	// theo <nil> false
}

// sessionCookie was made by gorilla/sessions: {"user": "theo", 7: true}.
const sessionCookie = "MTU3NzgzNjgwMHxsZW9CeEhCM3lCUlBVNTZSdjlWNlBYYW5ZZEZCOHFWQVBrWXlybEkxeV9EZzJzSWMzQnZsU3owZGtjdGR4MnZGVjdFdjVneWg0bEg5clJLNkJuY045YVM2Ml9EX3VBcU1IM19BcWtwM0dfYUJnZz09fGApTiL0_mtwdQhgjiPlIMG8umHq-OZ2V5jjfRkoPvP9"
