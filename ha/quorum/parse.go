package quorum

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of a text from outside.
const maxDepth = 100

// Parse reads a rule; the package documentation has the grammar. An error says
// at which byte it stopped, counted from 1.
func Parse(text string) (Rule, error) {
	p := parser{text: text}
	p.next()
	r, err := p.rule(0)
	if err == nil && p.word != "" {
		err = p.unexpected("the end")
	}
	if err != nil {
		return Rule{}, fmt.Errorf("quorum: %q: %w", text, err)
	}
	return r, nil
}

// parser looks one word ahead.
type parser struct {
	text   string
	pos    int    // behind word
	word   string // "" at the end
	quoted bool   // word was written as a Go string
	bad    error  // such as a string that does not end
}

// words of the grammar are no names unless quoted.
var words = []string{"majority", "of", "at", "least", "votes", "any", "all", "with"}

func isName(b byte) bool {
	return isLetter(b) || isDigit(b) || strings.IndexByte("._-:", b) >= 0
}
func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return '0' <= b && b <= '9' }

func quote(name string) string {
	plain := name != "" && isLetter(name[0]) && !slices.Contains(words, name)
	for i := 0; i < len(name) && plain; i++ {
		plain = isName(name[i])
	}
	if plain {
		return name
	}
	return strconv.Quote(name)
}

func (p *parser) next() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
	rest := p.text[p.pos:]
	p.word, p.quoted = "", false
	switch {
	case rest == "":
	case rest[0] == '"':
		literal, err := strconv.QuotedPrefix(rest)
		if err != nil {
			p.bad, p.word = fmt.Errorf("at %d: not a string", p.pos+1), rest
			return
		}
		p.word, _ = strconv.Unquote(literal)
		p.quoted = true
		p.pos += len(literal)
	case isName(rest[0]):
		n := 1
		for n < len(rest) && isName(rest[n]) {
			n++
		}
		p.word = rest[:n]
		p.pos += n
	default:
		p.word = rest[:1]
		p.pos++
	}
	if p.quoted && p.word == "" {
		p.bad = fmt.Errorf("at %d: a name is empty", p.pos)
	}
}

func (p *parser) is(word string) bool { return !p.quoted && p.word == word }

func (p *parser) unexpected(want string) error {
	if p.bad != nil {
		return p.bad
	}
	if p.word == "" {
		return fmt.Errorf("ends where %s should be", want)
	}
	return fmt.Errorf("at %d: %q where %s should be", p.pos-len(p.word)+1, p.word, want)
}

func (p *parser) expect(words ...string) error {
	for _, word := range words {
		if !p.is(word) {
			return p.unexpected(word)
		}
		p.next()
	}
	return nil
}

func (p *parser) number(least int) (int, error) {
	n, err := strconv.Atoi(p.word)
	if err != nil || p.quoted || n < least || n > 1<<30 {
		return 0, p.unexpected("a number from " + strconv.Itoa(least))
	}
	p.next()
	return n, nil
}

func (p *parser) name() (string, error) {
	name := p.word
	if p.bad != nil || name == "" || !p.quoted && (!isLetter(name[0]) || slices.Contains(words, name)) {
		return "", p.unexpected("a name")
	}
	p.next()
	return name, nil
}

func (p *parser) rule(depth int) (Rule, error) {
	if depth > maxDepth {
		return Rule{}, fmt.Errorf("at %d: nested too deeply", p.pos)
	}
	r, err := p.term(depth)
	for err == nil && p.is("with") {
		p.next()
		var name string
		name, err = p.name()
		r = All(r, Has(name))
	}
	return r, err
}

func (p *parser) term(depth int) (Rule, error) {
	switch {
	case p.is("majority"):
		p.next()
		return Majority(), nil
	case p.is("at"):
		if err := p.expect("at", "least"); err != nil {
			return Rule{}, err
		}
		n, err := p.number(1)
		return AtLeast(n), err
	case p.is("("):
		p.next()
		r, err := p.rule(depth + 1)
		if err != nil {
			return Rule{}, err
		}
		return r, p.expect(")")
	case p.is("any"), p.is("all"):
		r := Rule{kind: anyOf}
		if p.is("all") {
			r.kind = allOf
		}
		p.next()
		err := p.expect("of")
		if err == nil {
			err = p.list(func() error {
				part, err := p.rule(depth + 1)
				r.rules = append(r.rules, part)
				return err
			})
		}
		return r, err
	case !p.quoted && p.word != "" && isDigit(p.word[0]):
		return p.counted()
	}
	name, err := p.name()
	return Has(name), err
}

// counted is what begins with a number.
func (p *parser) counted() (Rule, error) {
	need, err := p.number(1)
	if err != nil {
		return Rule{}, err
	}
	if !p.is("votes") {
		if err := p.expect("of"); err != nil {
			return Rule{}, err
		}
		total, err := p.number(1)
		return Of(need, total), err
	}
	r := Rule{kind: votes, need: need, votes: make(map[string]int)}
	if err := p.expect("votes", "of"); err != nil {
		return Rule{}, err
	}
	return r, p.list(func() error {
		name, err := p.name()
		if err == nil {
			err = p.expect("=")
		}
		if err != nil {
			return err
		}
		if _, twice := r.votes[name]; twice {
			return fmt.Errorf("at %d: %q has votes twice", p.pos, name)
		}
		r.votes[name], err = p.number(0)
		return err
	})
}

// list reads at least one element.
func (p *parser) list(element func() error) error {
	if err := p.expect("("); err != nil {
		return err
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if !p.is(",") {
			return p.expect(")")
		}
		p.next()
	}
}
