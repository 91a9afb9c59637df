package main

import (
	"bytes"
	"crypto/sha512"
	"encoding/gob"
	"encoding/json"
	"flag"
	"hash"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache/gorilla"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

var update = flag.Bool("update", false, "write the vectors of cookiecache/gorilla anew")

// vectors is in the module that must not depend on gorilla.
const vectors = "../../../cookiecache/gorilla/testdata/vectors.json"

type vector struct {
	Comment  string `json:"comment"`
	HashKey  []byte `json:"hash_key"`
	BlockKey []byte `json:"block_key"`
	Hash     string `json:"hash"`
	Name     string `json:"name"`
	Made     int64  `json:"made"` // Unix seconds
	Cookie   string `json:"cookie"`
	Value    []byte `json:"value"` // as serialized
}

func hashOf(name string) func() hash.Hash {
	if name == "sha512" {
		return sha512.New
	}
	return nil
}

// What gorilla/securecookie seals, with any keys and values, our opener reads.
func TestOpenerReadsWhatSecurecookieMakes(t *testing.T) {
	// In a bubble, so that the vectors are of a moment that is past everywhere.
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)))
		openSecurecookies(t)
	})
}

func openSecurecookies(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	some := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	var all []vector
	for i := range 300 {
		v := vector{Comment: "random", HashKey: some(1 + rnd.IntN(100)), Name: "session", Made: time.Now().Unix(), Value: some(rnd.IntN(1200))}
		if n := rnd.IntN(4); n > 0 {
			v.BlockKey = some(8 + 8*n)
		}
		if i%5 == 0 {
			v.Hash, v.Name = "sha512", "another|name"
		}
		sc := securecookie.New(v.HashKey, v.BlockKey).SetSerializer(securecookie.NopEncoder{})
		if h := hashOf(v.Hash); h != nil {
			sc.HashFunc(h)
		}
		var err error // securecookie encrypts in place what the nop serializer returns
		if v.Cookie, err = sc.Encode(v.Name, bytes.Clone(v.Value)); err != nil {
			t.Fatal(err)
		}
		o, err := gorilla.New(gorilla.Config{Hash: hashOf(v.Hash), Keys: []gorilla.KeyPair{
			{HashKey: []byte("a newer key"), BlockKey: some(32)}, {HashKey: v.HashKey, BlockKey: v.BlockKey},
		}})
		if err != nil {
			t.Fatal(err)
		}
		got, made, err := o.Open(v.Name, v.Cookie)
		if err != nil || !bytes.Equal(got, v.Value) || time.Since(made).Abs() > 5*time.Second {
			t.Fatalf("seed %d: %x, %v, %v; want %x", seed, got, made, err, v.Value)
		}
		if i < 6 && len(v.Value) < 4000 {
			all = append(all, v)
		}
	}
	if *update {
		all = append(all, sessionVector(t))
		b, err := json.MarshalIndent(all, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectors, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// sessionVector is a cookie of gorilla/sessions.
func sessionVector(t *testing.T) vector {
	t.Helper()
	v := vector{Comment: "gorilla/sessions", HashKey: secret(1), BlockKey: secret(2), Name: "session", Made: time.Now().Unix()}
	store := sessions.NewCookieStore(v.HashKey, v.BlockKey)
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	s, err := store.New(r, v.Name)
	if err != nil {
		t.Fatal(err)
	}
	s.Values["user"], s.Values[7] = "theo", true
	if err := s.Save(r, w); err != nil {
		t.Fatal(err)
	}
	v.Cookie = w.Result().Cookies()[0].Value
	o, err := gorilla.New(gorilla.Config{Keys: []gorilla.KeyPair{{HashKey: v.HashKey, BlockKey: v.BlockKey}}})
	if err != nil {
		t.Fatal(err)
	}
	if v.Value, _, err = o.Open(v.Name, v.Cookie); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOpenerReadsWhatSessionsMake(t *testing.T) {
	v := sessionVector(t)
	var got map[any]any
	if err := gob.NewDecoder(bytes.NewReader(v.Value)).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if want := map[any]any{"user": "theo", 7: true}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
