package replication

import (
	"fmt"
	"slices"
)

// Row is one row of the master on its way to the replica, for a function that
// maps it. Columns go by the names that the master has for them, values by the
// spellings of their kinds (see [Kind]). It is valid until the function returns.
//
// A name that the row does not have, a value that is not in its kind's spelling,
// NULL for a column that has none, and a change of the key are mistakes. The row
// keeps the first one, which then ends the replication of the batch, so that a
// mapping function need not check for them:
//
//	func(r *replication.Row) (keep bool, err error) {
//		r.SetNull("password")
//		r.Set("email", strings.ToLower(r.Text("email")))
//		return !r.Null("name"), nil
//	}
type Row struct {
	columns []Column
	names   []string
	at      map[string]int // positions in columns, by name
	key     []int          // positions that must not be changed
	value   [][]byte
	own     [][]byte // what Set wrote, kept for the next row
	fault   error
}

// newRow makes a row of the columns, which is used for one after the other. The
// positions in key are not to be changed: of a row that is gone the key is all
// there is, and it has to find what was written for it.
func newRow(columns []Column, key ...int) *Row {
	r := &Row{
		columns: columns,
		names:   make([]string, len(columns)),
		at:      make(map[string]int, len(columns)),
		key:     key,
		value:   make([][]byte, len(columns)),
		own:     make([][]byte, len(columns)),
	}
	for i, c := range columns {
		r.names[i], r.at[c.Name] = c.Name, i
	}
	return r
}

// reset makes it the row of values, which it does not change.
func (r *Row) reset(values [][]byte) {
	copy(r.value, values)
	r.fault = nil
}

// values returns the values as they are now, valid until the next reset.
func (r *Row) values() [][]byte { return r.value }

// err returns the first mistake since reset.
func (r *Row) err() error { return r.fault }

// Names returns the columns' names in the order of the table. The slice is the
// row's own and not to be changed.
func (r *Row) Names() []string { return slices.Clip(r.names) }

// Text returns a column's value in its kind's spelling, or "" for NULL. The
// string remains valid.
func (r *Row) Text(name string) string {
	i, ok := r.find("read", name)
	if !ok {
		return ""
	}
	return string(r.value[i])
}

// Null reports whether a column is NULL.
func (r *Row) Null(name string) bool {
	i, ok := r.find("read", name)
	return ok && r.value[i] == nil
}

// Set changes a column's value to text, in its kind's spelling.
func (r *Row) Set(name, text string) {
	i, ok := r.find("set", name)
	if !ok {
		return
	}
	if r.own[i] == nil {
		r.own[i] = make([]byte, 0, max(16, len(text))) // not nil, which would be NULL
	}
	r.own[i] = append(r.own[i][:0], text...)
	c := &r.columns[i]
	if err := c.Kind.Check(r.own[i]); err != nil {
		r.fail("set", name, unprefixed(err))
		return
	}
	r.change(i, r.own[i])
}

// SetNull changes a column's value to NULL.
func (r *Row) SetNull(name string) {
	i, ok := r.find("set", name)
	switch {
	case !ok:
	case !r.columns[i].Nullable:
		r.fail("set", name, notNullable)
	default:
		r.change(i, nil)
	}
}

// The other mistakes.
const (
	noSuchColumn = "the row has no such column"
	notNullable  = "it cannot be NULL"
	keyStays     = "the key has to stay as it is"
)

// change writes a value, unless it would change the key.
func (r *Row) change(i int, value []byte) {
	if slices.Contains(r.key, i) {
		if _, equal := EqualRows(r.columns[i:i+1], r.value[i:i+1], [][]byte{value}); !equal {
			r.fail("set", r.names[i], keyStays)
		}
		return
	}
	r.value[i] = value
}

func (r *Row) find(verb, name string) (int, bool) {
	i, ok := r.at[name]
	if !ok {
		r.fail(verb, name, noSuchColumn)
	}
	return i, ok
}

func (r *Row) fail(verb, name, why string) {
	if r.fault == nil {
		r.fault = fmt.Errorf("replication: %s column %q of a row to map: %s", verb, name, why)
	}
}
