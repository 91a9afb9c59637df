package cookiecache_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

func TestKeysThatMakeNoSenseAreRefused(t *testing.T) {
	at := time.Unix(1_000_000_000, 0)
	ok := cookiecache.Key{ID: 1, Secret: secret(1)}
	later := at.Add(time.Hour)
	for _, tt := range []struct {
		what string
		keys []cookiecache.Key
		say  string
	}{
		{"none", nil, "needs a key"},
		{"short", []cookiecache.Key{{Secret: make([]byte, 31)}}, "31 bytes"},
		{"all zero", []cookiecache.Key{{Secret: make([]byte, 32)}}, "all zero"},
		{"one ID twice", []cookiecache.Key{ok, {ID: 1, Secret: secret(2), SealFrom: at}}, "two keys have ID 1"},
		{"unknown algorithm", []cookiecache.Key{{Secret: secret(1), AEAD: 7}}, "unknown AEAD"},
		{"ends before it begins", []cookiecache.Key{{Secret: secret(1), SealFrom: later, SealUntil: at}}, "SealFrom is after SealUntil"},
		{"opens no more when it begins", []cookiecache.Key{{Secret: secret(1), SealFrom: later, OpenUntil: at}}, "SealFrom is after OpenUntil"},
		{"seals what nobody opens", []cookiecache.Key{{Secret: secret(1), SealUntil: later, OpenUntil: at}}, "nobody opens"},
		{"two at once", []cookiecache.Key{ok, {ID: 2, Secret: secret(2)}}, "both seal"},
	} {
		k, err := cookiecache.NewKeyring(tt.keys...)
		if k != nil || err == nil || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: %v, %v", tt.what, k, err)
		}
	}
}

func TestRefusedReplacementChangesNothing(t *testing.T) {
	ring := oneKey()
	c := mustNew(t, cookiecache.Config[nav]{Keyring: ring})
	b := browser{}
	set(t, b, c, someNav)
	if err := ring.Replace(cookiecache.Key{Secret: []byte("short")}); err == nil {
		t.Fatal("accepted")
	}
	if _, _, err := c.Get(b.request()); err != nil {
		t.Error(err)
	}
}

func TestRingKeepsItsOwnCopyOfSecrets(t *testing.T) {
	s := secret(1)
	ring := ringOf(cookiecache.Key{ID: 1, Secret: s})
	b := browser{}
	set(t, b, mustNew(t, cookiecache.Config[nav]{Keyring: ring}), someNav)
	clear(s)
	if _, _, err := mustNew(t, cookiecache.Config[nav]{Keyring: ring}).Get(b.request()); err != nil {
		t.Error(err)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	key := cookiecache.Key{ID: 7, Secret: []byte("correct horse battery staple, and then some"), SealFrom: time.Unix(1e9, 0)}
	ring := ringOf(key)
	type nested struct {
		Key  cookiecache.Key
		Keys []*cookiecache.Key
	}
	var out strings.Builder
	for _, v := range []any{key, &key, []cookiecache.Key{key}, nested{key, []*cookiecache.Key{&key}}, map[string]cookiecache.Key{"k": key}, ring,
		mustNew(t, cookiecache.Config[nav]{Keyring: ring}), cookiecache.Config[nav]{Keyring: ring}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o"} {
			_, _ = fmt.Fprintf(&out, verb+"\n", v) // to memory
		}
		if js, err := json.Marshal(v); err == nil { // some of them cannot be
			out.Write(js)
		}
		for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(h).Info("here", "value", v)
		}
	}
	for _, leak := range []string{"correct", "636f7272656374", "636F7272656374", "99 111 114", "0x63, 0x6f", "Y29ycmVjd", "143 157 162"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("shows the secret: %q in\n%s", leak, out.String())
		}
	}
	if want := "key 7 xaes-256-gcm (43 secret bytes, seals from 2001-09-09T01:46:40Z)"; key.String() != want || fmt.Sprintf("%#v", key) != want {
		t.Errorf("String = %q, want %q", key, want)
	}
}

func TestNewKeySealsAndOldCookiesAreRenewedWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := ringOf(cookiecache.Key{ID: 1, Secret: secret(1)})
		c := mustNew(t, cookiecache.Config[nav]{Keyring: ring})
		b := browser{}
		set(t, b, c, someNav)
		end := time.Now().Add(time.Hour)
		err := ring.Replace(
			cookiecache.Key{ID: 2, Secret: secret(2)},
			cookiecache.Key{ID: 1, Secret: secret(1), OpenUntil: end},
		)
		if err != nil {
			t.Fatal(err)
		}
		copied := browser{"__Host-nav": b["__Host-nav"]}
		time.Sleep(59 * time.Second)
		if _, loaded, cookies := visit(t, b, c, nav{}); loaded || cookies != 0 {
			t.Errorf("within the first minute: loaded %v, %d cookies", loaded, cookies)
		}
		time.Sleep(time.Second)
		if _, loaded, cookies := visit(t, b, c, nav{}); loaded || cookies != 1 {
			t.Errorf("after it: loaded %v, %d cookies", loaded, cookies)
		}
		if _, m, err := c.Get(b.request()); err != nil || m.KeyID != 2 {
			t.Errorf("renewed: %+v, %v", m, err)
		}
		time.Sleep(time.Until(end) - time.Nanosecond)
		if _, _, err := c.Get(copied.request()); err != nil {
			t.Errorf("just before OpenUntil: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, _, err := c.Get(copied.request()); !errors.Is(err, cookiecache.ErrUnknownKey) {
			t.Errorf("at OpenUntil: %v", err)
		}
		if _, _, err := c.Get(b.request()); err != nil {
			t.Errorf("the renewed one: %v", err)
		}
	})
}

func TestWindowsAreJudgedWhenUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon := time.Now().Add(12 * time.Hour)
		c := mustNew(t, cookiecache.Config[nav]{Keyring: ringOf(
			cookiecache.Key{ID: 1, Secret: secret(1)},
			cookiecache.Key{ID: 2, Secret: secret(2), SealFrom: noon, SealUntil: noon.Add(time.Hour), AEAD: cookiecache.XChaCha20Poly1305},
		)})
		b := browser{}
		for _, want := range []byte{1, 2, 1} {
			set(t, b, c, someNav)
			if _, m, err := c.Get(b.request()); err != nil || m.KeyID != want {
				t.Errorf("%v: %+v, %v; want key %d", time.Now(), m, err, want)
			}
			time.Sleep(12*time.Hour + time.Minute)
		}
	})
}

func TestWithoutASealingKeyCookiesAreReadButNotSet(t *testing.T) {
	ring := oneKey()
	c := mustNew(t, cookiecache.Config[nav]{Keyring: ring})
	b := browser{}
	set(t, b, c, someNav)
	if err := ring.Replace(cookiecache.Key{ID: 1, Secret: secret(1), SealUntil: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Get(b.request()); err != nil {
		t.Error(err)
	}
	w := discard{http.Header{}}
	if err := c.Set(w, b.request(), someNav); !errors.Is(err, cookiecache.ErrNoSealingKey) || len(w.h) != 0 {
		t.Errorf("Set = %v, header %v", err, w.h)
	}
}

// Three servers get the new rings at different moments; the visitor meets them
// in turn. No cookie is lost at any of the three steps, whoever is first.
func TestRotationInThreeStepsLosesNoCookie(t *testing.T) {
	k := func(id byte) cookiecache.Key { return cookiecache.Key{ID: id, Secret: secret(id)} }
	toCome := k(2)
	toCome.SealFrom = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	old := k(1)
	old.SealUntil = time.Unix(1, 0)
	steps := [][]cookiecache.Key{
		{k(1)},
		{k(1), toCome}, // 1: everybody can open with the new one
		{k(2), old},    // 2: it seals
		{k(2)},         // 3: the old one goes, MaxIdle later
	}
	synctest.Test(t, func(t *testing.T) {
		const maxIdle = time.Hour
		var rings []*cookiecache.Keyring
		var nodes []*cookiecache.Cookie[nav]
		for range 3 {
			rings = append(rings, ringOf(steps[0]...))
			nodes = append(nodes, mustNew(t, cookiecache.Config[nav]{Keyring: rings[len(rings)-1], Ages: cookiecache.Ages{MaxIdle: maxIdle}}))
		}
		b := browser{}
		set(t, b, nodes[0], someNav)
		hits, set := 0, 0
		visitAll := func(d time.Duration) {
			for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(10 * time.Second) {
				for _, c := range nodes {
					_, loaded, cookies := visit(t, b, c, nav{})
					if loaded {
						t.Fatalf("a cookie was lost at %v", time.Now())
					}
					hits++
					set += cookies
				}
			}
		}
		for step := 1; step < len(steps); step++ {
			for _, node := range []int{step % 3, (step + 1) % 3, (step + 2) % 3} {
				if err := rings[node].Replace(steps[step]...); err != nil {
					t.Fatal(err)
				}
				visitAll(5 * time.Minute)
			}
			visitAll(maxIdle)
		}
		if hits < 1000 || set > hits/10 {
			t.Errorf("%d visits set %d cookies", hits, set)
		}
		if _, m, err := nodes[0].Get(b.request()); err != nil || m.KeyID != 2 {
			t.Errorf("at the end: %+v, %v", m, err)
		}
	})
}

func TestRingsAreReplacedUnderLoad(t *testing.T) {
	a := cookiecache.Key{ID: 1, Secret: secret(1)}
	b := cookiecache.Key{ID: 2, Secret: secret(2), SealFrom: time.Unix(1, 0)}
	ring := ringOf(a, b)
	c := mustNew(t, cookiecache.Config[nav]{Keyring: ring})
	s := must(cookiecache.NewSealer("x", ring, cookiecache.Ages{}))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 64 {
		wg.Go(func() {
			br := browser{}
			for n := 0; ; n++ {
				select {
				case <-stop:
					if n > 0 {
						return
					}
				default:
				}
				visit(t, br, c, someNav)
				if _, _, err := c.Get(br.request()); err != nil {
					t.Error(err)
					return
				}
				wire := must(s.AppendSeal(nil, []byte("v"), cookiecache.Binding{}, cookiecache.Meta{}))
				if v, _, err := s.AppendOpen(nil, string(wire), cookiecache.Binding{}); err != nil || !bytes.Equal(v, []byte("v")) {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 200 {
		keys := []cookiecache.Key{a, b}
		if i%2 == 0 {
			keys[1].SealFrom, keys[0].SealFrom = time.Time{}, time.Unix(1, 0)
		}
		if i%3 == 0 {
			keys = append(keys, cookiecache.Key{ID: 3, Secret: secret(byte(i)), SealFrom: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)})
			if i == 0 {
				keys[2].Secret = secret(3)
			}
		}
		if err := ring.Replace(keys...); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}
