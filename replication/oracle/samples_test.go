package oracle_test

import (
	"fmt"
	"regexp"
	"strings"

	. "github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/oracle"
)

var dialect = oracle.Dialect

// sample is a table that statements are generated for.
type sample struct {
	name   string
	source SourceTable
	after  [][]byte // a key
	unique [][]string
}

func (s sample) target() TargetTable {
	return TargetTable{ID: s.source.ID, Name: s.source.Name, Columns: s.source.Columns, Key: s.source.Key, Unique: s.unique}
}

func values(texts ...string) [][]byte {
	out := make([][]byte, len(texts))
	for i, t := range texts {
		out[i] = []byte(t)
	}
	return out
}

var samples = []sample{
	{
		name: "articles",
		source: SourceTable{
			ID:   "articles_0123456789",
			Name: Name{Table: "ARTICLES"},
			Columns: []Column{
				{Name: "ID", Kind: Int, Native: "NUMBER(18)"},
				{Name: "TITLE", Kind: Text, Native: "VARCHAR2(200 CHAR)", Size: 200, Nullable: true},
				{Name: "BODY", Kind: Text, Native: "CLOB", Nullable: true},
			},
			Key: []int{0},
		},
		after:  values("42"),
		unique: [][]string{{"TITLE"}},
	},
	{
		name: "composite",
		source: SourceTable{
			ID:   "a_table_with_a_long_name",
			Name: Name{Schema: "Shop Floor", Table: "Order Lines?"},
			Columns: []Column{
				{Name: "note", Kind: Text, Native: "NVARCHAR2(100)", Size: 100, Nullable: true},
				{Name: "Region's", Kind: Text, Native: "VARCHAR2(20 BYTE)", Size: 20},
				{Name: "group", Kind: Text, Native: "CHAR(4 CHAR)", Size: 4, Fixed: true},
				{Name: "Größe", Kind: Decimal, Native: "NUMBER(10,2)", Precision: 10, Scale: 2, Nullable: true},
				{Name: "When", Kind: Timestamp, Native: "DATE"},
			},
			Key:   []int{1, 2, 4},
			Where: `"note" IS NULL OR "Größe" > 0 -- all but drafts`,
		},
		after:  values("O'Brien\n", "", "2024-02-29 23:59:59"),
		unique: [][]string{{"note", "Größe"}, {"When", "note"}, {"elsewhere"}},
	},
	{
		name: "everything",
		source: SourceTable{
			ID:   "everything",
			Name: Name{Schema: "APP", Table: "EVERYTHING"},
			Columns: []Column{
				{Name: "K", Kind: Bytes, Native: "RAW(16)", Size: 16},
				{Name: "N", Kind: Decimal, Native: "NUMBER", Nullable: true},
				{Name: "F", Kind: Decimal, Native: "FLOAT(126)", Nullable: true},
				{Name: "BF", Kind: Float, Size: 32, Native: "BINARY_FLOAT", Nullable: true},
				{Name: "BD", Kind: Float, Size: 64, Native: "BINARY_DOUBLE", Nullable: true},
				{Name: "C", Kind: Text, Native: "CHAR(10 BYTE)", Size: 10, Fixed: true, Nullable: true},
				{Name: "NC", Kind: Text, Native: "NCHAR(10)", Size: 10, Fixed: true, Nullable: true},
				{Name: "CL", Kind: Text, Native: "CLOB", Nullable: true},
				{Name: "NCL", Kind: Text, Native: "NCLOB", Nullable: true},
				{Name: "BL", Kind: Bytes, Native: "BLOB", Nullable: true},
				{Name: "D", Kind: Timestamp, Native: "DATE", Nullable: true},
				{Name: "TS", Kind: Timestamp, Native: "TIMESTAMP(9)", Scale: 9, Nullable: true},
				{Name: "TZ", Kind: Instant, Native: "TIMESTAMP(6) WITH TIME ZONE", Scale: 6, Nullable: true},
				{Name: "LTZ", Kind: Instant, Native: "TIMESTAMP(6) WITH LOCAL TIME ZONE", Scale: 6, Nullable: true},
				{Name: "YM", Kind: Native, Native: "INTERVAL YEAR(2) TO MONTH", Nullable: true},
				{Name: "DS", Kind: Native, Native: "INTERVAL DAY(2) TO SECOND(6)", Nullable: true},
				{Name: "R", Kind: Native, Native: "ROWID", Nullable: true},
				{Name: "FLAG", Kind: Bool, Native: "NUMBER(1)", Nullable: true},
			},
			Key: []int{0},
		},
		after: [][]byte{{0x00, 0xff, 0x10}},
	},
	{
		name: "texts",
		source: SourceTable{
			ID:   "texts",
			Name: Name{Table: "TEXTS"},
			Columns: []Column{
				{Name: "A", Kind: Text, Native: "NVARCHAR2(50)", Size: 50},
				{Name: "B", Kind: Text, Native: "NCHAR(3)", Size: 3, Fixed: true},
				{Name: "C", Kind: Text, Native: "VARCHAR2(4000 BYTE)", Size: 4000, Folds: true},
				{Name: "D", Kind: Instant, Native: "TIMESTAMP(3) WITH LOCAL TIME ZONE", Scale: 3},
				{Name: "E", Kind: Float, Size: 64, Native: "BINARY_DOUBLE"},
				{Name: "F", Kind: Native, Native: "INTERVAL DAY(2) TO SECOND(6)"},
				{Name: "G", Kind: Timestamp, Native: "TIMESTAMP(6)", Scale: 6},
			},
			Key: []int{0, 1, 2, 3, 4, 5, 6},
		},
		after: values("ä", "b", "C\x00", "2024-01-02 03:04:05.5+00", "-Infinity", "+01 02:03:04.000000", "2024-01-02 03:04:05.25"),
	},
	{ // as from another vendor
		name: "foreign",
		source: SourceTable{
			ID:   "foreign",
			Name: Name{Schema: "app", Table: "foreign"},
			Columns: []Column{
				{Name: "name", Kind: Text, Native: "text"},
				{Name: "at", Kind: Instant, Native: "timestamp with time zone", Scale: 6},
				{Name: "hash", Kind: Bytes, Native: "bytea"},
				{Name: "ok", Kind: Bool, Native: "boolean", Nullable: true},
				{Name: "n", Kind: Int, Native: "bigint", Nullable: true},
				{Name: "price", Kind: Decimal, Native: "numeric(12,3)", Precision: 12, Scale: 3, Nullable: true},
				{Name: "any", Kind: Decimal, Native: "numeric", Nullable: true},
				{Name: "day", Kind: Date, Native: "date", Nullable: true},
				{Name: "clock", Kind: Time, Native: "time without time zone", Nullable: true},
				{Name: "doc", Kind: JSON, Native: "jsonb", Nullable: true},
				{Name: "uid", Kind: UUID, Native: "uuid", Nullable: true},
				{Name: "short", Kind: Text, Size: 20, Native: "character varying(20)", Nullable: true},
				{Name: "f", Kind: Float, Size: 32, Native: "real", Nullable: true},
				{Name: "Mixed", Kind: Timestamp, Native: "timestamp without time zone", Scale: 6, Nullable: true},
			},
			Key: []int{0, 1, 2},
		},
		after: values("x", "2024-01-02 03:04:05+00", "\x01"),
	},
	{
		name: "keyonly",
		source: SourceTable{
			ID:      "keyonly",
			Name:    Name{Table: "KEYONLY"},
			Columns: []Column{{Name: "A", Kind: Int, Native: "NUMBER(9)"}, {Name: "B", Kind: Int, Native: "NUMBER(9)"}},
			Key:     []int{1, 0},
		},
		after: values("-1", "7"),
	},
}

// statement is one generated statement, and what it is.
type statement struct{ name, sql string }

// statements returns all that is generated for a sample.
func (s sample) statements() []statement {
	var out []statement
	add := func(name string, texts ...string) {
		for _, text := range texts {
			out = append(out, statement{s.name + " " + name, text})
		}
	}
	const group = "Group 1"
	tables := []SourceTable{s.source}
	add("install", dialect.Install(group, tables)...)
	add("uninstall", dialect.Uninstall(group, tables)...)
	add("due", oracle.DueQuery(group, tables))
	add("sequence", oracle.SequenceStatements(group, s.source)...)
	add("changed", oracle.ChangedQuery(group, tables, "17"))
	add("changes", dialect.Changes(group, s.source, "17", "18", SomeKeys))
	add("fingerprint", oracle.FingerprintQuery(group, s.source))
	add("select", dialect.Select(s.source, nil, 0))
	add("select a chunk", dialect.Select(s.source, s.after, 1000))
	add("lookup", dialect.Lookup(s.source, [][][]byte{s.after, s.after}))
	target := s.target()
	add("create", dialect.Create(target)...)
	st := dialect.Staging(target)
	add("staging", st.Create...)
	add("staging", st.Clear...)
	add("staging", st.Ready...)
	add("staging", st.DeleteGone, st.DeleteStaged, st.DeleteOthers)
	add("rivals", st.DeleteRivals...)
	add("staging", st.Update, st.Insert, st.Keep)
	add("load", oracle.InsertStatement(target.Name, target.Columns))
	p := dialect.Publish(target)
	add("publish", p.Create...)
	add("publish", p.Public)
	for n := range 2 {
		add("publish", p.Clear(n)...)
		add("publish", p.Ready(n)...)
	}
	add("flip", dialect.Flip([]TargetTable{target, {ID: "other", Name: Name{Table: "OTHER"}}, {ID: "third", Name: target.Name}}, []int{1, 0, 1})...)
	return out
}

// inner returns the statement and those that it executes from text, which no
// grammar sees otherwise.
func (s statement) inner() []statement {
	out := []statement{s}
	for _, m := range executed.FindAllStringSubmatch(s.sql, -1) {
		out = append(out, statement{s.name + ", executed", strings.ReplaceAll(m[1], "''", "'")})
	}
	return out
}

var executed = regexp.MustCompile(`EXECUTE IMMEDIATE '((?:[^']|'')*)';`)

func (s statement) String() string { return fmt.Sprintf("-- %s\n%s\n", s.name, s.sql) }
