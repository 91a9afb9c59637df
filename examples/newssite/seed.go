package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// generator invents a newspaper: editors, readers, articles and what readers
// say about them. Everything is a pure function of the seed and an id, so that
// any part of it can be made without the rest, on any machine. It is safe for
// concurrent use.
type generator struct {
	seed uint64
	g    *grammar
}

// seededArticle is an article with the user who wrote it.
type seededArticle struct {
	article
	AuthorID int
}

// seededComment is a comment; Parent is the index in the list of the one that it
// answers, or -1.
type seededComment struct {
	Parent int
	UserID int // among the readers, from 1
	Body   string
	Posted time.Time
}

// The paper's first day, and how often it has news.
var firstDay = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

const newsEvery = 37 * time.Minute

func newGenerator(seed uint64) *generator { return &generator{seed: seed, g: parsed()} }

// What is drawn from one seed and id, each from random numbers of its own.
const (
	drawEditor = iota + 1
	drawReader
	drawPrefs
	drawDate
	drawArticle
	drawComments
)

func (g *generator) draw(what, id uint64) *rand.Rand {
	return rand.New(rand.NewPCG(g.seed^what<<56, id))
}

// editor returns the name of the editor with this id, from 1.
func (g *generator) editor(id int) string { return g.person(drawEditor, id) }

// reader returns the reader with this id.
func (g *generator) reader(id int) user { return user{ID: id, Name: g.person(drawReader, id)} }

func (g *generator) person(what uint64, id int) string {
	rnd := g.draw(what, uint64(id))
	first, last := g.g.name(rnd, rnd.IntN(2) == 0)
	return first + " " + last
}

// prefs returns the navigation of the user with this id. A third never changed
// theirs.
func (g *generator) prefs(id int) prefs {
	rnd, p := g.draw(drawPrefs, uint64(id)), defaultPrefs()
	if rnd.IntN(3) == 0 {
		return p
	}
	rnd.Shuffle(len(p.Sections), func(i, j int) { p.Sections[i], p.Sections[j] = p.Sections[j], p.Sections[i] })
	p.Sections = p.Sections[:3+rnd.IntN(len(p.Sections)-2)]
	p.Compact = rnd.IntN(4) == 0
	return p
}

func (g *generator) published(id int64) time.Time {
	jitter := time.Duration(g.draw(drawDate, uint64(id)).IntN(20*60)) * time.Second
	return firstDay.Add(time.Duration(id)*newsEvery + jitter)
}

// story begins the article with this id.
func (g *generator) story(id int64) (s *story, section string) {
	s = &story{
		g: g.g, rnd: g.draw(drawArticle, uint64(id)), date: g.published(id),
		values: make(map[string]string), people: make(map[string]*person),
	}
	section = sections[s.rnd.IntN(len(sections))].Key
	topics := g.g.topics[section]
	for {
		s.topic = topics[s.rnd.IntN(len(topics))]
		if len(s.topic.when) == 0 || slices.Contains(s.topic.when, season(s.date)) {
			return s, section
		}
	}
}

// article returns the article with this id, written by one of the editors.
func (g *generator) article(id int64, editors int) seededArticle {
	s, section := g.story(id)
	scope, shared := s.topic.scope, g.g.lists
	a := seededArticle{AuthorID: 1 + s.rnd.IntN(editors)}
	a.ID, a.Section, a.Published, a.Live, a.Version = id, section, s.date, true, 1
	a.Updated, a.Author = a.Published, g.editor(a.AuthorID)
	a.Title = typeset(s.pick(scope["title"]))
	a.Lead = typeset(s.pick(scope["lead"]))

	facts := s.rnd.Perm(len(scope["fact"]))[:3+s.rnd.IntN(3)]
	fact := func() string {
		if len(facts) == 0 {
			return ""
		}
		text := s.fill(scope["fact"][facts[0]])
		facts = facts[1:]
		return text
	}
	// Half of the remarks are of the section, half would fit any.
	remark := func(list string) string {
		if s.rnd.IntN(2) == 0 {
			return s.pick(shared[list])
		}
		return s.pick(scope[list])
	}
	paragraphs := []string{
		fact() + " " + fact(), remark("say"), fact(), remark("reply"),
		remark("past") + " " + fact(), fact(), s.pick(shared["next"]),
	}
	if s.rnd.IntN(3) == 0 {
		paragraphs = slices.Delete(paragraphs, 3, 4)
	}
	paragraphs = slices.DeleteFunc(paragraphs, func(p string) bool { return p == "" })
	for i, p := range paragraphs {
		paragraphs[i] = typeset(strings.TrimSpace(p))
	}
	a.Body = strings.Join(paragraphs, "\n\n")
	return a
}
