package lbsql

import "strings"

// lexer splits a query into what matters to readOnly.
type lexer struct {
	s     string
	mysql bool
	plain bool     // nothing was met that the families read differently
	buf   [32]byte // the last word, in small letters; longer ones are cut
	n     int      // its length
}

// word returns the last word in small letters.
func (l *lexer) word() []byte { return l.buf[:l.n] }

// kind is a kind of token.
type kind byte

const (
	end         kind = iota
	broken           // a constant or comment without an end, or what a server would run inside one
	name             // a keyword or a name
	semicolon        //
	parenthesis      // an opening one
	variable         // of a MySQL session
	foreign          // what only the other family can read
	other            // a constant, a quoted name, an operator
)

// next returns the next token's kind.
func (l *lexer) next() kind {
	for len(l.s) > 0 {
		c := l.s[0]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			l.s = l.s[1:]
		case strings.HasPrefix(l.s, "--"):
			l.plain = false
			// MySQL wants a space after it: 1--1 is arithmetic there.
			if l.mysql && len(l.s) > 2 && l.s[2] > ' ' {
				return l.skip(2)
			}
			l.line()
		case c == '#' && l.mysql:
			l.line()
		case strings.HasPrefix(l.s, "/*"):
			l.plain = false
			if !l.comment() {
				return broken
			}
		default:
			return l.token(c)
		}
	}
	return end
}

func (l *lexer) token(c byte) kind {
	switch {
	case c == ';':
		l.s = l.s[1:]
		return semicolon
	case c == '(':
		l.s = l.s[1:]
		return parenthesis
	case c == '\'':
		return l.quoted(c, l.mysql)
	case c == '"':
		l.plain = false // a name to PostgreSQL, where a backslash is a letter
		return l.quoted(c, l.mysql)
	case c == '`':
		l.plain = false
		if !l.mysql {
			return foreign
		}
		return l.quoted(c, false)
	case c == '$' && !l.mysql:
		return l.dollar()
	case c == '@' && len(l.s) > 1 && (letter(l.s[1]) || l.s[1] == '@' || l.s[1] == '`' || l.s[1] == '\'' || l.s[1] == '"'):
		return variable
	case letter(c):
		return l.name()
	case c >= '0' && c <= '9':
		n := 1
		for n < len(l.s) && (letter(l.s[n]) || l.s[n] >= '0' && l.s[n] <= '9') {
			n++
		}
		// 1e5 is a number, and 1union a number before a word.
		if n > 1 && strings.ContainsFunc(l.s[:n], func(r rune) bool { return r > '9' && r != 'e' && r != 'E' }) {
			return broken
		}
		return l.skip(n)
	}
	if c == '#' || c == '\\' || c == '$' {
		l.plain = false
	}
	return l.skip(1)
}

// name reads a word, or the constant that it introduces: E'...' knows the
// backslash.
func (l *lexer) name() kind {
	n := 0
	for n < len(l.s) && (letter(l.s[n]) || l.s[n] >= '0' && l.s[n] <= '9' || l.s[n] == '$') {
		n++
	}
	if n == 1 && n < len(l.s) && l.s[1] == '\'' && (l.s[0] == 'e' || l.s[0] == 'E') {
		l.s = l.s[1:]
		return l.quoted('\'', true)
	}
	l.n = min(n, len(l.buf))
	w := l.word()
	for i := range w {
		w[i] = l.s[i]
		if 'A' <= w[i] && w[i] <= 'Z' {
			w[i] += 'a' - 'A'
		}
	}
	l.s = l.s[n:]
	return name
}

// quoted reads what stands in quotes; a doubled one belongs to it.
func (l *lexer) quoted(q byte, escapes bool) kind {
	for i := 1; i < len(l.s); i++ {
		switch l.s[i] {
		case '\\':
			l.plain = false
			if escapes {
				i++
			}
		case q:
			if i+1 < len(l.s) && l.s[i+1] == q {
				i++
				continue
			}
			return l.skip(i + 1)
		}
	}
	return broken
}

// dollar reads $1, or a constant between two $tag$.
func (l *lexer) dollar() kind {
	n := 1
	for n < len(l.s) && l.s[n] != '$' && (letter(l.s[n]) || l.s[n] >= '0' && l.s[n] <= '9') {
		n++
	}
	if n > 1 && l.s[1] >= '0' && l.s[1] <= '9' {
		return l.skip(n)
	}
	l.plain = false
	if n >= len(l.s) || l.s[n] != '$' {
		return l.skip(1)
	}
	tag := l.s[:n+1]
	i := strings.Index(l.s[n+1:], tag)
	if i < 0 {
		return broken
	}
	return l.skip(n + 1 + i + len(tag))
}

// line skips a comment that ends with the line.
func (l *lexer) line() {
	if _, rest, ok := strings.Cut(l.s, "\n"); ok {
		l.s = rest
		return
	}
	l.s = ""
}

// comment skips /* */, which PostgreSQL nests. What MySQL and MariaDB run, as
// in /*!50000 ... */ and /*M! ... */, is not understood.
func (l *lexer) comment() bool {
	if strings.HasPrefix(l.s, "/*!") || strings.HasPrefix(l.s, "/*M!") {
		return false
	}
	depth := 1
	for i := 2; i+1 < len(l.s); i++ {
		switch {
		case l.s[i] == '*' && l.s[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				l.s = l.s[i+1:]
				return true
			}
		case l.s[i] == '/' && l.s[i+1] == '*' && !l.mysql:
			depth++
			i++
		}
	}
	return false
}

func (l *lexer) skip(n int) kind {
	l.s = l.s[n:]
	return other
}

func letter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}
