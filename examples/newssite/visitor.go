package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/cookiecache"
)

// visitors knows who is there and how they want their navigation, by two sealed
// cookies: nothing on the server is asked for either.
type visitors struct {
	identity   *cookiecache.Cookie[user]
	navigation *cookiecache.Cookie[prefs]
	useCookie  bool // for the navigation: a cache, so -cache=off turns it off
}

// secretVariable names the environment variable with the cookies' secret, which
// all processes of one site share. Without it one is made up at each start, and
// a restart logs everybody out.
const secretVariable = "NEWSSITE_COOKIE_SECRET"

func newVisitors(useCookie bool) (*visitors, error) {
	secret := []byte(os.Getenv(secretVariable))
	if len(secret) == 0 {
		secret = make([]byte, 32)
		if _, err := rand.Read(secret); err != nil {
			return nil, err
		}
	}
	keyring, err := cookiecache.NewKeyring(cookiecache.Key{ID: 1, Secret: secret})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", secretVariable, err)
	}
	v := &visitors{useCookie: useCookie}
	ages := cookiecache.Ages{MaxIdle: 7 * 24 * time.Hour, MaxAge: 30 * 24 * time.Hour}
	identityCodec, err1 := cookiecache.Binary[user](1)
	prefsCodec, err2 := cookiecache.Binary[prefs](1)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	v.identity, err1 = cookiecache.New(cookiecache.Config[user]{
		Name: "id", Keyring: keyring, Codec: identityCodec, Ages: ages,
		PlainHTTP: true, // the site is for a laptop; leave this out behind TLS
	})
	// The navigation belongs to one user: with another user's identity, or
	// without one, the cookie is a miss. A change shows at once in the browser
	// that made it, and in the user's other ones when their cookies end.
	v.navigation, err2 = cookiecache.New(cookiecache.Config[prefs]{
		Name: "nav", Keyring: keyring, Codec: prefsCodec, Ages: ages, PlainHTTP: true,
		Bind: func(r *http.Request) []byte {
			u := who(r)
			if u == nil {
				return nil
			}
			return strconv.AppendInt(nil, int64(u.ID), 10)
		},
	})
	return v, errors.Join(err1, err2)
}

type visitorKey struct{}

// who returns the user who is logged in, or nil.
func who(r *http.Request) *user {
	u, _ := r.Context().Value(visitorKey{}).(*user)
	return u
}

// known lets next know who is there, and renews the cookie that says so.
func (v *visitors) known(next http.Handler) http.Handler {
	return v.identity.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, _, err := v.identity.Get(r); err == nil {
			r = as(r, &u)
		}
		next.ServeHTTP(w, r)
	}))
}

// as returns r as a request of u.
func as(r *http.Request, u *user) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, u))
}

// prefs returns the visitor's navigation: the cookie's if there is one, else
// the node's, which then becomes the cookie's.
func (v *visitors) prefs(w http.ResponseWriter, r *http.Request, n *node) (prefs, part, error) {
	u := who(r)
	if u == nil {
		return defaultPrefs(), part{Name: "navigation", From: "defaults"}, nil
	}
	from := part{Name: "navigation", From: "cookie"}
	load := func(ctx context.Context) (p prefs, err error) {
		p, from, err = ask(ctx, n.navigation, u.ID, "navigation")
		return p, err
	}
	if !v.useCookie {
		p, err := load(r.Context())
		return p, from, err
	}
	p, err := v.navigation.Load(w, r, load)
	return p, from, err
}

// setPrefs gives the visitor's browser a navigation that was just stored.
func (v *visitors) setPrefs(w http.ResponseWriter, r *http.Request, p prefs) error {
	if !v.useCookie {
		return nil
	}
	return v.navigation.Set(w, r, p)
}
