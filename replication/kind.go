package replication

import "fmt"

// Kind is what a column holds, in words that all vendors share. Values travel
// as text, in the one spelling that is given here for each kind, as bytes
// without quotes; nil is NULL. A dialect reads its columns into these spellings
// and writes its columns from them.
type Kind uint8

// The kinds.
const (
	// Native is a type that only its own vendor knows. It travels as that vendor
	// prints it, and only to a column of the same type of the same vendor;
	// elsewhere it is a [TypeLossError].
	Native Kind = iota
	// Bool is t or f.
	Bool
	// Int is an integer of at most 64 bits with sign, in decimal digits.
	// Column.Size is its bits where the database says them, else 0.
	Int
	// Decimal is an exact number: [-]digits[.digits], of any length, or NaN,
	// Infinity, -Infinity. Zeros at its end mean nothing.
	Decimal
	// Float is a number of IEEE 754 in the shortest text that reads back as the
	// same number, with or without exponent, or NaN, Infinity, -Infinity.
	// Column.Size is 32 or 64, its bits.
	Float
	// Text is UTF-8. Column.Size is the number of characters at most, 0 for no
	// limit; Column.Fixed says that blanks at the end mean nothing (CHAR).
	Text
	// Bytes is any bytes, as they are. Column.Size is their number at most.
	Bytes
	// Date is 2006-01-02: years 0001 to 9999 of the Gregorian calendar.
	Date
	// Time is 15:04:05[.999999], before 24:00:00.
	Time
	// Timestamp is 2006-01-02 15:04:05[.999999999], of no particular zone.
	// Column.Scale is the number of digits after the point.
	Timestamp
	// Instant is a point in time, 2006-01-02 15:04:05[.999999999]+00, in UTC.
	Instant
	// UUID is 32 lower-case hexadecimal digits in five groups.
	UUID
	// JSON is the text of a JSON value. Two texts of the same value are equal.
	JSON
)

var kindNames = [...]string{"native", "bool", "int", "decimal", "float", "text", "bytes",
	"date", "time", "timestamp", "instant", "uuid", "json"}

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Column is one column as a database describes it.
type Column struct {
	Name      string
	Kind      Kind
	Native    string // the vendor's name of the type, as in its DDL: numeric(10,2)
	Size      int    // see Int, Text, Bytes and Float
	Precision int    // Decimal: digits in all; 0: no limit
	Scale     int    // Decimal, Timestamp, Instant, Time: digits after the point
	Fixed     bool   // Text: blanks at the end mean nothing
	Folds     bool   // Text: the column's collation takes different texts for equal, as 'a' and 'A'
	Nullable  bool
	Generated bool // computed by the database from other columns: never sent
}
