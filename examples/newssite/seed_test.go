package main

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestTheSameSeedInventsTheSamePaper(t *testing.T) {
	a, b := newGenerator(7), newGenerator(7)
	b.article(499, editorCount) // what was made before makes no difference
	for _, id := range []int64{1, 2, 500, 12_345} {
		if x, y := a.article(id, editorCount), b.article(id, editorCount); x != y {
			t.Errorf("article %d:\n%+v\n%+v", id, x, y)
		}
		if x, y := a.comments(id, readerCount), b.comments(id, readerCount); !reflect.DeepEqual(x, y) {
			t.Errorf("comments of %d:\n%+v\n%+v", id, x, y)
		}
	}
	if a.article(500, editorCount).Title == newGenerator(8).article(500, editorCount).Title {
		t.Error("another seed, the same title")
	}
}

var wrongArticle = regexp.MustCompile(`\b[Aa] [aeiou]\w+ |\b[Aa]n [bcdfgjklmnpqrstvwxz]`)

// belief returns what makes a text look invented.
func belief(text string) string {
	last, _ := utf8.DecodeLastRuneInString(text)
	switch {
	case strings.ContainsAny(text, "{}|\"'#"):
		return "has signs of the grammar"
	case strings.Contains(text, "  ") || strings.TrimSpace(text) != text:
		return "has blanks too many"
	case !strings.ContainsRune(".!?”", last):
		return "has no end"
	case !utf8.ValidString(text):
		return "is no UTF-8"
	case strings.Count(text, "“") != strings.Count(text, "”"):
		return "has a quote without end"
	case unicode.IsLower([]rune(text)[0]):
		return "begins small"
	}
	if m := wrongArticle.FindString(text); m != "" && !strings.Contains(m, " one") && !strings.Contains(m, " uni") && !strings.Contains(m, " use") {
		return "says " + m
	}
	return ""
}

func TestArticlesAndCommentsReadLikeAPaper(t *testing.T) {
	for seed := range uint64(2) {
		g := newGenerator(seed)
		titles := make(map[string]bool)
		var before time.Time
		var comments, longest int
		for id := int64(1); id <= 3000; id++ {
			a := g.article(id, editorCount)
			for _, p := range append(strings.Split(a.Body, "\n\n"), a.Lead, a.Title+".") {
				if wrong := belief(p); wrong != "" {
					t.Errorf("seed %d, article %d: %q %s", seed, id, p, wrong)
				}
			}
			if n := len(strings.Split(a.Body, "\n\n")); n < 4 || n > 9 {
				t.Errorf("seed %d, article %d: %d paragraphs", seed, id, n)
			}
			if _, known := sectionTitle(a.Section); !known || !a.Published.After(before) || a.Author != g.editor(a.AuthorID) {
				t.Errorf("seed %d, article %d: %+v", seed, id, a)
			}
			titles[a.Title], before = true, a.Published
			all := g.comments(id, readerCount)
			checkComments(t, a, all)
			comments += len(all)
			longest = max(longest, len(all))
		}
		if len(titles) < 2700 || comments < 6000 || longest < 30 || longest > mostComments {
			t.Errorf("seed %d: %d titles, %d comments, %d for one article", seed, len(titles), comments, longest)
		}
	}
}

func checkComments(t *testing.T, a seededArticle, all []seededComment) {
	t.Helper()
	depth := make([]int, len(all))
	at := a.Published
	for i, c := range all {
		if c.Parent >= i || c.Parent < -1 || c.UserID < 1 || c.UserID > readerCount || !c.Posted.After(at) {
			t.Fatalf("article %d, comment %d: %+v", a.ID, i, c)
		}
		if at = c.Posted; c.Parent >= 0 {
			depth[i] = depth[c.Parent] + 1
		}
		if depth[i] > deepest {
			t.Errorf("article %d, comment %d: depth %d", a.ID, i, depth[i])
		}
		if wrong := belief(c.Body); wrong != "" {
			t.Errorf("article %d, comment %d: %q %s", a.ID, i, c.Body, wrong)
		}
	}
}

func TestReadersHaveNavigationsOfTheirOwn(t *testing.T) {
	g := newGenerator(1)
	kinds := make(map[string]int)
	for id := 1; id <= 300; id++ {
		p := g.prefs(id)
		seen := make(map[string]bool)
		for _, key := range p.Sections {
			if _, known := sectionTitle(key); !known || seen[key] {
				t.Errorf("reader %d: %v", id, p.Sections)
			}
			seen[key] = true
		}
		kinds[p.String()]++
	}
	if usual := kinds[defaultPrefs().String()]; len(kinds) < 150 || usual < 60 || usual > 140 {
		t.Errorf("%d kinds, %d as at first", len(kinds), usual)
	}
}

func TestTheGrammarTellsWhatIsMissing(t *testing.T) {
	for text, want := range map[string]string{
		"= x\n{a":     `list x: unfinished slot in "{a"`,
		"= x\n= x":    "list x is there twice",
		"= x\n{3..1}": "list x: no numbers: {3..1}",
		"= s.t.title\nNews of {nothing}\n= s.t.lead\nx\n= s.t.fact\nx\n= s.t.about\nx": "list title, as seen by topic s.t: nothing fills {nothing}",
		"= s.t.title\nNews": "topic s.t has no list lead",
	} {
		if _, err := parseGrammar(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func BenchmarkArticleWithComments(b *testing.B) {
	g := newGenerator(1)
	for id := int64(1); b.Loop(); id++ {
		g.article(id, editorCount)
		g.comments(id, readerCount)
	}
}
