package cookiecache_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// dueCookie returns a cookie that is due at every visit, and a browser with it.
func dueCookie(t *testing.T) (*cookiecache.Cookie[nav], browser) {
	t.Helper()
	c := mustNew(t, cookiecache.Config[nav]{PlainHTTP: true, Host: "test", Ages: cookiecache.Ages{RenewAfter: 1}})
	b := browser{}
	set(t, b, c, someNav)
	return c, b
}

// serve sends a request with the browser's cookies through the middleware on a
// real server.
func serve(t *testing.T, c *cookiecache.Cookie[nav], b browser, method string, h http.HandlerFunc) *http.Response {
	t.Helper()
	srv := httptest.NewServer(c.Middleware(h))
	t.Cleanup(srv.Close)
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = b.request().Header
	req.Header.Set("If-None-Match", `"x"`)
	resp, err := srv.Client().Transport.RoundTrip(req) // follows no redirects
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() }) // read by then or not wanted
	return resp
}

func TestMiddlewareRenewsBeforeTheHeaderIsWritten(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"writes nothing":   func(w http.ResponseWriter, r *http.Request) {},
		"writes the body":  func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("x")) },
		"writes a string":  func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "x") },
		"copies":           func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, strings.NewReader("x")) },
		"writes a header":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"not modified":     func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"fails":            func(w http.ResponseWriter, r *http.Request) { http.Error(w, "down", http.StatusInternalServerError) },
		"redirects":        func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusSeeOther) },
		"flushes":          func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() },
		"by a controller":  func(w http.ResponseWriter, r *http.Request) { _ = http.NewResponseController(w).Flush() },
		"reads the cookie": nil,
		"informs first": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
		},
		"serves content": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"x"`)
			http.ServeContent(w, r, "x.txt", time.Now(), strings.NewReader("content"))
		},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				c, b := dueCookie(t)
				h := h
				if h == nil {
					h = func(w http.ResponseWriter, r *http.Request) {
						if _, m, err := c.Get(r); err != nil || !m.Due {
							t.Errorf("Get: %+v, %v", m, err)
						}
					}
				}
				before := b["nav"]
				resp := serve(t, c, b, method, h)
				if got := b.take(resp.Header); got != 1 || b["nav"] == before {
					t.Fatalf("%d cookies were set", got)
				}
				if resp.Header.Get("Cache-Control") != "private" || resp.Header.Get("Vary") != "Cookie" {
					t.Errorf("header %v", resp.Header)
				}
				if _, _, err := c.Get(b.request()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestMiddlewareStreams(t *testing.T) {
	c, b := dueCookie(t)
	next := make(chan string)
	defer close(next)
	resp := serve(t, c, b, "GET", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		for s := range next {
			_, _ = io.WriteString(w, s)
			w.(http.Flusher).Flush()
		}
	}) // returns with the header, while the handler goes on
	if b.take(resp.Header) != 1 {
		t.Errorf("header %v", resp.Header)
	}
	for _, want := range []string{"one", "two"} {
		next <- want
		got := make([]byte, 3)
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
			t.Fatalf("streamed %q, %v; want %q", got, err, want)
		}
	}
}

func TestMiddlewareLeavesOtherResponsesAlone(t *testing.T) {
	c := mustNew(t, cookiecache.Config[nav]{PlainHTTP: true, Host: "test"})
	young := browser{}
	set(t, young, c, someNav)
	cached := func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Cache-Control", "public, max-age=60") }
	for name, b := range map[string]browser{"young cookie": young, "no cookie": {}, "forged": {"nav": "forged"}} {
		resp := serve(t, c, b, "GET", cached)
		if resp.Header.Get("Cache-Control") != "public, max-age=60" || resp.Header.Get("Vary") != "" || len(resp.Cookies()) != 0 {
			t.Errorf("%s: header %v", name, resp.Header)
		}
	}
}

func TestMiddlewareRespectsWhatTheHandlerDid(t *testing.T) {
	c, b := dueCookie(t)
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		want string // user's name afterwards; "" for none
	}{
		"set": {func(w http.ResponseWriter, r *http.Request) {
			if err := c.Set(w, r, nav{Name: "set"}); err != nil {
				t.Error(err)
			}
			w.Header().Set("Cache-Control", "public, max-age=1") // too late a thought
		}, "set"},
		"cleared": {func(w http.ResponseWriter, r *http.Request) {
			if err := c.Clear(w, r); err != nil {
				t.Error(err)
			}
		}, ""},
		"loaded": {func(w http.ResponseWriter, r *http.Request) {
			if _, err := c.Load(w, r, nil); err != nil {
				t.Error(err)
			}
		}, someNav.Name},
	} {
		b := browser{"nav": b["nav"]}
		resp := serve(t, c, b, "GET", tt.h)
		if n := b.take(resp.Header); n != 1 {
			t.Errorf("%s: %d cookies", name, n)
		}
		if v, _, _ := c.Get(b.request()); v.Name != tt.want {
			t.Errorf("%s: the browser has %q", name, v.Name)
		}
		if got := resp.Header.Get("Cache-Control"); !strings.HasSuffix(got, "private") || strings.Contains(got, "public") {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
	}
}

func TestMiddlewareDoesNotRenewWhatTheCodecCannotRead(t *testing.T) {
	ring := oneKey()
	old := newWith(t, cookiecache.Config[string]{Keyring: ring, PlainHTTP: true, Host: "test", Codec: cookiecache.JSON[string](7)})
	c := mustNew(t, cookiecache.Config[nav]{Keyring: ring, PlainHTTP: true, Host: "test", Ages: cookiecache.Ages{RenewAfter: 1}})
	b := browser{}
	set(t, b, old, "old schema")
	if resp := serve(t, c, b, "GET", func(http.ResponseWriter, *http.Request) {}); len(resp.Cookies()) != 0 {
		t.Errorf("renewed: %v", resp.Header)
	}
}

func TestSettingAfterTheHeaderIsAnError(t *testing.T) {
	c, b := dueCookie(t)
	outer := mustNew(t, cookiecache.Config[nav]{Name: "outer", PlainHTTP: true, Host: "test"})
	var failed []error
	other := mustNew(t, cookiecache.Config[nav]{Name: "other", Trace: &cookiecache.Trace{
		Failed: func(_ context.Context, _ string, err error) { failed = append(failed, err) }}})
	for name, begin := range map[string]func(w http.ResponseWriter){
		"body":    func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") },
		"header":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"flush":   func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"upgrade": func(w http.ResponseWriter) { w.WriteHeader(http.StatusSwitchingProtocols) },
	} {
		failed = nil
		h := c.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := c.Set(w, r, someNav); err != nil {
				t.Errorf("%s: before: %v", name, err)
			}
			begin(w)
			wrapped := struct{ http.ResponseWriter }{w} // which hides ours, as some do
			if err := c.Set(w, r, someNav); !errors.Is(err, cookiecache.ErrHeaderWritten) {
				t.Errorf("%s: Set = %v", name, err)
			}
			if err := other.Set(unwrapper{wrapped, w}, r, someNav); !errors.Is(err, cookiecache.ErrHeaderWritten) {
				t.Errorf("%s: Set of another cookie, through another middleware = %v", name, err)
			}
			if err := c.Clear(w, r); !errors.Is(err, cookiecache.ErrHeaderWritten) {
				t.Errorf("%s: Clear = %v", name, err)
			}
			v, err := other.Load(w, r, func(context.Context) (nav, error) { return someNav, nil })
			if err != nil || v.User != someNav.User || len(failed) != 1 || !errors.Is(failed[0], cookiecache.ErrHeaderWritten) {
				t.Errorf("%s: Load = %+v, %v, failed %v", name, v, err, failed)
			}
		}))
		outer.Middleware(h).ServeHTTP(httptest.NewRecorder(), b.request())
	}
}

// unwrapper is another middleware's writer.
type unwrapper struct {
	http.ResponseWriter
	inner http.ResponseWriter
}

func (u unwrapper) Unwrap() http.ResponseWriter { return u.inner }

func TestDueRenewalAfterTheHeaderIsReported(t *testing.T) {
	var failed error
	c := mustNew(t, cookiecache.Config[nav]{Ages: cookiecache.Ages{RenewAfter: 1}, Trace: &cookiecache.Trace{
		Failed: func(_ context.Context, _ string, err error) { failed = err }}})
	outer := mustNew(t, cookiecache.Config[nav]{Name: "outer"})
	b := browser{}
	set(t, b, c, someNav)
	outer.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		if v, err := c.Load(w, r, nil); err != nil || v.User != someNav.User {
			t.Errorf("Load = %+v, %v", v, err)
		}
	})).ServeHTTP(httptest.NewRecorder(), b.request())
	if !errors.Is(failed, cookiecache.ErrHeaderWritten) {
		t.Errorf("Failed was told %v", failed)
	}
}

func TestHijackedConnectionSetsNoCookie(t *testing.T) {
	c, b := dueCookie(t)
	resp := serve(t, c, b, "GET", func(w http.ResponseWriter, r *http.Request) {
		var conn net.Conn
		var rw *bufio.ReadWriter
		var err error
		if conn, rw, err = w.(http.Hijacker).Hijack(); err != nil {
			t.Error(err)
			return
		}
		if err := c.Set(w, r, someNav); !errors.Is(err, cookiecache.ErrHeaderWritten) {
			t.Errorf("Set = %v", err)
		}
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_ = rw.Flush()
		_ = conn.Close()
	})
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 0 {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
}

func TestServerAbilitiesShowThroughTheMiddleware(t *testing.T) {
	c, b := dueCookie(t)
	serve(t, c, b, "GET", func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		for what, err := range map[string]error{
			"SetReadDeadline":  rc.SetReadDeadline(time.Now().Add(time.Minute)),
			"SetWriteDeadline": rc.SetWriteDeadline(time.Now().Add(time.Minute)),
			"EnableFullDuplex": rc.EnableFullDuplex(),
			"Flush":            rc.Flush(),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := w.(http.Pusher).Push("/style.css", nil); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Push over HTTP/1.1: %v", err)
		}
	})
	c.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.Flush(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Flush of a server that cannot: %v", err)
		}
		if _, _, err := rc.Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack of a server that cannot: %v", err)
		}
	})).ServeHTTP(discard{http.Header{}}, b.request())
}

func TestInformationalResponseIsNotTheLastWord(t *testing.T) {
	c, b := dueCookie(t)
	srv := httptest.NewServer(c.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		if err := c.Set(w, r, nav{Name: "after the hints"}); err != nil {
			t.Error(err)
		}
	})))
	defer srv.Close()
	early := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			early++
			if len(h["Set-Cookie"]) != 0 {
				return fmt.Errorf("%d with %v", code, h)
			}
			return nil
		}})
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = b.request().Header
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b.take(resp.Header)
	if v, _, err := c.Get(b.request()); early != 1 || err != nil || v.Name != "after the hints" {
		t.Errorf("%d early responses; Get = %+v, %v", early, v, err)
	}
}

func TestPanicOfTheHandlerGoesOn(t *testing.T) {
	c, b := dueCookie(t)
	w := discard{http.Header{}}
	defer func() {
		if recover() != http.ErrAbortHandler || len(w.h) != 0 {
			t.Errorf("header %v", w.h)
		}
	}()
	c.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).ServeHTTP(w, b.request())
}
