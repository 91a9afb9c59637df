package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// grammar is words, taken apart.
type grammar struct {
	lists  map[string][]entry
	topics map[string][]topic // by section
}

// topic is a kind of article, with all lists that its slots are filled from.
type topic struct {
	name  string
	when  []string // seasons; empty: all
	scope map[string][]entry
}

// entry is one text of a list: words and slots in turn.
type entry []token

// token is literal text, a number, a form of a person, or another slot.
type token struct {
	text     string
	slot     string
	form     string // of a person: she, her, last
	article  bool   // put a or an before the value
	digits   bool   // a number is never a word
	from, to int    // a number, if to is not 0
}

// parsed is the grammar of words. It is part of the program, so a mistake in it
// is a bug.
var parsed = sync.OnceValue(func() *grammar {
	g, err := parseGrammar(words)
	if err != nil {
		panic("newssite: words: " + err.Error())
	}
	return g
})

func parseGrammar(text string) (*grammar, error) {
	g := &grammar{lists: make(map[string][]entry), topics: make(map[string][]topic)}
	var name string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if after, ok := strings.CutPrefix(line, "= "); ok {
			name = after
			if _, twice := g.lists[name]; twice {
				return nil, fmt.Errorf("list %s is there twice", name)
			}
			g.lists[name] = nil
			continue
		}
		if line == "" {
			continue
		}
		for text := range strings.SplitSeq(line, " | ") {
			e, err := parseEntry(text)
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", name, err)
			}
			g.lists[name] = append(g.lists[name], e)
		}
	}
	for name := range g.lists {
		section, rest, _ := strings.Cut(name, ".")
		if t, ok := strings.CutSuffix(rest, ".title"); ok {
			g.topics[section] = append(g.topics[section], g.topic(section, t))
		}
	}
	for section, topics := range g.topics {
		slices.SortFunc(topics, func(a, b topic) int { return strings.Compare(a.name, b.name) })
		for _, t := range topics {
			if err := g.check(section, t); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

func parseEntry(text string) (entry, error) {
	var e entry
	for text != "" {
		before, after, slot := strings.Cut(text, "{")
		if before != "" {
			e = append(e, token{text: before})
		}
		if !slot {
			break
		}
		inner, rest, ok := strings.Cut(after, "}")
		if !ok || inner == "" {
			return nil, fmt.Errorf("unfinished slot in %q", text)
		}
		text = rest
		var t token
		inner, t.digits = strings.CutPrefix(inner, "#")
		inner, t.article = strings.CutPrefix(inner, "a ")
		if from, to, ok := strings.Cut(inner, ".."); ok {
			var err1, err2 error
			t.from, err1 = strconv.Atoi(from)
			t.to, err2 = strconv.Atoi(to)
			if err1 != nil || err2 != nil || t.to <= t.from {
				return nil, fmt.Errorf("no numbers: {%s}", inner)
			}
		} else {
			t.slot, t.form, _ = strings.Cut(inner, ".")
		}
		e = append(e, t)
	}
	return e, nil
}

// topic gathers the lists of one topic: its own before those of the section,
// and these before what all sections share.
func (g *grammar) topic(section, name string) topic {
	t := topic{name: name, scope: make(map[string][]entry)}
	for _, prefix := range []string{"", "comment.", section + ".", section + "." + name + "."} {
		for list, entries := range g.lists {
			if slot, ok := strings.CutPrefix(list, prefix); ok && !strings.Contains(slot, ".") {
				t.scope[slot] = entries
			}
		}
	}
	for _, e := range t.scope["when"] {
		t.when = append(t.when, e[0].text)
	}
	return t
}

// entries returns what a slot is filled from: its own list, or for {slot2} that
// of {slot}.
func (t topic) entries(slot string) ([]entry, string) {
	if list, ok := t.scope[slot]; ok {
		return list, ""
	}
	other := strings.TrimRight(slot, "23456789")
	return t.scope[other], other
}

// isPerson reports whether a slot is a person's: {A} to {Z}.
func isPerson(slot string) bool { return len(slot) == 1 && slot >= "A" && slot <= "Z" }

// given are the slots that need no list.
var given = []string{"day", "nextday", "month", "nextmonth", "season", "temp", "name"}

// check finds slots that nothing fills, in all that an article of the topic and
// its comments may use.
func (g *grammar) check(section string, t topic) error {
	for _, needed := range []string{"title", "lead", "fact", "about"} {
		if len(t.scope[needed]) == 0 {
			return fmt.Errorf("topic %s.%s has no list %s", section, t.name, needed)
		}
	}
	all := make(map[string][]entry)
	maps.Copy(all, t.scope)
	for name, entries := range g.lists {
		if strings.HasPrefix(name, "comment.") || strings.HasPrefix(name, "answer.") {
			all[name] = entries
		}
	}
	for name, entries := range all {
		for _, e := range entries {
			for _, token := range e {
				if token.slot == "" || slices.Contains(given, token.slot) {
					continue
				}
				if list, _ := t.entries(token.slot); len(list) == 0 {
					return fmt.Errorf("list %s, as seen by topic %s.%s: nothing fills {%s}", name, section, t.name, token.slot)
				}
			}
		}
	}
	return nil
}
