package sqlite

import (
	"errors"
	"strings"
)

// SQLite keeps CREATE statements as they were written, and says two things
// nowhere else: the collation of a column without index, and the expressions of
// an index. So the statements are taken apart, by brackets and commas.

// token is a piece of SQL: a word, a quoted name or text, or one other sign.
type token struct {
	text  string
	from  int // in the statement
	depth int // brackets around it; of a bracket, those around its inside, too
}

func (t token) is(word string) bool { return strings.EqualFold(t.text, word) }

// name is a name without its quotes.
func (t token) name() string {
	if len(t.text) < 2 {
		return t.text
	}
	inside := t.text[1 : len(t.text)-1]
	switch q := t.text[0]; q {
	case '"', '`', '\'':
		return strings.ReplaceAll(inside, string(q)+string(q), string(q))
	case '[':
		return inside
	}
	return t.text
}

// tokens splits SQL, without blanks and comments. What is not ended goes on to
// the end.
func tokens(s string) (out []token) {
	depth := 0
	for i := 0; i < len(s); {
		end := i + 1
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			i++
			continue
		case strings.HasPrefix(s[i:], "--"):
			i = after(s, i, "\n")
			continue
		case strings.HasPrefix(s[i:], "/*"):
			i = after(s, i+2, "*/")
			continue
		case c == '[':
			end = after(s, i+1, "]")
		case c == '"' || c == '`' || c == '\'':
			for end = after(s, i+1, string(c)); end < len(s) && s[end] == c; {
				end = after(s, end+1, string(c))
			}
		case wordByte(c):
			for end < len(s) && wordByte(s[end]) {
				end++
			}
		case c == '(':
			depth++
		}
		out = append(out, token{s[i:end], i, depth})
		if s[i] == ')' {
			depth--
		}
		i = end
	}
	return out
}

func after(s string, from int, mark string) int {
	if n := strings.Index(s[min(from, len(s)):], mark); n >= 0 {
		return from + n + len(mark)
	}
	return len(s)
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// columnCollations returns the COLLATE clauses of a CREATE TABLE, by column in
// lower case.
func columnCollations(source string) map[string]string {
	out := make(map[string]string)
	column, begins := "", false
	list := tokens(source)
	for i, t := range list {
		switch {
		case t.text == "(" && t.depth == 1, t.text == "," && t.depth == 1:
			begins = true
			continue
		case t.depth == 1 && begins:
			column = strings.ToLower(t.name())
		case t.depth == 1 && t.is("COLLATE") && i+1 < len(list):
			out[column] = list[i+1].name()
		}
		begins = false
	}
	return out
}

var errIndexText = errors.New("its CREATE INDEX is not understood")

// splitIndex returns the columns and expressions of a CREATE INDEX, as written
// but for ASC, DESC and COLLATE, and its condition.
func splitIndex(source string) (parts []string, where string, err error) {
	list := tokens(source)
	open := -1
	for i, t := range list {
		if t.text == "(" && t.depth == 1 {
			open = i
			break
		}
	}
	if open < 0 {
		return nil, "", errIndexText
	}
	first := open + 1
	for i := first; i < len(list); i++ {
		t := list[i]
		if t.depth != 1 || t.text != "," && t.text != ")" {
			continue
		}
		last := i
		for last > first && (list[last-1].is("ASC") || list[last-1].is("DESC")) {
			last--
		}
		if last-2 > first && list[last-2].is("COLLATE") && list[last-2].depth == 1 {
			last -= 2
		}
		if last == first {
			return nil, "", errIndexText
		}
		end := list[last-1]
		parts = append(parts, source[list[first].from:end.from+len(end.text)])
		first = i + 1
		if t.text == ")" {
			if rest := list[i+1:]; len(rest) > 1 && rest[0].is("WHERE") {
				return parts, source[rest[1].from:], nil
			} else if len(rest) > 0 {
				return nil, "", errIndexText
			}
			return parts, "", nil
		}
	}
	return nil, "", errIndexText
}
