package cookiecache_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// fromEnvironment stands for where a program has its secret from: 32 bytes that
// were made once by crypto/rand.
var fromEnvironment = []byte("0123456789abcdef0123456789abcdef")

type LeftNav struct {
	User  string
	Items []string
}

// The whole of it: the navigation is in the visitor's cookie, the database is
// asked on a miss.
func Example() {
	keys, err := cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: fromEnvironment})
	if err != nil {
		panic(err)
	}
	cookie, err := cookiecache.New(cookiecache.Config[LeftNav]{
		Name:    "nav",
		Keyring: keys,
		Codec:   cookiecache.JSON[LeftNav](1),
		Ages:    cookiecache.Ages{MaxIdle: 30 * 24 * time.Hour, MaxAge: 365 * 24 * time.Hour},
	})
	if err != nil {
		panic(err)
	}
	handler := cookie.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nav, err := cookie.Load(w, r, func(context.Context) (LeftNav, error) {
			fmt.Println("asking the database")
			return LeftNav{User: "jesus", Items: []string{"Sports", "Science"}}, nil
		})
		if err != nil {
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, nav.User, nav.Items)
	}))

	// A browser's two visits.
	first, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://www.example.com/", nil)
	handler.ServeHTTP(first, r)
	second, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://www.example.com/", nil)
	for _, c := range first.Result().Cookies() {
		r.AddCookie(c)
	}
	handler.ServeHTTP(second, r)
	fmt.Print(first.Body.String(), second.Body.String())
	// Output:
	// asking the database
	// jesus [Sports Science]
	// jesus [Sports Science]
}

func newNav(cfg cookiecache.Config[LeftNav]) *cookiecache.Cookie[LeftNav] {
	cfg.Name = "nav"
	if cfg.Keyring == nil {
		cfg.Keyring = must(cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: fromEnvironment}))
	}
	cfg.Codec = must(cookiecache.Binary[LeftNav](1))
	return must(cookiecache.New(cfg))
}

func ExampleCookie() {
	cookie := newNav(cookiecache.Config[LeftNav]{})
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://www.example.com/", nil)
	if err := cookie.Set(w, r, LeftNav{User: "theo"}); err != nil {
		panic(err)
	}
	name, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), "=")
	_, attributes, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	fmt.Println(name, attributes)
	// Output: __Host-nav  Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax
}

func ExampleCookie_Get() {
	cookie := newNav(cookiecache.Config[LeftNav]{})
	r := httptest.NewRequest("GET", "https://www.example.com/", nil)
	r.Header.Set("Cookie", "__Host-nav=forged")
	_, _, err := cookie.Get(r)
	fmt.Println(errors.Is(err, cookiecache.ErrMiss), errors.Is(err, cookiecache.ErrTampered))
	// Output: true true
}

func ExampleCookie_Clear() {
	cookie := newNav(cookiecache.Config[LeftNav]{})
	logout := func(w http.ResponseWriter, r *http.Request) {
		if err := cookie.Clear(w, r); err != nil {
			http.Error(w, "not logged out", http.StatusInternalServerError)
		}
	}
	w := httptest.NewRecorder()
	logout(w, httptest.NewRequest("POST", "https://www.example.com/logout", nil))
	fmt.Println(w.Header().Get("Set-Cookie"))
	// Output: __Host-nav=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax
}

// Rotation: the new key takes over at a time when all servers have it.
func ExampleKeyring_Replace() {
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	keys := must(cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: fromEnvironment}))
	err := keys.Replace(
		cookiecache.Key{ID: 1, Secret: fromEnvironment, OpenUntil: noon.Add(30 * 24 * time.Hour)},
		cookiecache.Key{ID: 2, Secret: []byte("another 32 bytes from the vault."), SealFrom: noon},
	)
	fmt.Println(err)
	// Output: <nil>
}

// A key may be printed and logged.
func ExampleKey() {
	key := cookiecache.Key{ID: 1, Secret: fromEnvironment, AEAD: cookiecache.XChaCha20Poly1305}
	fmt.Printf("%v\n%x\n", key, key)
	// Output:
	// key 1 xchacha20-poly1305 (32 secret bytes)
	// key 1 xchacha20-poly1305 (32 secret bytes)
}

func ExampleKeyring() {
	_, err := cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: []byte("secret")})
	fmt.Println(err)
	// Output: cookiecache: key 1: the secret has 6 bytes, needs at least 32
}

func ExampleAEAD() {
	fmt.Println(cookiecache.XAES256GCM, cookiecache.XChaCha20Poly1305)
	// Output: xaes-256-gcm xchacha20-poly1305
}

// A cookie for the log-in is idle after 20 minutes and ends after a day.
func ExampleAges() {
	newNav(cookiecache.Config[LeftNav]{Ages: cookiecache.Ages{MaxIdle: 20 * time.Minute, MaxAge: 24 * time.Hour}})
}

// Only the user for whom a cookie was set can use it, and no longer than until
// the user's epoch is raised.
func ExampleConfig() {
	epochOf := map[string]uint32{"theo": 3}
	user := func(r *http.Request) string { return r.Header.Get("X-User") } // from TLS, or the session
	cookie := newNav(cookiecache.Config[LeftNav]{
		Bind:       func(r *http.Request) []byte { return []byte(user(r)) },
		Epoch:      func(r *http.Request) (uint32, error) { return epochOf[user(r)], nil },
		EpochGrace: 5 * time.Minute,
		SameSite:   http.SameSiteStrictMode,
	})
	r, w := httptest.NewRequest("GET", "https://www.example.com/", nil), httptest.NewRecorder()
	r.Header.Set("X-User", "theo")
	if err := cookie.Set(w, r, LeftNav{User: "theo"}); err != nil {
		panic(err)
	}
	r.AddCookie(w.Result().Cookies()[0])
	_, _, err := cookie.Get(r)
	fmt.Println(err)
	r.Header.Set("X-User", "mallory")
	_, _, err = cookie.Get(r)
	fmt.Println(err)
	r.Header.Set("X-User", "theo")
	epochOf["theo"]++
	_, _, err = cookie.Get(r)
	fmt.Println(err)
	// Output:
	// <nil>
	// cookiecache: miss: not authentic
	// cookiecache: miss: revoked
}

// upper is a codec of one's own.
type upper struct{}

func (upper) Append(dst []byte, v string) ([]byte, error) {
	return append(dst, strings.ToUpper(v)...), nil
}
func (upper) Decode(b []byte, v *string) error { *v = string(b); return nil }

func ExampleCodec() {
	cookie := must(cookiecache.New(cookiecache.Config[string]{
		Name: "x", Codec: upper{}, Keyring: must(cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: fromEnvironment})),
	}))
	r, w := httptest.NewRequest("GET", "https://www.example.com/", nil), httptest.NewRecorder()
	if err := cookie.Set(w, r, "hello"); err != nil {
		panic(err)
	}
	r.AddCookie(w.Result().Cookies()[0])
	v, _, err := cookie.Get(r)
	fmt.Println(v, err)
	// Output: HELLO <nil>
}

func ExampleBinary() {
	nav := LeftNav{User: "theo", Items: []string{"Sports", "Science"}}
	binary := must(must(cookiecache.Binary[LeftNav](1)).Append(nil, nav))
	json := must(cookiecache.JSON[LeftNav](1).Append(nil, nav))
	fmt.Println(len(binary), len(json))
	_, err := cookiecache.Binary[chan int](1)
	fmt.Println(err)
	// Output:
	// 22 45
	// cookiecache: Binary cannot encode chan int (chan int): no such values in cookies
}

func ExampleSealer() {
	keys := must(cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: fromEnvironment}))
	s, err := cookiecache.NewSealer("csrf token", keys, cookiecache.Ages{MaxIdle: time.Hour})
	if err != nil {
		panic(err)
	}
	at := cookiecache.Binding{Host: "www.example.com", Bind: []byte("theo")}
	sealed, err := s.AppendSeal(nil, []byte("value"), at, cookiecache.Meta{})
	if err != nil {
		panic(err)
	}
	value, _, err := s.AppendOpen(nil, string(sealed), at)
	fmt.Printf("%s %v %d\n", value, err, len(sealed))
	// Output: value <nil> 68
}

// A value is of no use elsewhere than where it was sealed for.
func ExampleBinding() {
	s := must(cookiecache.NewSealer("x", must(cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: fromEnvironment})), cookiecache.Ages{}))
	sealed := must(s.AppendSeal(nil, []byte("v"), cookiecache.Binding{Bind: []byte("tenant 1")}, cookiecache.Meta{}))
	_, _, err := s.AppendOpen(nil, string(sealed), cookiecache.Binding{Bind: []byte("tenant 2")})
	fmt.Println(err)
	// Output: cookiecache: miss: not authentic
}

// The Meta of an opened value renews it.
func ExampleMeta() {
	s := must(cookiecache.NewSealer("x", must(cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: fromEnvironment})), cookiecache.Ages{}))
	sealed := must(s.AppendSeal(nil, []byte("v"), cookiecache.Binding{}, cookiecache.Meta{}))
	value, meta, err := s.AppendOpen(nil, string(sealed), cookiecache.Binding{})
	if err != nil {
		panic(err)
	}
	if meta.Due { // only after a tenth of MaxIdle
		sealed = must(s.AppendSeal(nil, value, cookiecache.Binding{}, meta))
	}
	fmt.Println(meta.Due, meta.KeyID, meta.Issued.Equal(meta.Renewed), len(sealed))
	// Output: false 1 true 63
}

func ExampleSigned() {
	flags, err := cookiecache.NewSigned(cookiecache.Config[string]{
		Name:    "experiments",
		Keyring: must(cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: fromEnvironment})),
		Codec:   cookiecache.JSON[string](1),
	})
	if err != nil {
		panic(err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://www.example.com/", nil)
	fmt.Println(flags.Set(w, r, "blue"), w.Result().Cookies()[0].Name)
	// Output: <nil> __Host-experiments
}

func ExampleTooLargeError() {
	cookie := newNav(cookiecache.Config[LeftNav]{})
	r := httptest.NewRequest("GET", "https://www.example.com/", nil)
	err := cookie.Set(httptest.NewRecorder(), r, LeftNav{User: strings.Repeat("x", 5000)})
	if e, ok := errors.AsType[*cookiecache.TooLargeError](err); ok {
		fmt.Println(e.Need, e.Have)
	}
	// Output: 6744 4096
}

// Causes of misses are for the operator: a rising rate of ErrTampered is an alarm.
func ExampleTrace() {
	cookie := newNav(cookiecache.Config[LeftNav]{Trace: &cookiecache.Trace{
		Miss: func(_ context.Context, name string, cause error) { fmt.Println(name, cause) },
	}})
	r := httptest.NewRequest("GET", "https://www.example.com/", nil)
	r.Header.Set("Cookie", "__Host-nav=forged")
	if _, _, err := cookie.Get(r); err == nil {
		panic("accepted")
	}
	// Output: __Host-nav cookiecache: miss: not authentic
}

// Whatever publishes counters (expvar, a page of one's own) can have these.
func ExampleStats() {
	cookie := newNav(cookiecache.Config[LeftNav]{})
	if _, _, err := cookie.Get(httptest.NewRequest("GET", "https://www.example.com/", nil)); err != nil {
		fmt.Printf("%+v\n", cookie.Stats())
	}
	// Output: {Hits:0 Absent:1 Tampered:0 UnknownKey:0 Incomplete:0 Future:0 Expired:0 Idle:0 Epoch:0 Revoked:0 Schema:0 Sets:0 Renewals:0 Failures:0}
}
