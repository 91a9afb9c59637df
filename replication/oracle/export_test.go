package oracle

import "github.com/ashlar-go/ashlar/replication"

// What the tests parse, run or feed.
var (
	DueQuery         = dueQuery
	ChangedQuery     = changedQuery
	FingerprintQuery = fingerprintQuery
	CandidatesQuery  = candidatesQuery
	IdentityQueries  = identityQueries
	RelaxStatements  = relaxStatements
	Object           = object
	CountLog         = countLog
	Explain          = explain
	TableLock        = tableLock
)

// SequenceStatements returns what Sequence runs for a table.
func SequenceStatements(group string, t replication.SourceTable) []string {
	return []string{mergeLog(t), emptyLog(t), noteSegments(group, t)}
}

// InsertStatement returns what Load runs.
func InsertStatement(table replication.Name, columns []replication.Column) string {
	return newArray(table, columns).statement
}

// TriggerBody returns what the trigger does for an event.
func TriggerBody(t replication.SourceTable) (insert, update, delete string) {
	b := triggerBody(t)
	return b.insert, b.update, b.delete
}

// Decode spells a value of the driver's for a column.
func Decode(c replication.Column, v any) ([]byte, error) {
	return resolve([]replication.Column{c}, nil)[0].decode(v)
}

// Encode returns what is bound for a value of a column.
func Encode(c replication.Column, v []byte) ([]byte, error) {
	return resolve([]replication.Column{c}, nil)[0].encode(v)
}

// Catalogued returns the column that the catalogue describes so.
func Catalogued(name, dataType, length, chars, used, precision, scale string, nullable bool) replication.Column {
	return catalogued{name: name, dataType: dataType, length: length, chars: chars, used: used, precision: precision, scale: scale, nullable: nullable}.column()
}

// Decimal reads and prints a number, and says why NUMBER does not hold it.
func Decimal(s string) (long, short, exceeds string, ok bool) {
	d, ok := parseDecimal(s)
	if !ok {
		return "", "", "", false
	}
	exceeds = d.exceeds()
	if exceeds == "" {
		long, short = d.String(), d.short()
	}
	return long, short, exceeds, true
}

// Moment reads and prints a date and time.
func Moment(s string) (plain, nano, reason string) {
	m, reason := parseMoment(s)
	if reason != "" {
		return "", "", reason
	}
	return m.String(), m.nano(), ""
}

// ParseType reads a type, and returns the one its text would be.
func ParseType(native string) (args []int, ok bool) {
	t, ok := parseType(native)
	return t.args, ok
}
