package cookiecache

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Config is what [New] and [NewSigned] make a cookie from. Name, Keyring and
// Codec are required; the zero value of every other field is a good default.
type Config[T any] struct {
	// Name is the cookie's name without a prefix: __Host- is put before it
	// unless PlainHTTP. Letters, digits and !#$%&'*+-.^_`|~ (a token, RFC 9110),
	// at most 128, not ending in a dot and a number.
	Name string
	// Keyring has the keys; it may be shared with other cookies.
	Keyring *Keyring
	// Codec turns a value into bytes and back: [JSON], [Binary] or your own.
	Codec Codec[T]
	// Ages limits how long the cookie is good for.
	Ages Ages

	// Host is the host name that the cookie is bound to. Default: that of the
	// request, in lower case, without the port. Set it where the server answers
	// to any name that a client makes up, yet other hosts have the same keys.
	Host string
	// Bind returns what else the cookie is bound to: the user, the tenant, a key
	// of the device. A cookie is a miss for everybody else. It must not come
	// from the cookie itself. It is called once or twice per request.
	Bind func(*http.Request) []byte
	// Epoch returns the least revocation epoch that is valid for the request's
	// user: raise it, and all older cookies of that user are ErrRevoked. New
	// cookies are of the epoch that it returned before their value was loaded.
	// It is called for each cookie that is otherwise good, and for each that is
	// set, so it should ask something near, such as a local cache.
	Epoch func(*http.Request) (uint32, error)
	// EpochGrace is for when Epoch fails: cookies renewed at most this long ago
	// are then used all the same (and not renewed). Default 0: none are used.
	EpochGrace time.Duration

	// MaxBytes is the most that a cookie's name and value may have together.
	// Default and maximum 4096, what browsers keep (RFC 6265bis, section 5.6).
	MaxBytes int
	// MaxChunks is over how many cookies a value may be split. Default 1,
	// maximum 4. Many servers refuse request headers over 8 KiB in all.
	MaxChunks int
	// Pad hides a value's length within steps of so many bytes, at most 1024.
	// Default: 64 with Compress, else none.
	Pad int
	// Compress deflates values. It is dangerous where a value has both a secret
	// and text that an attacker chooses, since then the length tells whether
	// the text is like the secret (CRIME, BREACH); Pad blunts that, no more.
	Compress bool
	// MaxInflated is the most bytes that a compressed value may have had.
	// Default 64 KiB. Larger ones are refused when set and a miss when read.
	MaxInflated int

	// SameSite is Lax by default; http.SameSiteDefaultMode is Lax too.
	SameSite http.SameSite
	// Partitioned keeps a cookie set within a frame apart for each top site.
	Partitioned bool
	// PlainHTTP is for development without TLS only: no __Host- prefix, not
	// Secure. Cookies of one mode are a miss in the other.
	PlainHTTP bool

	// Trace is told what happens; nil: nobody.
	Trace *Trace
}

const (
	prefix  = "__Host-"
	maxName = 128

	maxInflated = 64 << 10 // default of Config.MaxInflated
)

// newCore checks a Config and fills in what was left out.
func newCore[T any](cfg Config[T], signed bool) (*core, error) {
	if err := checkName(cfg.Name); err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) (*core, error) {
		return nil, fmt.Errorf("cookiecache: cookie %s: "+format, append([]any{cfg.Name}, args...)...)
	}
	if cfg.Keyring == nil || cfg.Keyring.cur.Load() == nil || cfg.Codec == nil {
		return fail("Config needs a Keyring with keys and a Codec")
	}
	c := &core{
		name: prefix + cfg.Name, bindTo: cfg.Bind, host: hostName(cfg.Host), epoch: cfg.Epoch, grace: cfg.EpochGrace,
		maxBytes: cfg.MaxBytes, maxChunks: cfg.MaxChunks, pad: cfg.Pad, compress: cfg.Compress, maxInflated: cfg.MaxInflated,
	}
	if cfg.PlainHTTP {
		c.name = cfg.Name
		if cfg.Partitioned || cfg.SameSite == http.SameSiteNoneMode {
			return fail("browsers take Partitioned and SameSite=None with Secure only, so not with PlainHTTP")
		}
	}
	c.names = chunkNames(c.name)
	if cfg.Trace != nil {
		c.trace = *cfg.Trace
	}
	if c.maxBytes == 0 {
		c.maxBytes = 4096
	}
	if c.maxBytes < len(c.name)+256 || c.maxBytes > 4096 {
		return fail("MaxBytes is %d, must be from %d (the name and 256) to 4096", c.maxBytes, len(c.name)+256)
	}
	if c.maxChunks == 0 {
		c.maxChunks = 1
	}
	if c.maxChunks < 1 || c.maxChunks > maxChunks {
		return fail("MaxChunks is %d, must be from 1 to %d", c.maxChunks, maxChunks)
	}
	if c.pad == 0 && c.compress {
		c.pad = 64
	}
	if c.pad < 0 || c.pad > 1024 {
		return fail("Pad is %d, must be from 0 to 1024", c.pad)
	}
	if c.maxInflated == 0 {
		c.maxInflated = maxInflated
	}
	if c.maxInflated < 0 {
		return fail("MaxInflated is negative")
	}
	if c.grace < 0 {
		return fail("EpochGrace is negative")
	}
	var err error
	if c.ages, err = cfg.Ages.withDefaults(); err != nil {
		return fail("%w", err)
	}
	if c.attrs, err = attributes(cfg.SameSite, !cfg.PlainHTTP, cfg.Partitioned); err != nil {
		return fail("%w", err)
	}
	c.vault, err = newVault(c.name, cfg.Keyring, signed)
	return c, err
}

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("cookiecache: the cookie's name has %d bytes, must be from 1 to %d", len(name), maxName)
	}
	for i := range len(name) {
		if !isTokenByte(name[i]) {
			return fmt.Errorf("cookiecache: cookie name %q: byte %d is not allowed", name, i+1)
		}
	}
	for _, p := range []string{"__Host-", "__Secure-", "__Http-", "__Host-Http-"} {
		if len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) {
			return fmt.Errorf("cookiecache: cookie name %q: leave out the prefix", name)
		}
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		return errors.New("cookiecache: a cookie's name must not end in a dot and a number: that is for chunks")
	}
	return nil
}

func isTokenByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}

// hostName is the host of a Host header in lower case, without port and final dot.
func hostName(h string) string {
	if i := strings.LastIndexByte(h, ':'); i >= 0 && strings.IndexByte(h[i:], ']') < 0 {
		if h[0] == '[' || strings.IndexByte(h[:i], ':') < 0 { // else a bare IPv6 address
			h = h[:i]
		}
	}
	return strings.ToLower(strings.TrimSuffix(h, "."))
}
