package cookiecache

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// sentCookies returns the values of the request's cookies of this name, at most
// maxDuplicates, in the memory of buf. Whether they consist of legal characters
// is left to decodeBase64, so this takes a fraction of the time and none of the
// memory of [http.Request.CookiesNamed].
func sentCookies(h http.Header, name string, buf []string) []string {
	for _, line := range h["Cookie"] {
		for line != "" && len(buf) < maxDuplicates {
			var part string
			part, line, _ = strings.Cut(line, ";")
			part = strings.Trim(part, " \t")
			if len(part) > len(name) && part[len(name)] == '=' && part[:len(name)] == name {
				buf = append(buf, part[len(name)+1:])
			}
		}
	}
	return buf
}

// attributes returns the part of a Set-Cookie line after Max-Age.
func attributes(site http.SameSite, secure, partitioned bool) (string, error) {
	a := "; Path=/; HttpOnly"
	if secure {
		a += "; Secure"
	}
	switch site {
	case 0, http.SameSiteDefaultMode, http.SameSiteLaxMode:
		a += "; SameSite=Lax"
	case http.SameSiteStrictMode:
		a += "; SameSite=Strict"
	case http.SameSiteNoneMode:
		a += "; SameSite=None"
	default:
		return "", errors.New("unknown SameSite")
	}
	if partitioned {
		a += "; Partitioned"
	}
	return a, nil
}

// setCookie is a Set-Cookie line; a maxAge of 0 s removes the cookie. name is a
// token and value base64, so nothing needs quoting, and nothing can be dropped
// silently as [http.Cookie.String] does.
func setCookie(name, value string, maxAge int, attrs string) string {
	return name + "=" + value + "; Max-Age=" + strconv.Itoa(maxAge) + attrs
}

// cookieName is the name in a Set-Cookie line.
func cookieName(line string) string {
	name, _, _ := strings.Cut(line, "=")
	return strings.TrimSpace(name)
}

// dropCookies removes the Set-Cookie lines of these names: a browser may take
// either of two (RFC 6265, section 4.1.1 forbids them).
func dropCookies(h http.Header, names []string) {
	lines := h["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return slices.Contains(names, cookieName(line))
	})
	if len(lines) == 0 {
		h.Del("Set-Cookie")
		return
	}
	h["Set-Cookie"] = lines
}

// setsCookie reports whether h sets or removes the cookie.
func setsCookie(h http.Header, name string) bool {
	return slices.ContainsFunc(h["Set-Cookie"], func(line string) bool { return cookieName(line) == name })
}

// keepPrivate forbids shared caches to store a response that sets a cookie,
// unless it already says so, and says that it depends on cookies.
func keepPrivate(h http.Header) {
	if now := h.Values("Cache-Control"); len(now) != 1 || privateControl(now) != now[0] {
		h.Set("Cache-Control", privateControl(now))
	}
	for _, v := range h.Values("Vary") {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.EqualFold(part, "Cookie") {
				return
			}
		}
	}
	h.Add("Vary", "Cookie")
}

// privateControl is the Cache-Control of RFC 9111 that keeps what the former one
// says, but in private caches only.
func privateControl(values []string) string {
	var keep []string
	private := false
	for _, d := range directives(values) {
		name, _, hasValue := strings.Cut(d, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "no-store":
			private = true
		case "private":
			if hasValue { // concerns the named fields only
				continue
			}
			private = true
		case "public", "s-maxage", "proxy-revalidate":
			continue
		}
		keep = append(keep, d)
	}
	if !private {
		keep = append(keep, "private")
	}
	return strings.Join(keep, ", ")
}

// directives splits lists at commas outside of quotes. It leaves out what has an
// unfinished quote: what came after that would be within it.
func directives(values []string) []string {
	var all []string
	add := func(d string) {
		if d = strings.TrimSpace(d); d != "" {
			all = append(all, d)
		}
	}
	for _, v := range values {
		begin, quoted := 0, false
		for i := 0; i < len(v); i++ {
			switch {
			case v[i] == '"':
				quoted = !quoted
			case quoted && v[i] == '\\':
				i++ // what follows is no quote
			case v[i] == ',' && !quoted:
				add(v[begin:i])
				begin = i + 1
			}
		}
		if !quoted {
			add(v[begin:])
		}
	}
	return all
}
