package oracle

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// storage is how a column's values are kept, read and written.
type storage uint8

const (
	opaque storage = iota // has no text here
	number
	binaryFloat
	binaryDouble
	varchar
	nvarchar
	char
	nchar
	clob
	nclob
	raw
	blob
	date
	timestamp
	timestampTZ
	timestampLTZ
	intervalYM
	intervalDS
	rowid
	boolean
	jsonType
)

var storages = map[string]storage{
	"NUMBER": number, "FLOAT": number,
	"BINARY_FLOAT": binaryFloat, "BINARY_DOUBLE": binaryDouble,
	"VARCHAR2": varchar, "NVARCHAR2": nvarchar, "CHAR": char, "NCHAR": nchar,
	"CLOB": clob, "NCLOB": nclob, "RAW": raw, "BLOB": blob,
	"DATE": date, "TIMESTAMP": timestamp,
	"TIMESTAMP WITH TIME ZONE":       timestampTZ,
	"TIMESTAMP WITH LOCAL TIME ZONE": timestampLTZ,
	"INTERVAL YEAR TO MONTH":         intervalYM,
	"INTERVAL DAY TO SECOND":         intervalDS,
	"ROWID":                          rowid, "BOOLEAN": boolean, "JSON": jsonType,
}

// lob reports whether a storage keeps any length, and tells empty from NULL.
func (s storage) lob() bool { return s == clob || s == nclob || s == blob }

// ddlType is a type as Oracle's DDL has it, such as NUMBER(10,2).
type ddlType struct {
	text    string
	storage storage
	base    string
	args    []int // in their order; * is missing
	bytes   bool  // VARCHAR2(10 BYTE)
}

// parseType reads a type of Oracle's. Other vendors' come in lower case, so
// that a date of PostgreSQL's is not taken for one.
func parseType(native string) (ddlType, bool) {
	t := ddlType{text: native}
	rest := native
	for {
		before, after, ok := strings.Cut(rest, "(")
		t.base += before
		if !ok {
			break
		}
		args, tail, ok := strings.Cut(after, ")")
		if !ok {
			return ddlType{}, false
		}
		for arg := range strings.SplitSeq(args, ",") {
			digits, unit, _ := strings.Cut(strings.TrimSpace(arg), " ")
			n, err := strconv.Atoi(digits)
			if err != nil {
				return ddlType{}, false
			}
			t.args = append(t.args, n)
			t.bytes = t.bytes || unit == "BYTE"
		}
		rest = tail
	}
	var ok bool
	t.storage, ok = storages[t.base]
	return t, ok
}

// column is a column with the type that it has here.
type column struct {
	replication.Column
	ddlType
}

// resolve finds the type of each column: as it was described, else as Create
// makes it.
func resolve(columns []replication.Column, key []int) []column {
	out := make([]column, len(columns))
	for i, c := range columns {
		out[i].Column = c
		if t, ok := parseType(c.Native); ok {
			out[i].ddlType = t
			continue
		}
		ddl, _ := dialect{}.Type(c)
		out[i].ddlType, _ = parseType(ddl)
	}
	for _, i := range key {
		if t, ok := keyType(out[i], len(key)); ok {
			out[i].ddlType = t
		}
	}
	return out
}

// keyType replaces the types that no index takes. Its bounds let all parts of
// the key fit into a block of 8 KiB, of which an index takes 6398 bytes.
func keyType(c column, parts int) (ddlType, bool) {
	if _, described := parseType(c.Native); described {
		return ddlType{}, false
	}
	ddl := ""
	switch c.storage {
	case clob:
		ddl = fmt.Sprintf("VARCHAR2(%d CHAR)", min(1000, 1500/parts))
	case blob:
		ddl = fmt.Sprintf("RAW(%d)", min(2000, 6000/parts))
	case timestampTZ:
		ddl = fmt.Sprintf("TIMESTAMP(%d) WITH LOCAL TIME ZONE", c.args[0])
	default:
		return ddlType{}, false
	}
	return parseType(ddl)
}

// Type maps kinds to types; a type of Oracle's own stays what it is. As part of
// a key, CLOB and BLOB become VARCHAR2 and RAW of what an index takes, and
// TIMESTAMP WITH TIME ZONE becomes WITH LOCAL TIME ZONE.
func (dialect) Type(c replication.Column) (ddl, loss string) {
	if t, ok := parseType(c.Native); ok && t.storage != opaque {
		return t.text, ""
	}
	switch c.Kind {
	case replication.Bool:
		return "NUMBER(1)", ""
	case replication.Int:
		return "NUMBER(19)", ""
	case replication.Decimal:
		if 0 < c.Precision && c.Precision <= 38 && -84 <= c.Scale && c.Scale <= 127 {
			return fmt.Sprintf("NUMBER(%d,%d)", c.Precision, c.Scale), ""
		}
		return "NUMBER", "numbers of more than 39 digits, NaN and the infinities"
	case replication.Float:
		if c.Size == 32 {
			return "BINARY_FLOAT", ""
		}
		return "BINARY_DOUBLE", ""
	case replication.Text:
		// 4000 bytes are 1000 characters of the longest sort.
		if 0 < c.Size && c.Size <= 1000 {
			return fmt.Sprintf("VARCHAR2(%d CHAR)", c.Size), emptyLoss
		}
		return "CLOB", ""
	case replication.Bytes:
		if 0 < c.Size && c.Size <= 2000 {
			return fmt.Sprintf("RAW(%d)", c.Size), emptyLoss
		}
		return "BLOB", ""
	case replication.Date:
		return "DATE", ""
	case replication.Time:
		return "VARCHAR2(18 CHAR)", ""
	case replication.Timestamp:
		return fmt.Sprintf("TIMESTAMP(%d)", min(max(c.Scale, 0), 9)), ""
	case replication.Instant:
		return fmt.Sprintf("TIMESTAMP(%d) WITH TIME ZONE", min(max(c.Scale, 0), 9)), ""
	case replication.UUID:
		return "VARCHAR2(36 CHAR)", ""
	case replication.JSON:
		return "CLOB", ""
	}
	return "", ""
}

const emptyLoss = "the empty value, which is NULL on Oracle"
