package oracle

import (
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Dialect is Oracle Database 11.2 and later over godror.
var Dialect replication.Dialect = dialect{}

type dialect struct{}

func (dialect) Name() string { return "oracle" }

// Quote keeps the case. No name of Oracle has a double quote in it, or can
// have: one that is asked for becomes a name that is not there.
func (dialect) Quote(name replication.Name) string {
	if name.Schema == "" {
		return quote(name.Table)
	}
	return quote(name.Schema) + "." + quote(name.Table)
}

func quote(name string) string {
	return `"` + strings.NewReplacer(`"`, "\uff02", "\x00", "\ufffd").Replace(name) + `"`
}

func quoteName(name replication.Name) string { return dialect{}.Quote(name) }

// text returns a literal, which has no control characters: their meaning in the
// text of a statement is the client's.
func text(s string) string {
	if s == "" {
		return "NULL"
	}
	var parts []string
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			parts = append(parts, "'"+strings.ReplaceAll(plain.String(), "'", "''")+"'")
			plain.Reset()
		}
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			flush()
			parts = append(parts, "CHR("+strconv.Itoa(int(r))+")")
			continue
		}
		plain.WriteRune(r)
	}
	flush()
	return strings.Join(parts, " || ")
}

// Bind numbers the question marks that are outside of quotes: a name may have
// one of its own.
func (dialect) Bind(query string) string {
	var b strings.Builder
	n := 0
	var in byte // the quote that is open
	for i := 0; i < len(query); i++ {
		switch ch := query[i]; {
		case in != 0:
			if ch == in {
				in = 0
			}
			b.WriteByte(ch)
		case ch == '\'' || ch == '"':
			in = ch
			b.WriteByte(ch)
		case ch == '?':
			n++
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(n))
		default:
			b.WriteByte(ch)
		}
	}
	return b.String()
}

func (dialect) Bookkeeping(table string) replication.Name {
	return replication.Name{Table: object(bookkeeping, table)}
}
