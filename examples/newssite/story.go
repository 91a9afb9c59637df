package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// story is one article while it is being invented: what its slots are filled
// with stays the same to its last comment.
type story struct {
	g      *grammar
	topic  topic
	rnd    *rand.Rand
	date   time.Time
	values map[string]string
	people map[string]*person
}

type person struct {
	first, last, role string
	woman, mentioned  bool
}

var (
	numbers = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
	seasons = []string{"winter", "spring", "summer", "autumn"}
	degrees = []int{2, 2, 5, 9, 13, 17, 20, 20, 16, 11, 7, 4} // the mean by month
)

func season(date time.Time) string { return seasons[int(date.Month())%12/3] }

// pick fills one entry of a list.
func (s *story) pick(list []entry) string { return s.fill(list[s.rnd.IntN(len(list))]) }

// fill returns the text of an entry with all slots filled.
func (s *story) fill(e entry) string {
	var b strings.Builder
	s.write(&b, e)
	return b.String()
}

func (s *story) write(b *strings.Builder, e entry) {
	for i, t := range e {
		switch {
		case t.to > 0:
			n := t.from + s.rnd.IntN(t.to-t.from+1)
			switch {
			case i+1 < len(e) && strings.HasPrefix(e[i+1].text, "th "):
				b.WriteString(strings.TrimSuffix(ordinal(n), "th")) // the rest follows
				if suffix := ordinal(n)[len(strconv.Itoa(n)):]; suffix != "th" {
					b.WriteString(suffix)
					e = slices.Clone(e)
					e[i+1].text = strings.TrimPrefix(e[i+1].text, "th")
				}
			case n < len(numbers) && !t.digits:
				b.WriteString(numbers[n])
			default:
				b.WriteString(grouped(n))
			}
		case t.slot != "":
			value := s.value(t.slot, t.form)
			if t.article {
				b.WriteString(indefinite(value) + " ")
			}
			b.WriteString(value)
		default:
			b.WriteString(e[i].text)
		}
	}
}

// value is what fills a slot.
func (s *story) value(slot, form string) string {
	if isPerson(slot) {
		return s.person(slot).called(form)
	}
	if v, ok := s.values[slot]; ok {
		return v
	}
	v := s.invent(slot)
	s.values[slot] = v
	return v
}

func (s *story) invent(slot string) string {
	switch slot {
	case "day":
		return s.date.AddDate(0, 0, -s.rnd.IntN(2)).Weekday().String()
	case "nextday":
		return s.date.AddDate(0, 0, 2+s.rnd.IntN(4)).Weekday().String()
	case "month":
		return s.date.Month().String()
	case "nextmonth":
		return s.date.AddDate(0, 1+s.rnd.IntN(2), 1-s.date.Day()).Month().String()
	case "season":
		return season(s.date)
	case "temp":
		return strconv.Itoa(degrees[s.date.Month()-1] + s.rnd.IntN(7) - 3)
	}
	list, other := s.topic.entries(slot)
	for try := 0; ; try++ {
		v := s.pick(list)
		if other == "" || try == 9 || v != s.value(other, "") {
			return v
		}
	}
}

func (s *story) person(slot string) *person {
	if p, ok := s.people[slot]; ok {
		return p
	}
	p := &person{role: s.pick(s.topic.scope[slot]), woman: s.rnd.IntN(2) == 0}
	p.first, p.last = s.g.name(s.rnd, p.woman)
	for _, other := range s.people {
		if other.last == p.last {
			return s.person(slot)
		}
	}
	s.people[slot] = p
	return p
}

// called is how a person is named: with role and first name when mentioned for
// the first time, by the last name afterwards.
func (p *person) called(form string) string {
	she, her := "he", "his"
	if p.woman {
		she, her = "she", "her"
	}
	switch form {
	case "she":
		return she
	case "She":
		return capital(she)
	case "her":
		return her
	case "Her":
		return capital(her)
	case "last":
		return p.last
	}
	if p.mentioned {
		return p.last
	}
	p.mentioned = true
	return p.role + " " + p.first + " " + p.last
}

// name invents a name.
func (g *grammar) name(rnd *rand.Rand, woman bool) (first, last string) {
	firsts, lasts := g.lists["man"], g.lists["last"]
	if woman {
		firsts = g.lists["woman"]
	}
	return firsts[rnd.IntN(len(firsts))][0].text, lasts[rnd.IntN(len(lasts))][0].text
}

// grouped writes a number with commas.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

// ordinal returns 1st, 2nd, 3rd, 4th and so on.
func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

func indefinite(value string) string {
	if strings.ContainsRune("aeiouAEIOU", rune(value[0])) || strings.HasPrefix(value, "8") ||
		strings.HasPrefix(value, "11 ") || strings.HasPrefix(value, "18 ") {
		return "an"
	}
	return "a"
}

func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// typeset begins sentences with a capital, and makes quotes and apostrophes
// typographic.
func typeset(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	begins, before := true, ' ' // a sentence begins; the last character
	ended := false              // the last word ended a sentence
	for _, r := range s {
		switch {
		case r == '"' && (before == ' ' || before == '('):
			b.WriteRune('“')
			before = r
			continue
		case r == '"':
			b.WriteRune('”')
			before = r
			continue
		case r == '\'':
			b.WriteRune('’')
			before = r
			continue
		case r == ' ':
			begins, ended = begins || ended, false
		case r == '.' || r == '!' || r == '?':
			ended = true
		default:
			if begins {
				r = unicode.ToUpper(r)
			}
			begins, ended = false, false
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}
