package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The pages for editors.

const adminPageSize = 40

// forbidden turns away whoever is not an editor.
func (v *visit) forbidden() bool {
	switch u := who(v.r); {
	case u == nil:
		return v.needsLogin()
	case !u.Admin:
		v.message(http.StatusForbidden, "For editors only", "Log in as one of the editors to publish and edit.")
		return true
	}
	return false
}

func (v *visit) admin() {
	if v.forbidden() {
		return
	}
	number := paginate(v.r)
	rows, err := v.st.adminList(v.r.Context(), adminPageSize+1, (number-1)*adminPageSize)
	if err != nil {
		v.fail(err)
		return
	}
	body := adminBody{Articles: firstOf(rows, adminPageSize), Page: number}
	body.Prev, body.Next = neighbours("/admin/", number, len(rows) > adminPageSize)
	v.show(http.StatusOK, "admin", "Newsroom", body)
}

func (v *visit) edit() {
	if v.forbidden() {
		return
	}
	body := editBody{Sections: sections}
	title := "New article"
	if id := v.r.URL.Query().Get("id"); id != "" {
		a, err := v.st.article(v.r.Context(), int64(atoi(id)))
		if err != nil {
			v.fail(err)
			return
		}
		body.article, title = a, "Edit article"
	}
	v.show(http.StatusOK, "edit", title, body)
}

func (v *visit) save() {
	if v.forbidden() {
		return
	}
	if err := v.r.ParseForm(); err != nil {
		v.badForm(err)
		return
	}
	form := v.r.PostForm
	a := article{
		ID: int64(atoi(form.Get("id"))), Section: form.Get("section"),
		Title: strings.TrimSpace(form.Get("title")), Lead: strings.TrimSpace(form.Get("lead")),
		Body: paragraphs(form.Get("body")),
	}
	if problem := a.problem(); problem != "" {
		v.show(http.StatusBadRequest, "edit", "Edit article", editBody{article: a, Sections: sections, Error: problem})
		return
	}
	ctx := v.r.Context()
	from := a.Section
	var err error
	if a.ID == 0 {
		a.ID, err = v.st.create(ctx, a, who(v.r).ID)
	} else {
		from, err = v.st.change(ctx, a)
	}
	v.everywhere(func(ctx context.Context, n *node) error { return n.articleChanged(ctx, a.ID, from, a.Section) })
	if err != nil {
		v.fail(err)
		return
	}
	v.redirect(fmt.Sprintf("/news/article/%d.html", a.ID))
}

func (v *visit) publish() {
	if v.forbidden() {
		return
	}
	if err := v.r.ParseForm(); err != nil {
		v.badForm(err)
		return
	}
	id, live := int64(atoi(v.r.PostForm.Get("id"))), v.r.PostForm.Get("live") == "1"
	section, err := v.st.setLive(v.r.Context(), id, live)
	v.everywhere(func(ctx context.Context, n *node) error { return n.articleChanged(ctx, id, section) })
	if err != nil {
		v.fail(err)
		return
	}
	v.redirect("/admin/")
}

// problem says what is missing from an article, or "".
func (a article) problem() string {
	_, known := sectionTitle(a.Section)
	switch {
	case !known:
		return "Please choose a section."
	case a.Title == "" || utf8.RuneCountInString(a.Title) > 300:
		return "Please give it a headline of up to 300 letters."
	case a.Lead == "" || a.Body == "":
		return "Please write a lead and a text."
	}
	return ""
}

// paragraphs tidies a text from a form: paragraphs are divided by one empty line.
func paragraphs(text string) string {
	var out []string
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n\n")
}

// serveArt draws an article's picture. It depends on the address alone, so
// browsers may keep it.
func serveArt(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(r.PathValue("file"), ".svg")
	id, err := strconv.ParseInt(name, 10, 64)
	key := r.PathValue("section")
	if _, known := sectionTitle(key); !ok || err != nil || !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write(art(key, id))
}
