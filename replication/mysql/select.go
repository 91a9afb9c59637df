package mysql

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Select sorts a text by its bytes in UTF-8, unless its collation does that.
func (dialect) Select(t replication.SourceTable, after [][]byte, limit int) string {
	q := selected(t)
	key := t.KeyColumns()
	var where []string
	if t.Where != "" {
		where = append(where, "("+t.Where+")")
	}
	if after != nil && len(key) > 0 {
		where = append(where, beyond(key, after))
	}
	if len(where) > 0 {
		q += " WHERE " + strings.Join(where, " AND ")
	}
	if len(key) > 0 {
		q += " ORDER BY " + list(key, func(c replication.Column) string { return order(c, quote(c.Name)) })
	}
	if limit > 0 {
		q += " LIMIT " + strconv.Itoa(limit)
	}
	return q
}

func selected(t replication.SourceTable) string {
	return "SELECT " + list(t.Columns, func(c replication.Column) string { return read(c, quote(c.Name)) }) + " FROM " + qualified(t.Name)
}

// beyond is (k1, k2) > (v1, v2) in the words that both vendors find an index for.
func beyond(key []replication.Column, after [][]byte) string {
	var or []string
	for i := range key {
		and := make([]string, 0, i+1)
		for j := range i {
			and = append(and, order(key[j], quote(key[j].Name))+" = "+sortable(key[j], after[j]))
		}
		and = append(and, order(key[i], quote(key[i].Name))+" > "+sortable(key[i], after[i]))
		or = append(or, "("+strings.Join(and, " AND ")+")")
	}
	return "(" + strings.Join(or, " OR ") + ")"
}

// sortable is the value that compares with what order makes of the column.
func sortable(c replication.Column, v []byte) string {
	if seeks(c) {
		return literal(c, v)
	}
	if c.Fixed {
		v = []byte(strings.TrimRight(string(v), " "))
	}
	return "X'" + hex.EncodeToString(v) + "'"
}

// Lookup compares by the column's own collation, in its own charset, for the
// index, and then by the bytes.
func (dialect) Lookup(t replication.SourceTable, keys [][][]byte) string {
	columns := t.KeyColumns()
	or := make([]string, len(keys))
	for n, key := range keys {
		or[n] = "(" + joinAt(columns, " AND ", func(i int, c replication.Column) string {
			ref, v := quote(c.Name), literal(c, key[i])
			if !isText(c) {
				return ref + "=" + v
			}
			tt := typeOf(c)
			same := "CONVERT(" + v + " USING " + tt.charset + ")"
			if c.Fixed {
				return ref + "=" + same + " COLLATE " + tt.collation +
					" AND " + byBytes(c, ref) + "=" + byBytes(c, "TRIM(TRAILING ' ' FROM "+same+")")
			}
			if inByteOrder(tt.collation) {
				return ref + "=" + same + " COLLATE " + tt.collation
			}
			return ref + "=" + same + " COLLATE " + tt.collation + " AND CAST(" + ref + " AS BINARY)=CAST(" + same + " AS BINARY)"
		}) + ")"
	}
	if len(or) == 0 {
		or = []string{"FALSE"}
	}
	q := selected(t) + " WHERE (" + strings.Join(or, " OR ") + ")"
	if t.Where != "" {
		q += " AND (" + t.Where + ")"
	}
	return q
}

// SeeksKeys is true of keys whose every column an index has in the right order.
func (dialect) SeeksKeys(t replication.SourceTable) bool { return keySeeks(t.KeyColumns()) }
