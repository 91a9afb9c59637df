package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// term is a part of an order, and a key's place in it.
type term struct {
	expr  string
	after string // of the key that is to be passed
	desc  bool
}

// order returns the terms by which the key's column sorts as CompareKeys has it.
// name is the column as SQL, with its table: SQLite takes a quoted name that no
// column has for a text.
func order(c replication.Column, name string, after []byte) []term {
	switch {
	case c.Kind == replication.Decimal && decimalText(c):
		value := "NULL"
		if after != nil {
			value = keyLiteral(c, after)
		}
		e, v := decimalOrder(name), decimalOrder(value)
		return []term{{e[0], v[0], false}, {e[1], v[1], false}, {e[2], v[2], true}}
	case c.Kind == replication.Native:
		// As it travels: by its text, not by SQLite's order of storage classes.
		return []term{{nativeText(name), literal(string(after)), false}}
	case c.Folds:
		name += " COLLATE BINARY"
	}
	return []term{{name, keyLiteral(c, after), false}}
}

// decimalText reports whether decimals of the column are text.
func decimalText(c replication.Column) bool {
	aff := affinityOf(c.Native)
	return aff == affText || aff == affBlob
}

// decimalOrder returns three expressions by which decimals in their normal form
// sort as numbers: the number of digits before the point with the sign; digits
// of numbers that are not negative; digits of negative ones, the other way round.
func decimalOrder(x string) [3]string {
	const huge = "1000000000" // digits, more than a text can have
	point := "instr(" + x + " || '.', '.')"
	return [3]string{
		"CASE WHEN " + x + " = '-Infinity' THEN -" + huge + " WHEN " + x + " = 'Infinity' THEN " + huge + " WHEN " + x + " = 'NaN' THEN " + huge + " + 1" +
			" WHEN substr(" + x + ", 1, 1) = '-' THEN 1 - " + point + " ELSE " + point + " END",
		"CASE substr(" + x + ", 1, 1) WHEN '-' THEN '' ELSE " + x + " END",
		"CASE substr(" + x + ", 1, 1) WHEN '-' THEN " + x + " ELSE '' END",
	}
}

// nativeText is a value as it travels, for all that decoders accept in a key.
func nativeText(x string) string {
	return "CASE typeof(" + x + ") WHEN 'text' THEN '''' || replace(" + x + ", '''', '''''') || '''' WHEN 'blob' THEN 'X''' || lower(hex(" + x + ")) || '''' ELSE " + x + " || '' END"
}

// keyLiteral is a key's value as SQL.
func keyLiteral(c replication.Column, v []byte) string {
	if v == nil {
		return "NULL"
	}
	x, err := encoderOf(c)(v)
	if err != nil {
		return literal(string(v)) // equal to nothing that the column can hold
	}
	switch x := x.(type) {
	case int64:
		if x == -1<<63 {
			return "(-9223372036854775807 - 1)" // the digits alone would be a float
		}
		return strconv.FormatInt(x, 10)
	case float64:
		return string(appendReal(nil, x))
	case []byte:
		return fmt.Sprintf("X'%X'", x)
	case string:
		return literal(x)
	}
	return "NULL"
}

// selecting is the query without conditions.
func selecting(t replication.SourceTable) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		as := plainColumn
		for _, k := range t.Key {
			if k == i {
				as = keyColumn
			}
		}
		b.WriteString(readable(quote(t.Name.Table)+"."+quote(c.Name), c.Kind) + " AS " + as)
	}
	return b.String() + " FROM " + table(t.Name)
}

// Select reads a table in the order of its key.
func (dialect) Select(t replication.SourceTable, after [][]byte, limit int) string {
	var conditions []string
	var terms []term
	for i, c := range t.KeyColumns() {
		var v []byte
		if after != nil {
			v = after[i]
		}
		terms = append(terms, order(c, quote(t.Name.Table)+"."+quote(c.Name), v)...)
	}
	if t.Where != "" {
		conditions = append(conditions, "("+t.Where+"\n)")
	}
	if after != nil && len(terms) > 0 {
		conditions = append(conditions, beyond(terms))
	}
	var q strings.Builder
	q.WriteString(selecting(t))
	if len(conditions) > 0 {
		q.WriteString(" WHERE " + strings.Join(conditions, " AND "))
	}
	for i, o := range terms {
		if i == 0 {
			q.WriteString(" ORDER BY ")
		} else {
			q.WriteString(", ")
		}
		q.WriteString(o.expr)
		if o.desc {
			q.WriteString(" DESC")
		}
	}
	if limit > 0 {
		q.WriteString(" LIMIT " + strconv.Itoa(limit))
	}
	return q.String()
}

// beyond is the condition for what comes after a key. SQLite uses an index for
// a comparison of rows, if all terms ascend.
func beyond(terms []term) string {
	var left, right []string
	for _, o := range terms {
		if o.desc {
			return beyondByTerm(terms)
		}
		left, right = append(left, o.expr), append(right, o.after)
	}
	return "(" + strings.Join(left, ", ") + ") > (" + strings.Join(right, ", ") + ")"
}

func beyondByTerm(terms []term) string {
	o, rest := terms[0], terms[1:]
	sign := " > "
	if o.desc {
		sign = " < "
	}
	q := o.expr + sign + o.after
	if len(rest) > 0 {
		q += " OR " + o.expr + " = " + o.after + " AND " + beyondByTerm(rest)
	}
	return "(" + q + ")"
}

// Lookup reads rows by their keys.
func (dialect) Lookup(t replication.SourceTable, keys [][][]byte) string {
	columns := t.KeyColumns()
	q := selecting(t) + " WHERE "
	left, folded := make([]string, len(columns)), make([]string, len(columns))
	folds := false
	for i, c := range columns {
		left[i] = quote(t.Name.Table) + "." + quote(c.Name)
		folded[i] = left[i]
		if c.Folds {
			folds, folded[i] = true, left[i]+" COLLATE BINARY"
		}
	}
	var values strings.Builder
	for n, key := range keys {
		if n > 0 {
			values.WriteString(", ")
		}
		values.WriteString("(")
		for i, c := range columns {
			if i > 0 {
				values.WriteString(", ")
			}
			values.WriteString(keyLiteral(c, key[i]))
		}
		values.WriteString(")")
	}
	in := func(left []string) string {
		if len(left) == 1 {
			// A list of values: they get the column's affinity, which is what the index has.
			return left[0] + " IN " + "(" + values.String() + ")"
		}
		return "(" + strings.Join(left, ", ") + ") IN (VALUES " + values.String() + ")"
	}
	q += in(left)
	if folds {
		q += " AND " + in(folded)
	}
	if t.Where != "" {
		q += " AND (" + t.Where + "\n)"
	}
	return q
}

// SeeksKeys reports whether the key's index sorts as its values do.
func (dialect) SeeksKeys(t replication.SourceTable) bool {
	for _, c := range t.KeyColumns() {
		if c.Folds || c.Kind == replication.Native || c.Kind == replication.Decimal && decimalText(c) {
			return false
		}
	}
	return len(t.Key) > 0
}
