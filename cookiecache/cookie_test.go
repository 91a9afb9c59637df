package cookiecache_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

func TestLoadAsksTheSourceOnlyOnAMiss(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	b := browser{}
	v, loaded, cookies := visit(t, b, c, someNav)
	if !loaded || cookies != 1 || !reflect.DeepEqual(v, someNav) {
		t.Fatalf("first visit: loaded %v, %d cookies, %+v", loaded, cookies, v)
	}
	for range 5 {
		v, loaded, cookies = visit(t, b, c, nav{})
		if loaded || cookies != 0 || !reflect.DeepEqual(v, someNav) {
			t.Fatalf("next visit: loaded %v, %d cookies, %+v", loaded, cookies, v)
		}
	}
	want := cookiecache.Stats{Hits: 5, Absent: 1, Sets: 1}
	if got := c.Stats(); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}

func TestLoadersErrorIsReturnedAndNothingIsSet(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	w, down := discard{http.Header{}}, errors.New("database is down")
	_, err := c.Load(w, browser{}.request(), func(context.Context) (nav, error) { return someNav, down })
	if !errors.Is(err, down) || len(w.h) != 0 {
		t.Errorf("Load = %v, header %v", err, w.h)
	}
}

func TestLoaderGetsTheRequestsContext(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	type key struct{}
	r := browser{}.request()
	r = r.WithContext(context.WithValue(r.Context(), key{}, "request"))
	_, err := c.Load(discard{http.Header{}}, r, func(ctx context.Context) (nav, error) {
		if ctx.Value(key{}) != "request" {
			t.Error("another context")
		}
		return nav{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCookieThatCannotBeSetDoesNotFailThePage(t *testing.T) {
	var told error
	c := newWith(t, cookiecache.Config[string]{Trace: &cookiecache.Trace{
		Failed: func(_ context.Context, name string, err error) { told = err },
	}})
	w, large := discard{http.Header{}}, strings.Repeat("x", 5000)
	v, err := c.Load(w, browser{}.request(), func(context.Context) (string, error) { return large, nil })
	if err != nil || v != large || len(w.h) != 0 {
		t.Errorf("Load = %d bytes, %v, header %v", len(v), err, w.h)
	}
	if e, ok := errors.AsType[*cookiecache.TooLargeError](told); !ok || e.Have != 4096 || e.Need <= 5000 {
		t.Errorf("Trace.Failed was told %v", told)
	}
	if s := c.Stats(); s.Failures != 1 || s.Sets != 0 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestAttributesAreSafeByDefault(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name       string
		cfg        cookiecache.Config[nav]
		begin, end string
	}{
		{"default", cookiecache.Config[nav]{}, "__Host-nav=", "; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"strict", cookiecache.Config[nav]{SameSite: http.SameSiteStrictMode}, "__Host-nav=", "; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{"default mode is Lax", cookiecache.Config[nav]{SameSite: http.SameSiteDefaultMode}, "__Host-nav=", "; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"within frames", cookiecache.Config[nav]{SameSite: http.SameSiteNoneMode, Partitioned: true}, "__Host-nav=", "; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"},
		{"development", cookiecache.Config[nav]{PlainHTTP: true}, "nav=", "; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"},
		{"at most 400 days", cookiecache.Config[nav]{Ages: cookiecache.Ages{MaxIdle: 500 * day, MaxAge: 500 * day}}, "__Host-nav=", "; Max-Age=34560000; Path=/; HttpOnly; Secure; SameSite=Lax"},
	} {
		h := set(t, browser{}, mustNew(t, tt.cfg), someNav)
		lines := h.Values("Set-Cookie")
		if len(lines) != 1 || !strings.HasPrefix(lines[0], tt.begin) || !strings.HasSuffix(lines[0], tt.end) {
			t.Errorf("%s: %q", tt.name, lines)
		}
		// net/http reads the line as it was meant, without dropping anything.
		ck, err := http.ParseSetCookie(lines[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := ck.Valid(); err != nil || ck.Path != "/" || ck.Domain != "" || !ck.HttpOnly || len(ck.Unparsed) != 0 {
			t.Errorf("%s: net/http reads %+v, %v", tt.name, ck, err)
		}
		if !strings.HasPrefix(lines[0], ck.Name+"="+ck.Value+";") {
			t.Errorf("%s: net/http reads %s=%s", tt.name, ck.Name, ck.Value)
		}
	}
}

func TestConfigThatMakesNoSenseIsRefused(t *testing.T) {
	ok := cookiecache.Config[nav]{Name: "nav", Keyring: oneKey(), Codec: binaryNav}
	if _, err := cookiecache.New(ok); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*cookiecache.Config[nav]){
		"no name":             func(c *cookiecache.Config[nav]) { c.Name = "" },
		"injection":           func(c *cookiecache.Config[nav]) { c.Name = "a=b; Domain=evil.example" },
		"line end":            func(c *cookiecache.Config[nav]) { c.Name = "a\r\nSet-Cookie:x" },
		"not ASCII":           func(c *cookiecache.Config[nav]) { c.Name = "näv" },
		"long name":           func(c *cookiecache.Config[nav]) { c.Name = strings.Repeat("x", 129) },
		"prefix":              func(c *cookiecache.Config[nav]) { c.Name = "__host-nav" },
		"other prefix":        func(c *cookiecache.Config[nav]) { c.Name = "__Secure-nav" },
		"like a chunk":        func(c *cookiecache.Config[nav]) { c.Name = "nav.1" },
		"no key ring":         func(c *cookiecache.Config[nav]) { c.Keyring = nil },
		"no keys":             func(c *cookiecache.Config[nav]) { c.Keyring = new(cookiecache.Keyring) },
		"no codec":            func(c *cookiecache.Config[nav]) { c.Codec = nil },
		"ages":                func(c *cookiecache.Config[nav]) { c.Ages.MaxAge = -1 },
		"too many bytes":      func(c *cookiecache.Config[nav]) { c.MaxBytes = 4097 },
		"too few bytes":       func(c *cookiecache.Config[nav]) { c.MaxBytes = 100 },
		"too many chunks":     func(c *cookiecache.Config[nav]) { c.MaxChunks = 5 },
		"negative chunks":     func(c *cookiecache.Config[nav]) { c.MaxChunks = -1 },
		"negative pad":        func(c *cookiecache.Config[nav]) { c.Pad = -1 },
		"large pad":           func(c *cookiecache.Config[nav]) { c.Pad = 1025 },
		"negative inflation":  func(c *cookiecache.Config[nav]) { c.MaxInflated = -1 },
		"negative grace":      func(c *cookiecache.Config[nav]) { c.EpochGrace = -1 },
		"unknown SameSite":    func(c *cookiecache.Config[nav]) { c.SameSite = 99 },
		"insecure frames":     func(c *cookiecache.Config[nav]) { c.PlainHTTP, c.Partitioned = true, true },
		"insecure cross-site": func(c *cookiecache.Config[nav]) { c.PlainHTTP, c.SameSite = true, http.SameSiteNoneMode },
	} {
		cfg := ok
		change(&cfg)
		if _, err := cookiecache.New(cfg); err == nil || !strings.HasPrefix(err.Error(), "cookiecache: ") {
			t.Errorf("%s: New = %v", name, err)
		}
		if _, err := cookiecache.NewSigned(cfg); err == nil {
			t.Errorf("%s: NewSigned accepted it", name)
		}
	}
}

func TestIdleLimitIsKeptToTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, cookiecache.Config[nav]{Ages: cookiecache.Ages{MaxIdle: time.Hour, MaxAge: 10 * time.Hour, RenewAfter: -1}})
		b := browser{}
		set(t, b, c, someNav)
		time.Sleep(time.Hour)
		if _, _, err := c.Get(b.request()); err != nil {
			t.Errorf("after MaxIdle: %v", err)
		}
		time.Sleep(time.Second)
		if _, _, err := c.Get(b.request()); !errors.Is(err, cookiecache.ErrIdle) || !errors.Is(err, cookiecache.ErrMiss) {
			t.Errorf("a second later: %v", err)
		}
	})
}

func TestRenewalsDoNotExtendTheAbsoluteAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, cookiecache.Config[nav]{Ages: cookiecache.Ages{MaxIdle: time.Hour, MaxAge: 10 * time.Hour}})
		b := browser{}
		visit(t, b, c, someNav)
		renewals := 0
		for range 20 {
			time.Sleep(30 * time.Minute)
			_, loaded, cookies := visit(t, b, c, nav{})
			if loaded {
				t.Fatal("loaded before MaxAge")
			}
			renewals += cookies
		}
		if renewals != 20 {
			t.Errorf("%d renewals in 20 visits", renewals)
		}
		time.Sleep(time.Second)
		if _, _, err := c.Get(b.request()); !errors.Is(err, cookiecache.ErrExpired) {
			t.Errorf("after MaxAge: %v", err)
		}
		if _, loaded, _ := visit(t, b, c, someNav); !loaded {
			t.Error("not loaded anew after MaxAge")
		}
		if _, m, err := c.Get(b.request()); err != nil || !m.Issued.Equal(m.Renewed) || time.Since(m.Issued) >= time.Second {
			t.Errorf("the new cookie: %+v, %v", m, err)
		}
	})
}

func TestRenewalTellsTheBrowserTheTimeThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, cookiecache.Config[nav]{Ages: cookiecache.Ages{MaxIdle: time.Hour, MaxAge: 90 * time.Minute}})
		b := browser{}
		visit(t, b, c, someNav)
		time.Sleep(50 * time.Minute)
		w := discard{http.Header{}}
		if _, err := c.Load(w, b.request(), nil); err != nil {
			t.Fatal(err)
		}
		if line := w.h.Get("Set-Cookie"); !strings.Contains(line, "; Max-Age=2400;") {
			t.Errorf("with 40 minutes left: %q", line)
		}
	})
}

func TestAThousandVisitsInASecondSetOneCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustNew(t, cookiecache.Config[nav]{Ages: cookiecache.Ages{MaxIdle: time.Hour, MaxAge: 24 * time.Hour}})
		b := browser{}
		visit(t, b, c, someNav)
		_, before, err := c.Get(b.request())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Minute)
		cookies := 0
		for range 1000 {
			_, loaded, n := visit(t, b, c, nav{})
			if loaded {
				t.Fatal("loaded")
			}
			cookies += n
			time.Sleep(time.Millisecond)
		}
		if cookies != 1 {
			t.Errorf("%d cookies were set, want 1", cookies)
		}
		_, after, err := c.Get(b.request())
		if err != nil || !after.Issued.Equal(before.Issued) || after.Renewed.Sub(before.Renewed) != 7*time.Minute {
			t.Errorf("renewed from %+v to %+v, %v", before, after, err)
		}
	})
}

func TestCookiesFromTheFutureAreAMissBeyondTheSkew(t *testing.T) {
	// The clock of a bubble starts at the same moment in each: cookies travel
	// back in time from one bubble to the next.
	ring := oneKey()
	at := func(d time.Duration) browser {
		b := browser{}
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(2*time.Hour + d)
			set(t, b, mustNew(t, cookiecache.Config[nav]{Keyring: ring}), someNav)
		})
		return b
	}
	for _, tt := range []struct {
		ahead time.Duration
		skew  time.Duration
		want  error
	}{
		{0, 0, nil},
		{30 * time.Second, 0, nil},
		{31 * time.Second, 0, cookiecache.ErrFuture},
		{time.Hour, 0, cookiecache.ErrFuture}, // the clock was set back
		{time.Hour, 2 * time.Hour, nil},
		{time.Second, -1, cookiecache.ErrFuture},
	} {
		b := at(tt.ahead)
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(2 * time.Hour)
			c := mustNew(t, cookiecache.Config[nav]{Keyring: ring, Ages: cookiecache.Ages{Skew: tt.skew}})
			if _, _, err := c.Get(b.request()); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%v ahead, skew %v: %v, want %v", tt.ahead, tt.skew, err, tt.want)
			}
		})
	}
}

func TestSettingTwiceSendsOneCookie(t *testing.T) {
	c := newWith(t, cookiecache.Config[string]{MaxChunks: 4})
	w := discard{http.Header{}}
	w.h.Add("Set-Cookie", "other=1; Path=/")
	w.h.Add("Set-Cookie", "__Host-navigator=1; Path=/")
	r := browser{}.request()
	for _, v := range []string{strings.Repeat("long", 2000), "short"} {
		if err := c.Set(w, r, v); err != nil {
			t.Fatal(err)
		}
	}
	lines := w.h.Values("Set-Cookie")
	if len(lines) != 3 || lines[0] != "other=1; Path=/" || lines[1] != "__Host-navigator=1; Path=/" {
		t.Fatalf("Set-Cookie: %q", lines)
	}
	b := browser{}
	b.take(w.h)
	if v, _, err := c.Get(b.request()); err != nil || v != "short" {
		t.Errorf("Get = %q, %v", v, err)
	}
}

func TestClearRemovesTheCookie(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	b := browser{"other": "1"}
	set(t, b, c, someNav)
	w := discard{http.Header{}}
	if err := c.Set(w, b.request(), someNav); err != nil {
		t.Fatal(err)
	}
	if err := c.Clear(w, b.request()); err != nil {
		t.Fatal(err)
	}
	if got := w.h.Values("Set-Cookie"); len(got) != 1 || got[0] != "__Host-nav=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax" {
		t.Errorf("Set-Cookie: %q", got)
	}
	b.take(w.h)
	if len(b) != 1 {
		t.Errorf("the browser still has %v", b)
	}
}

func TestResponseThatSetsACookieIsPrivate(t *testing.T) {
	for _, tt := range []struct {
		control, want []string
		vary, varies  []string
	}{
		{nil, []string{"private"}, nil, []string{"Cookie"}},
		{[]string{"max-age=60"}, []string{"max-age=60, private"}, []string{"Accept"}, []string{"Accept", "Cookie"}},
		{[]string{"public, max-age=60, s-maxage=600"}, []string{"max-age=60, private"}, []string{"accept, cookie"}, []string{"accept, cookie"}},
		{[]string{"Public", "must-revalidate"}, []string{"must-revalidate, private"}, []string{"*"}, []string{"*"}},
		{[]string{"private, max-age=5"}, []string{"private, max-age=5"}, nil, []string{"Cookie"}},
		{[]string{"no-store"}, []string{"no-store"}, nil, []string{"Cookie"}},
		{[]string{`private="Set-Cookie, X", x="a,public"`}, []string{`x="a,public", private`}, nil, []string{"Cookie"}},
		{[]string{`max-age=1, x="unfinished \`}, []string{"max-age=1, private"}, nil, []string{"Cookie"}},
		{[]string{"no-cache"}, []string{"no-cache, private"}, nil, []string{"Cookie"}},
	} {
		w := discard{http.Header{}}
		for _, v := range tt.control {
			w.h.Add("Cache-Control", v)
		}
		for _, v := range tt.vary {
			w.h.Add("Vary", v)
		}
		if err := mustNew(t, cookiecache.Config[nav]{}).Set(w, browser{}.request(), someNav); err != nil {
			t.Fatal(err)
		}
		if got := w.h.Values("Cache-Control"); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Cache-Control %q became %q, want %q", tt.control, got, tt.want)
		}
		if got := w.h.Values("Vary"); !reflect.DeepEqual(got, tt.varies) {
			t.Errorf("Vary %q became %q, want %q", tt.vary, got, tt.varies)
		}
	}
}

func TestHitThatIsNotDueLeavesTheHeaderAlone(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{})
	b := browser{}
	set(t, b, c, someNav)
	w := discard{http.Header{"Cache-Control": {"public"}}}
	if _, err := c.Load(w, b.request(), nil); err != nil || len(w.h) != 1 || w.h.Get("Cache-Control") != "public" {
		t.Errorf("Load: %v, header %v", err, w.h)
	}
}

func TestSchemaOfAnotherVersionIsAMiss(t *testing.T) {
	type v1 struct{ Name string }
	type v2 struct {
		ID   int
		Name string
	}
	ring := oneKey()
	one := newWith(t, cookiecache.Config[v1]{Keyring: ring, Codec: must(cookiecache.Binary[v1](1))})
	two := newWith(t, cookiecache.Config[v2]{Keyring: ring, Codec: must(cookiecache.Binary[v2](2))})
	json2 := newWith(t, cookiecache.Config[v2]{Keyring: ring, Codec: cookiecache.JSON[v2](2)})
	b := browser{}
	set(t, b, one, v1{"old"})
	if v, _, err := two.Get(b.request()); !errors.Is(err, cookiecache.ErrSchema) || v != (v2{}) {
		t.Errorf("the new program reads %+v, %v", v, err)
	}
	set(t, b, two, v2{7, "new"})
	if v, _, err := one.Get(b.request()); !errors.Is(err, cookiecache.ErrSchema) || v != (v1{}) {
		t.Errorf("after going back: %+v, %v", v, err)
	}
	if v, _, err := json2.Get(b.request()); !errors.Is(err, cookiecache.ErrSchema) || v != (v2{}) {
		t.Errorf("the same number in another codec: %+v, %v", v, err)
	}
	if s := one.Stats(); s.Schema != 1 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestTraceSeesWhatHappens(t *testing.T) {
	var seen []string
	c := newWith(t, cookiecache.Config[string]{Trace: &cookiecache.Trace{
		Hit:  func(_ context.Context, name string, m cookiecache.Meta) { seen = append(seen, "hit "+name) },
		Miss: func(_ context.Context, name string, cause error) { seen = append(seen, cause.Error()) },
		Set: func(_ context.Context, name string, m cookiecache.Meta, renewed bool) {
			seen = append(seen, "set "+name)
		},
	}})
	b := browser{}
	visit(t, b, c, "x")
	visit(t, b, c, "x")
	b["__Host-nav"] += "x"
	_, _, _ = c.Get(b.request()) // the trace is what counts here
	want := []string{"cookiecache: miss: no such cookie", "set __Host-nav", "hit __Host-nav", "cookiecache: miss: not authentic"}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("seen %q, want %q", seen, want)
	}
}

func TestClockOutsideTheFormatIsAnError(t *testing.T) {
	s := must(cookiecache.NewSealer("nav", oneKey(), cookiecache.Ages{}))
	for _, at := range []time.Time{time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2136, 2, 8, 0, 0, 0, 0, time.UTC)} {
		if _, err := s.AppendSeal(nil, nil, cookiecache.Binding{}, cookiecache.Meta{Issued: at}); !errors.Is(err, cookiecache.ErrClock) {
			t.Errorf("issued %v: %v", at, err)
		}
	}
}

func TestRecorderShowsTheCookie(t *testing.T) {
	// httptest.ResponseRecorder and net/http agree with the header we write.
	c := mustNew(t, cookiecache.Config[nav]{})
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://www.example.com/", nil)
	if err := c.Set(rec, r, someNav); err != nil {
		t.Fatal(err)
	}
	for _, ck := range rec.Result().Cookies() {
		r.AddCookie(ck)
	}
	if v, _, err := c.Get(r); err != nil || !reflect.DeepEqual(v, someNav) {
		t.Errorf("Get = %+v, %v", v, err)
	}
}
