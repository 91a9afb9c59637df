package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The pages for readers.

func (v *visit) front() {
	latest, err := get(v, v.node.headlines, list{}, "headlines")
	if err != nil {
		v.fail(err)
		return
	}
	discussed, err := get(v, v.node.headlines, list{Discussed: true}, "most discussed")
	if err != nil {
		v.fail(err)
		return
	}
	body := frontBody{Discussed: discussed}
	if len(latest) > 0 {
		body.Top = latest[0]
		body.More = firstOf(latest[1:], 3)
		body.Sections = blocks(latest[1+len(body.More):])
	}
	v.show(http.StatusOK, "front", "Front page", body)
}

// blocks gives each section its newest headlines.
func blocks(latest []headline) []sectionBlock {
	var out []sectionBlock
	for _, s := range sections {
		b := sectionBlock{section: s}
		for _, h := range latest {
			if h.Section == s.Key && len(b.Items) < 4 {
				b.Items = append(b.Items, h)
			}
		}
		if len(b.Items) > 0 {
			out = append(out, b)
		}
	}
	return out
}

func (v *visit) article() {
	name, isPage := strings.CutSuffix(v.r.PathValue("file"), ".html")
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil || !isPage || id <= 0 || strconv.FormatInt(id, 10) != name {
		v.notFound()
		return
	}
	a, err := get(v, v.node.articles, id, "article")
	if err != nil {
		v.fail(err)
		return
	}
	comments, err := get(v, v.node.comments, id, "comments")
	if err != nil {
		v.fail(err)
		return
	}
	body := articleBody{article: a, Comments: comments, Paragraphs: strings.Split(a.Body, "\n\n"), MayComment: who(v.r) != nil}
	body.SectionTitle, _ = sectionTitle(a.Section)
	if reply := int64(atoi(v.r.URL.Query().Get("reply"))); reply > 0 {
		if i := slices.IndexFunc(comments, func(c comment) bool { return c.ID == reply }); i >= 0 {
			body.ReplyTo = &comments[i]
		}
	}
	v.show(http.StatusOK, "article", a.Title, body)
}

func (v *visit) section() {
	key := v.r.PathValue("section")
	title, ok := sectionTitle(key)
	if !ok {
		v.notFound()
		return
	}
	number := paginate(v.r)
	items, err := get(v, v.node.headlines, list{Section: key, Page: number - 1}, "headlines")
	if err != nil {
		v.fail(err)
		return
	}
	body := sectionBody{section: section{key, title}, Items: firstOf(items, pageSize), Page: number}
	body.Prev, body.Next = neighbours("/news/page/"+key, number, len(items) > pageSize)
	v.show(http.StatusOK, "section", title, body)
}

// neighbours returns the URLs of the pages before and after.
func neighbours(path string, number int, more bool) (prev, next string) {
	if number == 2 {
		prev = path
	} else if number > 2 {
		prev = fmt.Sprintf("%s?page=%d", path, number-1)
	}
	if more {
		next = fmt.Sprintf("%s?page=%d", path, number+1)
	}
	return prev, next
}

func (v *visit) login() {
	query := v.r.URL.Query()
	next := local(query.Get("next"))
	if query.Has("user") {
		u, err := v.st.user(v.r.Context(), atoi(query.Get("user")))
		if err == nil {
			if err = v.admit(u); err == nil {
				v.redirect(next)
				return
			}
		}
		if !errors.Is(err, errNoRow) {
			v.fail(err)
			return
		}
	}
	users, err := v.st.someUsers(v.r.Context(), 2, 6)
	if err != nil {
		v.fail(err)
		return
	}
	body := loginBody{Users: users, Next: next}
	status := http.StatusOK
	if query.Has("user") {
		body.Error, status = "There is no user of that number.", http.StatusNotFound
	}
	v.show(status, "login", "Log in", body)
}

// admit gives the visitor the cookies of u: who it is, and the navigation, so
// that no page needs a query for either.
func (v *visit) admit(u user) error {
	if err := v.visitors.identity.Set(v.w, v.r, u); err != nil {
		return err
	}
	if !v.visitors.useCookie {
		return nil
	}
	p, _, err := ask(v.r.Context(), v.node.navigation, u.ID, "navigation")
	if err != nil {
		return err
	}
	return v.visitors.setPrefs(v.w, as(v.r, &u), p)
}

func (v *visit) logout() {
	if err := v.visitors.identity.Clear(v.w, v.r); err != nil {
		v.fail(err)
		return
	}
	v.redirect("/")
}

// needsLogin sends a visitor who is not logged in to do so.
func (v *visit) needsLogin() bool {
	if who(v.r) != nil {
		return false
	}
	v.redirect("/login?next=" + v.r.URL.Path)
	return true
}

func (v *visit) prefs() {
	if v.needsLogin() {
		return
	}
	// From the database, not from the cookie: this is where it is changed.
	p, err := v.st.prefs(v.r.Context(), who(v.r).ID)
	if err != nil {
		v.fail(err)
		return
	}
	body := prefsBody{Compact: p.Compact, Saved: v.r.URL.Query().Has("saved"), Name: who(v.r).Name}
	for _, key := range p.Sections {
		title, _ := sectionTitle(key)
		body.Choices = append(body.Choices, prefsChoice{section{key, title}, true, len(body.Choices) + 1})
	}
	for _, s := range sections {
		if !slices.Contains(p.Sections, s.Key) {
			body.Choices = append(body.Choices, prefsChoice{s, false, len(body.Choices) + 1})
		}
	}
	v.show(http.StatusOK, "prefs", "Your navigation", body)
}

func (v *visit) savePrefs() {
	if v.needsLogin() {
		return
	}
	if err := v.r.ParseForm(); err != nil {
		v.badForm(err)
		return
	}
	p := prefs{Compact: v.r.PostForm.Get("compact") != ""}
	position := make(map[string]int)
	for _, s := range sections {
		position[s.Key] = atoi(v.r.PostForm.Get("pos-" + s.Key))
		if slices.Contains(v.r.PostForm["show"], s.Key) {
			p.Sections = append(p.Sections, s.Key)
		}
	}
	p.Sections = sortedPrefs(p.Sections, position)
	u := who(v.r)
	err := v.st.savePrefs(v.r.Context(), u.ID, p)
	v.everywhere(func(ctx context.Context, n *node) error { return n.navigationChanged(ctx, u.ID) })
	if err != nil {
		v.fail(err)
		return
	}
	if err := v.visitors.setPrefs(v.w, v.r, p); err != nil {
		v.fail(err)
		return
	}
	v.redirect("/prefs?saved")
}

func (v *visit) comment() {
	if v.needsLogin() {
		return
	}
	if err := v.r.ParseForm(); err != nil {
		v.badForm(err)
		return
	}
	form := v.r.PostForm
	articleID, parent := int64(atoi(form.Get("article"))), int64(atoi(form.Get("parent")))
	body := strings.TrimSpace(form.Get("body"))
	if body == "" || utf8.RuneCountInString(body) > 2000 {
		v.message(http.StatusBadRequest, "That is no comment", "Please write between one and 2,000 letters.")
		return
	}
	err := v.st.addComment(v.r.Context(), articleID, parent, who(v.r).ID, body)
	v.everywhere(func(ctx context.Context, n *node) error { return n.commented(ctx, articleID) })
	if err != nil {
		v.fail(err)
		return
	}
	v.redirect(fmt.Sprintf("/news/article/%d.html#comments", articleID))
}

func (v *visit) badForm(err error) {
	if strings.Contains(err.Error(), "too large") {
		v.message(http.StatusRequestEntityTooLarge, "That was too long", "Please send something shorter.")
		return
	}
	v.message(http.StatusBadRequest, "That form was not understood", "Please go back and try again.")
}

// atoi reads a number; anything else is 0.
func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}
