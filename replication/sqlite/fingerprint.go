package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ashlar-go/ashlar/replication"
)

// Fingerprint compares what is there with what Install makes for the table as
// it is now: the same log, view and triggers, word for word, on this table, and
// none younger than the seal. The fingerprint is then that of the generation and
// of the columns that are sent. A unique index that came later makes it "",
// since the triggers do not know it.
//
// It is asked for at each poll that finds changes, and nearly always nothing has
// happened. So what is found out about a table is remembered for the texts that
// it follows from, and only these are read.
func (d dialect) Fingerprint(ctx context.Context, c *sql.Conn, group string, tables []replication.SourceTable) ([]string, error) {
	there, err := look(ctx, c, tables)
	if err != nil {
		return nil, fmt.Errorf("sqlite: looking at the triggers: %w", err)
	}
	out, keys := make([]string, len(tables)), make([]memoKey, len(tables))
	fresh := false
	for i, t := range tables {
		keys[i] = there.key(capture{t, group})
		known := false
		if out[i], known = memo.get(keys[i]); known {
			continue
		}
		if out[i], err = d.fingerprint(ctx, c, capture{t, group}, there); err != nil {
			return nil, err
		}
		fresh = true
	}
	if !fresh {
		return out, nil
	}
	// Outside of a transaction the schema may have changed while it was read.
	again, err := look(ctx, c, tables)
	if err != nil {
		return nil, fmt.Errorf("sqlite: looking at the triggers: %w", err)
	}
	for i, t := range tables {
		if again.key(capture{t, group}) != keys[i] {
			out[i] = ""
		} else {
			memo.put(keys[i], out[i])
		}
	}
	return out, nil
}

// kept is an object as sqlite_schema has it.
type kept struct {
	kind, table, sql string
	order            int
}

// schema is what the fingerprints of tables follow from.
type schema struct {
	objects    map[string]kept     // ours, by name
	texts      map[string][]string // by table, in order: of the table, its indexes and triggers
	generation map[string]string   // by ID and group
}

func look(ctx context.Context, c *sql.Conn, tables []replication.SourceTable) (schema, error) {
	s := schema{make(map[string]kept), make(map[string][]string), make(map[string]string)}
	var in strings.Builder
	for i, t := range tables {
		if i > 0 {
			in.WriteString(", ")
		}
		in.WriteString(literal(t.Name.Table))
	}
	rows, err := c.QueryContext(ctx, `SELECT name, type, tbl_name, ifnull(sql, '') FROM main.sqlite_schema WHERE name GLOB 'ashlar_*' OR tbl_name IN (`+in.String()+`) ORDER BY rowid`)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		k := kept{order: len(s.objects)}
		if err := rows.Scan(&name, &k.kind, &k.table, &k.sql); err != nil {
			return s, err
		}
		if strings.HasPrefix(name, "ashlar_") {
			s.objects[name] = k
		}
		s.texts[k.table] = append(s.texts[k.table], k.kind, name, k.sql)
	}
	if err := rows.Err(); err != nil {
		return s, err
	}
	if _, ok := s.objects["ashlar_installed"]; !ok {
		return s, nil
	}
	installed, err := c.QueryContext(ctx, `SELECT "id", "grp", "generation" FROM `+installedTable)
	if err != nil {
		return s, err
	}
	defer installed.Close()
	for installed.Next() {
		var id, grp, generation string
		if err := installed.Scan(&id, &grp, &generation); err != nil {
			return s, err
		}
		s.generation[id+" "+grp] = generation
	}
	return s, installed.Err()
}

// key is everything that a table's fingerprint follows from.
func (s schema) key(c capture) memoKey {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %v", c.group, c.ID, c.Key)
	for _, col := range c.Columns {
		fmt.Fprintf(h, " %q %q %d %t", col.Name, col.Native, col.Kind, col.Folds)
	}
	seal := s.objects[c.seal().name].order
	for _, table := range []string{c.Name.Table, c.logName(), c.noteName()} {
		fmt.Fprintf(h, " %q", table)
		for _, text := range s.texts[table] {
			fmt.Fprintf(h, "%d:%s", len(text), text)
		}
	}
	for _, what := range every {
		fmt.Fprintf(h, " %t", s.objects[c.trigger(what)].order > seal)
	}
	fmt.Fprintf(h, " %q %t", s.generation[c.ID+" "+c.group], s.objects[c.noteName()].order > seal)
	return memoKey(h.Sum(nil))
}

func (d dialect) fingerprint(ctx context.Context, c *sql.Conn, t capture, there schema) (string, error) {
	generation, ok := there.generation[t.ID+" "+t.group]
	if !ok {
		return "", nil
	}
	now, err := d.Describe(ctx, c, t.Name.Table)
	if errors.Is(err, replication.ErrNoTable) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !same(t.SourceTable, now) || !t.whole(there.objects) {
		return "", nil
	}
	return digest(generation, t.SourceTable, now), nil
}

// whole reports whether the table's log, view and triggers are as they were made.
func (c capture) whole(there map[string]kept) bool {
	seal := c.seal()
	last := there[seal.name]
	for _, o := range append([]object{c.logTable(), seal}, c.triggers()...) {
		if k := there[o.name]; k.kind != o.kind || k.sql != o.kept() || k.order > last.order && o.kind != "table" {
			return false
		}
	}
	return there[c.trigger("insert")].table == c.Name.Table
}

// same reports whether the key and the ways to replace rows are those that t
// was described with. A column that is sent may have another type now: that is
// for the digest.
func same(t replication.SourceTable, now replication.Layout) bool {
	names := make([]string, len(t.Key))
	for i, k := range t.KeyColumns() {
		names[i] = k.Name
	}
	return t.Name.Table == now.Name.Table && slices.Equal(names, now.Key) && len(now.Cascades) == 0 && !now.View &&
		t.Hint == now.Hint
}

// digest is the fingerprint of a table that is whole; "" if a column that is
// sent is not there any more.
func digest(generation string, t replication.SourceTable, now replication.Layout) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", generation, t.Name)
	for _, want := range t.Columns {
		i := slices.IndexFunc(now.Columns, func(c replication.Column) bool { return c.Name == want.Name })
		if i < 0 {
			return ""
		}
		c := now.Columns[i]
		fmt.Fprintf(h, " %q %q %t %t %t", c.Name, c.Native, c.Nullable, c.Folds, c.Generated)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// memory keeps fingerprints by what they follow from. It is no state: without
// it, everything would be the same, but slower.
type memory struct {
	mu    sync.Mutex
	known map[memoKey]string // guarded by mu
}

type memoKey [sha256.Size]byte

var memo memory

// mostKnown bounds the memory. A schema that changes leaves entries behind.
const mostKnown = 4096

func (m *memory) get(k memoKey) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.known[k]
	return v, ok
}

func (m *memory) put(k memoKey, v string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= mostKnown {
		m.known = make(map[memoKey]string)
	}
	m.known[k] = v
}
