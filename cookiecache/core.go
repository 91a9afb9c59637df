package cookiecache

import (
	"fmt"
	"iter"
	"net/http"
	"time"
)

// core is all of a cookie that does not depend on the value's type. It is
// immutable but for the counters.
type core struct {
	name  string // as on the wire, with the prefix
	names [maxChunks]string
	attrs string // of Set-Cookie, after Max-Age
	vault *vault
	ages  Ages

	host   string // "": the request's
	bindTo func(*http.Request) []byte
	epoch  func(*http.Request) (uint32, error)
	grace  time.Duration

	maxBytes, maxChunks int
	pad                 int
	compress            bool
	maxInflated         int

	// readable reports whether the codec can decode the value.
	readable func([]byte) bool

	trace Trace
	count counters
}

func (c *core) binding(r *http.Request) Binding {
	b := Binding{Host: c.host}
	if b.Host == "" {
		b.Host = hostName(r.Host)
	}
	if c.bindTo != nil {
		b.Bind = c.bindTo(r)
	}
	return b
}

// epochNow is the epoch for the request's user, 0 without Config.Epoch.
func (c *core) epochNow(r *http.Request) (uint32, error) {
	if c.epoch == nil {
		return 0, nil
	}
	e, err := c.epoch(r)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrEpoch, err)
	}
	return e, nil
}

// found is a cookie of a request that is authentic and neither too old nor revoked.
type found struct {
	opened
	due bool
}

func (f *found) meta() Meta {
	return Meta{Issued: f.issued, Renewed: f.renewed, Epoch: f.epoch, KeyID: f.keyID, Chunks: f.chunks, Due: f.due}
}

// read finds the request's cookie. The letter is in the memory of s.
func (c *core) read(r *http.Request, s *scratch) (found, error) {
	var buf [maxDuplicates]string
	firsts := sentCookies(r.Header, c.name, buf[:0])
	if len(firsts) == 0 {
		return found{}, ErrAbsent
	}
	now := time.Now()
	s.bind(c.name, c.binding(r))
	var cause error
	for err := range c.candidates(r, firsts, s) {
		if err == nil {
			var f found
			if f, err = c.open(r, s, now); err == nil {
				return f, nil
			}
		}
		cause = further(cause, err)
	}
	return found{}, cause
}

// open opens the envelope whose base64 is in s.wire.
func (c *core) open(r *http.Request, s *scratch, now time.Time) (found, error) {
	var ok bool
	if s.raw, ok = decodeBase64(s.raw[:0], s.wire); !ok {
		return found{}, ErrTampered
	}
	o, err := c.vault.open(nil, s, now, true)
	if err != nil {
		return found{}, err
	}
	return c.judge(r, o, now)
}

// candidates yields, in s.wire, each value that the request's cookies may mean,
// or why some mean none. Several cookies of a name come from other hosts of the
// domain or were planted (cookie tossing): it takes a bounded number of them,
// and the reader uses one only if it is authentic.
func (c *core) candidates(r *http.Request, firsts []string, s *scratch) iter.Seq[error] {
	return func(yield func(error) bool) {
		left := maxAttempts
		for _, first := range firsts {
			if len(first) > c.maxBytes {
				if !yield(ErrTampered) {
					return
				}
				continue
			}
			n := chunksOf(first)
			rest, ok := c.continuations(r, first, n)
			if !ok {
				if !yield(ErrIncomplete) {
					return
				}
				continue
			}
			combinations := 1
			for _, values := range rest {
				combinations *= len(values)
			}
			for k := 0; k < combinations && left > 0; k++ {
				left--
				s.wire = append(s.wire[:0], first...)
				for digit, i := k, 0; i < len(rest); i++ {
					s.wire = append(s.wire, rest[i][digit%len(rest[i])]...)
					digit /= len(rest[i])
				}
				if !yield(nil) {
					return
				}
			}
		}
	}
}

// continuations returns, for each cookie after the first of n, the texts that
// are of the first's generation. It is not ok if there are none for one of them.
func (c *core) continuations(r *http.Request, first string, n int) (rest [][]string, ok bool) {
	if n == 1 {
		return nil, true
	}
	if n > c.maxChunks {
		return nil, false
	}
	gen := first[genAt : genAt+genSize]
	for _, name := range c.names[1:n] {
		var texts []string
		var buf [maxDuplicates]string
		for _, value := range sentCookies(r.Header, name, buf[:0]) {
			if len(value) <= c.maxBytes && len(value) > genSize && value[:genSize] == gen {
				texts = append(texts, value[genSize:])
			}
		}
		if len(texts) == 0 {
			return nil, false
		}
		rest = append(rest, texts)
	}
	return rest, true
}

// judge decides whether an authentic cookie is used: by age, then by epoch.
func (c *core) judge(r *http.Request, o opened, now time.Time) (found, error) {
	if err := c.ages.judge(now, o.issued, o.renewed); err != nil {
		return found{}, err
	}
	f := found{o, c.ages.due(now, o.renewed, o.oldKey)}
	if c.epoch == nil {
		return f, nil
	}
	least, err := c.epochNow(r)
	switch {
	case err != nil && c.grace > 0 && now.Sub(o.renewed) <= c.grace:
		// Renewing would let the grace begin anew at each visit.
		f.due = false
	case err != nil:
		return found{}, err
	case o.epoch < least:
		return found{}, ErrRevoked
	}
	return f, nil
}

// put seals the letter into h in place of what h had for this cookie, and
// removes chunks that the request had beyond it. On an error h is as it was.
func (c *core) put(h http.Header, r *http.Request, s *scratch, l *letter) (Meta, error) {
	b, id, err := c.vault.sealing(l.renewed)
	if err != nil {
		return Meta{}, err
	}
	n, err := fit(&c.names, c.maxBytes, c.maxChunks, l.wireSize(b))
	if err != nil {
		return Meta{}, err
	}
	s.bind(c.name, c.binding(r))
	if err := l.seal(s, b, id, n); err != nil {
		return Meta{}, err
	}
	dropCookies(h, c.names[:])
	maxAge := max(1, int(c.ages.keep(l.renewed, l.issued)/time.Second))
	for i, value := range cut(&c.names, c.maxBytes, n, encoding.EncodeToString(s.raw)) {
		h.Add("Set-Cookie", setCookie(c.names[i], value, maxAge, c.attrs))
	}
	c.removeChunks(h, r, n)
	keepPrivate(h)
	return Meta{Issued: l.issued, Renewed: l.renewed, Epoch: l.epoch, KeyID: id, Chunks: n}, nil
}

// removeChunks tells the browser to forget the request's chunks from n on.
func (c *core) removeChunks(h http.Header, r *http.Request, n int) {
	for _, name := range c.names[n:] {
		var buf [maxDuplicates]string
		if len(sentCookies(r.Header, name, buf[:0])) > 0 {
			h.Add("Set-Cookie", setCookie(name, "", 0, c.attrs))
		}
	}
}

// clear tells the browser to forget the cookie.
func (c *core) clear(h http.Header, r *http.Request) {
	dropCookies(h, c.names[:])
	h.Add("Set-Cookie", setCookie(c.name, "", 0, c.attrs))
	c.removeChunks(h, r, 1)
	keepPrivate(h)
}

// renew puts a found cookie into h with the present time, and sealed with the
// present key.
func (c *core) renew(h http.Header, r *http.Request, s *scratch, f *found) {
	l := f.letter
	s.body = append(s.body[:0], l.body...) // sealing uses the memory that it is in
	l.body = s.body
	l.renewed = time.Now()
	m, err := c.put(h, r, s, &l)
	if err != nil {
		c.count.failures.Add(1)
		c.failed(r.Context(), err)
		return
	}
	c.wrote(r.Context(), m, true)
}
