package postgres

import "github.com/ashlar-go/ashlar/replication"

// What the tests of codec and positions need from the inside.
var (
	AppendField = appendField
	AppendBytes = appendBytes
	Fields      = fields
	Unhex       = unhex
	SplitName   = splitName
)

// LogName is the name of one of a table's two logs.
func LogName(t replication.SourceTable, n int) string { return captured{t}.log(n) }

// ChoiceName is the name of the sequence that chooses between them.
func ChoiceName(t replication.SourceTable) string { return captured{t}.choice() }

// TriggerName is the name of a table's trigger.
func TriggerName(t replication.SourceTable, suffix string) string { return captured{t}.trigger(suffix) }

// FunctionName is the name of a table's trigger function.
func FunctionName(t replication.SourceTable, suffix string) string {
	return captured{t}.function(suffix)
}

// Sees reports whether a position sees a transaction.
func Sees(position string, x int64) bool {
	s, err := parseSnapshot(position)
	return err == nil && s.sees(x)
}

// ParsePosition checks a position.
func ParsePosition(text string) error {
	_, err := parseSnapshot(text)
	return err
}

// Decode hands the rows of a COPY's bytes, which come in pieces, to fn.
func Decode(columns []replication.Column, fn func([][]byte) error, pieces ...[]byte) error {
	d := newDecoder(columns, fn)
	for _, p := range pieces {
		_, _ = d.Write(p)
	}
	return d.err
}
