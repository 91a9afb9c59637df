package cookiecache

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// vector is an entry of testdata/vectors.json: all that goes into a cookie, and
// the cookie. Bytes are in hexadecimal, times in Unix seconds.
type vector struct {
	Comment   string            `json:"comment"`
	Algorithm string            `json:"algorithm"`
	KeyID     byte              `json:"key_id"`
	Secret    string            `json:"secret"`
	Name      string            `json:"name"`
	Host      string            `json:"host"`
	Bind      string            `json:"bind"`
	Seed      string            `json:"seed"` // the nonce's 20 bytes on the wire
	Issued    int64             `json:"issued"`
	Renewed   int64             `json:"renewed"`
	Epoch     uint32            `json:"epoch"`
	Pad       int               `json:"pad"`
	Deflated  bool              `json:"deflated"`
	MaxBytes  int               `json:"max_bytes"`
	Value     string            `json:"value"`
	Cookies   map[string]string `json:"cookies"`
}

const vectorFile = "testdata/vectors.json"

func goldenVectors() []vector {
	const issued = 1_700_000_000
	key := func(b byte) string { return strings.Repeat(hex.EncodeToString([]byte{b}), 32) }
	seed := "000102030405060708090a0b0c0d0e0f10111213"
	text := func(s string) string { return hex.EncodeToString([]byte(s)) }
	long := strings.Repeat("Ashlar is cut building stone. ", 20)
	v := []vector{
		{Comment: "ordinary", Value: text("left navigation")},
		{Comment: "empty value", Host: "", Value: ""},
		{Comment: "every byte value, renewed after a day", Renewed: issued + 86400, Value: func() string {
			all := make([]byte, 256)
			for i := range all {
				all[i] = byte(i)
			}
			return hex.EncodeToString(all)
		}()},
		{Comment: "bound to a user; epoch", Bind: text("user 4711"), Epoch: 3_000_000_000, Value: text("x")},
		{Comment: "padded", Pad: 64, Value: text("short")},
		{Comment: "padded value that ends like padding", Pad: 16, Value: "8000"},
		{Comment: "deflated and padded", Pad: 64, Deflated: true, Value: text(long)},
		{Comment: "over three cookies", MaxBytes: 320, Value: text(long)},
	}
	var all []vector
	for _, algorithm := range []string{XAES256GCM.String(), XChaCha20Poly1305.String(), macAlgorithm} {
		for i, v := range v {
			v.Algorithm, v.KeyID, v.Secret, v.Name = algorithm, byte(i*30), key(byte(i+1)), "__Host-nav"
			if v.Comment != "empty value" {
				v.Host = "www.example.com"
			}
			if algorithm != macAlgorithm {
				v.Seed = seed
			}
			v.Issued, v.Renewed = issued, max(v.Renewed, issued)
			v.MaxBytes = max(v.MaxBytes, 0)
			all = append(all, v)
		}
	}
	return all
}

// sealVector makes the cookies of a vector.
func sealVector(t *testing.T, v vector) map[string]string {
	t.Helper()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	box, err := newBox(unhex(v.Secret), v.Algorithm, v.Name)
	if err != nil {
		t.Fatal(err)
	}
	l := letter{body: unhex(v.Value), issued: time.Unix(v.Issued, 0), renewed: time.Unix(v.Renewed, 0), epoch: v.Epoch}
	if v.Deflated {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.NoCompression) // the same in every version of Go
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(l.body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		l.body, l.flags = b.Bytes(), l.flags|flagDeflate
	}
	if v.Pad > 0 {
		l.body, l.flags = pad(l.body, v.Pad), l.flags|flagPadded
	}
	names, maxBytes := chunkNames(v.Name), 4096
	if v.MaxBytes > 0 {
		maxBytes = v.MaxBytes
	}
	n, err := fit(&names, maxBytes, maxChunks, l.wireSize(box))
	if err != nil {
		t.Fatal(err)
	}
	var s scratch
	s.bind(v.Name, Binding{Host: v.Host, Bind: unhex(v.Bind)})
	err = l.sealSeeded(&s, box, v.KeyID, n, func(lead []byte) error {
		if v.Seed != "" {
			copy(lead, unhex(v.Seed))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cookies := map[string]string{}
	for i, value := range cut(&names, maxBytes, n, encoding.EncodeToString(s.raw)) {
		cookies[names[i]] = value
	}
	return cookies
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

// What was sealed once must be sealed the same way for ever.
func TestSealsTheGoldenVectors(t *testing.T) {
	if *update {
		vectors := goldenVectors()
		for i := range vectors {
			vectors[i].Cookies = sealVector(t, vectors[i])
		}
		b, err := json.MarshalIndent(vectors, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	vectors := readVectors(t)
	if len(vectors) != 24 {
		t.Fatalf("%d vectors, want 24", len(vectors))
	}
	for _, v := range vectors {
		if got := sealVector(t, v); !maps.Equal(got, v.Cookies) {
			t.Errorf("%s, %s: sealed %v, want %v", v.Algorithm, v.Comment, got, v.Cookies)
		}
	}
}

// rawCodec is for values that are bytes.
type rawCodec struct{}

func (rawCodec) Append(dst []byte, v []byte) ([]byte, error) { return append(dst, v...), nil }
func (rawCodec) Decode(b []byte, v *[]byte) error            { *v = bytes.Clone(b); return nil }

func TestOpensTheGoldenVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Algorithm+"/"+v.Comment, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Unix(v.Renewed, 0)))
				secret, _ := hex.DecodeString(v.Secret)
				bind, _ := hex.DecodeString(v.Bind)
				key := Key{ID: v.KeyID, Secret: secret}
				if v.Algorithm == XChaCha20Poly1305.String() {
					key.AEAD = XChaCha20Poly1305
				}
				ring, err := NewKeyring(key)
				if err != nil {
					t.Fatal(err)
				}
				cfg := Config[[]byte]{Name: strings.TrimPrefix(v.Name, prefix), Keyring: ring, Codec: rawCodec{}, MaxChunks: 4,
					Bind:  func(*http.Request) []byte { return bind },
					Epoch: func(*http.Request) (uint32, error) { return v.Epoch, nil }}
				c, err := newCookie(cfg, v.Algorithm == macAlgorithm)
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequest("GET", "/", nil)
				r.Host = v.Host
				for name, value := range v.Cookies {
					r.AddCookie(&http.Cookie{Name: name, Value: value})
				}
				got, m, err := c.Get(r)
				if err != nil || hex.EncodeToString(got) != v.Value {
					t.Fatalf("Get = %x, %v", got, err)
				}
				want := Meta{Issued: time.Unix(v.Issued, 0), Renewed: time.Unix(v.Renewed, 0), Epoch: v.Epoch, KeyID: v.KeyID, Chunks: len(v.Cookies)}
				if fmt.Sprint(m) != fmt.Sprint(want) {
					t.Errorf("Meta = %v, want %v", m, want)
				}
			})
		})
	}
}
