package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed templates static
var files embed.FS

// renderer makes pages, and serves what they need.
type renderer struct {
	pages              map[string]*template.Template
	statics            map[string]static // by URL
	cssURL, faviconURL string
}

type static struct {
	kind string // MIME type
	body []byte
}

func newRenderer() (*renderer, error) {
	r := &renderer{pages: make(map[string]*template.Template), statics: make(map[string]static)}
	base, err := template.New("base").Funcs(template.FuncMap{
		"day":     func(t time.Time) string { return t.Format("Monday, January 2, 2006") },
		"moment":  func(t time.Time) string { return t.Format("January 2, 2006, 15:04 UTC") },
		"iso":     func(t time.Time) string { return t.Format(time.RFC3339) },
		"art":     func(section string, id int64) string { return fmt.Sprintf("/art/%s/%d.svg", section, id) },
		"url":     func(id int64) string { return fmt.Sprintf("/news/article/%d.html", id) },
		"age":     age,
		"took":    func(d time.Duration) string { return d.Round(10 * time.Microsecond).String() },
		"section": func(key string) string { title, _ := sectionTitle(key); return title },
		"add":     func(a, b int) int { return a + b },
	}).ParseFS(files, "templates/base.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	names, err := files.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	for _, f := range names {
		name := strings.TrimSuffix(f.Name(), ".html")
		if name == "base" {
			continue
		}
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, "templates/"+f.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		r.pages[name] = t
	}
	if r.cssURL, err = r.add("style.css", "text/css; charset=utf-8"); err != nil {
		return nil, err
	}
	r.faviconURL, err = r.add("favicon.svg", "image/svg+xml")
	return r, err
}

// add reads a static file. Its URL has a hash of its content, so that browsers
// may keep it for ever and yet see a new one at once.
func (r *renderer) add(name, kind string) (url string, err error) {
	body, err := files.ReadFile("static/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	url = "/static/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	r.statics[url] = static{kind, body}
	return url, nil
}

// render returns the whole page.
func (r *renderer) render(p *page) ([]byte, error) {
	t := r.pages[p.Name]
	if t == nil {
		return nil, fmt.Errorf("there is no page %q", p.Name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "base.html", p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// static serves the style sheet and the icon.
func (r *renderer) static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		f, ok := r.statics[req.URL.Path]
		if !ok {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Content-Type", f.kind)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(f.body) // the reader may have left
	})
}

// age is how old a part of the page is, in the footer.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "fresh"
	case d < time.Minute:
		return fmt.Sprintf("%d s old", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min old", int(d.Minutes()))
	default:
		return fmt.Sprintf("%d h old", int(d.Hours()))
	}
}
