package replication

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strings"
)

// copyState is how far the copy of a table is: a row of the table "copied".
type copyState struct {
	name        string // route.signature
	fingerprint string
	direct      bool // the table was empty: chunks are loaded into it as they are
	done        bool
	copied      int64
	last        [][]byte // the key of the last row copied; nil: none yet
}

// signature says what is copied of a table, and to where.
func (p *route) signature() string {
	var b strings.Builder
	b.WriteString(p.source.Name.String() + " to " + p.target.Name.String() + " (")
	for i, c := range p.source.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name)
		if t := p.target.Columns[i].Name; t != c.Name {
			b.WriteString("=" + t)
		}
	}
	b.WriteString(")")
	if p.Where != "" {
		b.WriteString(" where " + p.Where)
	}
	return b.String()
}

func (s *side) readCopied(ctx context.Context, group, node string) (map[string]copyState, error) {
	const doing = "reading the state of the copy"
	rows, err := s.conn.QueryContext(ctx, s.dialect.Bind("SELECT id, name, fingerprint, direct, done, copied, last FROM "+
		s.kept(copiedTable)+" WHERE grp = ? AND node = ?"), group, node)
	if err != nil {
		if s.dialect.Fault(err) == Missing {
			return nil, nil
		}
		return nil, at(s.role, doing, err)
	}
	defer rows.Close()
	states := make(map[string]copyState)
	for rows.Next() {
		var st copyState
		var id string
		var direct, done int64
		var last sql.NullString
		if err := rows.Scan(&id, &st.name, &st.fingerprint, &direct, &done, &st.copied, &last); err != nil {
			return nil, at(s.role, doing, err)
		}
		st.direct, st.done = direct != 0, done != 0
		if st.last, err = parseKey(last.String); err != nil {
			return nil, at(s.role, doing, err)
		}
		states[id] = st
	}
	return states, at(s.role, doing, rows.Err())
}

// A key is kept as its values in base64, each after a dot.
func formatKey(key [][]byte) string {
	var b strings.Builder
	for _, v := range key {
		b.WriteString("." + base64.RawStdEncoding.EncodeToString(v))
	}
	return b.String()
}

func parseKey(text string) (key [][]byte, err error) {
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text[1:], ".") {
		v, err := base64.RawStdEncoding.DecodeString(part)
		if err != nil {
			return nil, fmt.Errorf("replication: %q is no key", text)
		}
		key = append(key, v)
	}
	return key, nil
}

func (s *side) writeCopied(ctx context.Context, group, node, id string, st copyState) error {
	bit := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	_, err := s.change(ctx, "UPDATE "+s.kept(copiedTable)+" SET done = ?, copied = ?, last = ? WHERE grp = ? AND node = ? AND id = ?",
		bit(st.done), st.copied, formatKey(st.last), group, node, id)
	return at(s.role, "writing the state of the copy", err)
}
