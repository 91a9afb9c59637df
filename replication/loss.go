package replication

import (
	"fmt"
	"unicode/utf8"
)

// verdict says what may happen to values of one column in another.
type verdict uint8

const (
	lossless verdict = iota // the column holds whatever comes
	checked                 // it holds some values; what it does not hold is an error and not a loss
	refused                 // values would be changed or cut, and nobody would be told
)

// lossOf tells how values of the master's column from arrive in the replica's
// column to, which is there already, when they go through a carrier. The reason
// is a sentence for a person. For a lossless verdict it is empty, or says what
// a reader of the replica has to know.
//
// The rule is about what databases do silently: they round digits after the
// point, cut blanks and drop zones without an error, while a number that is too
// large is an error everywhere. What cannot be known from two columns, such as
// the range of the replica's years, is left to the database.
func lossOf(from, to Column, sameVendor bool) (verdict, string) {
	if to.Generated {
		return refused, "the replica's column is computed from other columns, and cannot be written"
	}
	v, reason := kindLoss(&from, &to, sameVendor)
	if v == lossless && from.Nullable && !to.Nullable {
		return checked, "the replica's column refuses NULL"
	}
	return v, reason
}

// keyLossOf is lossOf for a column of the key. There, two values that the master
// tells apart must not be one for the replica, or deleting the one would delete
// the other; and both sides must sort alike, so that they can be compared in one
// pass.
func keyLossOf(from, to Column, sameVendor bool) (verdict, string) {
	v, reason := lossOf(from, to, sameVendor)
	switch {
	case v == refused:
		return v, reason
	case to.Folds && !from.Folds:
		return refused, "the collation of the replica's column takes keys for equal that the master tells apart, as 'a' and 'A'; it needs a binary one"
	case to.Folds && !(sameVendor && from.Native == to.Native):
		return refused, "the collations may take different keys for equal; the replica's column needs a binary one"
	case !sortAlike(from.Kind, to.Kind):
		return refused, fmt.Sprintf("keys of kind %s sort in another order in a column of kind %s", from.Kind, to.Kind)
	case to.Folds:
		return checked, "both columns take different keys for equal; the replica's must have the same collation"
	}
	return v, reason
}

// sortAlike reports whether values keep their order in [CompareKeys] when they
// become the other kind's. Truth values sort as their numbers do.
func sortAlike(from, to Kind) bool {
	numeric := func(k Kind) bool { return k == Int || k == Decimal || k == Float }
	return numeric(from) == numeric(to) || from == Bool && numeric(to) || numeric(from) && to == Bool
}

// sameType reports whether two columns are of the very same type.
func sameType(from, to *Column, sameVendor bool) bool {
	return sameVendor && from.Kind == to.Kind && from.Native != "" && from.Native == to.Native
}

func kindLoss(from, to *Column, sameVendor bool) (verdict, string) {
	switch {
	case sameType(from, to, sameVendor):
		return lossless, ""
	case from.Kind == Native && !sameVendor:
		return refused, fmt.Sprintf("only the master's vendor has the type %s", from.Native)
	case from.Kind == Native || to.Kind == Native:
		return refused, fmt.Sprintf("a value of %s goes only into a column of the same type, and not into %s", typeName(from), typeName(to))
	case to.Kind == Text && from.Kind != Text:
		return textLoss(from, to)
	}
	switch (kinds{from.Kind, to.Kind}) {
	case kinds{Bool, Bool}, kinds{Date, Date}, kinds{UUID, UUID}, kinds{JSON, JSON}:
		return lossless, ""
	case kinds{Bool, Int}, kinds{Bool, Decimal}:
		if to.Kind == Decimal && to.limited() && (to.Scale < 0 || to.Precision-to.Scale < 1) {
			return refused, fmt.Sprintf("%s has no digit for 0 and 1", typeName(to))
		}
		return lossless, "arrives as 0 and 1"
	case kinds{Int, Bool}:
		return checked, "the replica's column holds only 0 and 1"
	case kinds{Decimal, Bool}:
		if !from.limited() || from.Scale > 0 {
			return refused, "numbers with digits after the point are no truth values"
		}
		return checked, "the replica's column holds only 0 and 1"
	case kinds{Int, Int}:
		return checked, fmt.Sprintf("%s may not hold the largest numbers of %s", typeName(to), typeName(from))
	case kinds{Int, Decimal}:
		const digits = 19 // of 64 bits
		switch {
		case !to.limited() || to.Scale >= 0 && to.Precision-to.Scale >= digits:
			return lossless, ""
		case to.Scale < 0:
			return refused, fmt.Sprintf("the last %d digits before the point would be rounded", -to.Scale)
		}
		return checked, fmt.Sprintf("%s holds only %d digits before the point", typeName(to), max(0, to.Precision-to.Scale))
	case kinds{Decimal, Int}:
		if !from.limited() || from.Scale > 0 {
			return refused, "digits after the point would be rounded away"
		}
		return checked, fmt.Sprintf("%s may not hold the largest numbers of %s", typeName(to), typeName(from))
	case kinds{Decimal, Decimal}:
		return decimalLoss(from, to)
	case kinds{Float, Float}:
		if from.bits() > to.bits() {
			return refused, "numbers of 64 bits would be rounded to 32"
		}
		return lossless, ""
	case kinds{Float, Decimal}:
		if !to.limited() {
			return checked, "the replica's column may refuse NaN, Infinity and the largest numbers"
		}
		return refused, fmt.Sprintf("would be rounded to %d digits after the point", to.Scale)
	case kinds{Int, Float}, kinds{Decimal, Float}:
		return refused, fmt.Sprintf("exact numbers would be rounded to the %d bits of a floating-point number", to.bits())
	case kinds{Text, Text}:
		return charLoss(from, to)
	case kinds{Text, Bytes}:
		if to.Size == 0 || from.Size > 0 && from.Size*utf8.UTFMax <= to.Size {
			return lossless, "arrives as the bytes of its UTF-8"
		}
		return checked, fmt.Sprintf("the replica's column holds at most %d bytes", to.Size)
	case kinds{Bytes, Bytes}:
		if to.Size == 0 || from.Size > 0 && from.Size <= to.Size {
			return lossless, ""
		}
		return checked, fmt.Sprintf("the replica's column holds at most %d bytes", to.Size)
	case kinds{Date, Timestamp}:
		return lossless, "arrives as midnight"
	case kinds{Time, Time}, kinds{Timestamp, Timestamp}, kinds{Instant, Instant}:
		return scaleLoss(from, to, "")
	case kinds{Instant, Timestamp}:
		return scaleLoss(from, to, "arrives as the time of day in UTC, without saying so")
	case kinds{Timestamp, Instant}:
		return refused, "a time without a zone would become a point in time by guessing the zone"
	case kinds{Timestamp, Date}, kinds{Instant, Date}:
		return refused, "the time of day would be cut off"
	case kinds{Timestamp, Time}, kinds{Instant, Time}:
		return refused, "the date would be cut off"
	case kinds{Date, Instant}:
		return refused, "a date would become a point in time by guessing the zone"
	}
	return refused, fmt.Sprintf("a %s does not go into a column of kind %s", from.Kind, to.Kind)
}

type kinds struct{ from, to Kind }

// limited reports whether a Decimal column limits its digits. One that does not
// also has any number of digits after the point.
func (c *Column) limited() bool { return c.Precision > 0 }

func typeName(c *Column) string {
	if c.Native != "" {
		return c.Native
	}
	return c.Kind.String()
}

func decimalLoss(from, to *Column) (verdict, string) {
	switch {
	case !to.limited():
		return lossless, ""
	case !from.limited() || from.Scale > to.Scale:
		return refused, fmt.Sprintf("would be rounded to %d digits after the point", to.Scale)
	case from.Precision-from.Scale > to.Precision-to.Scale:
		return checked, fmt.Sprintf("%s holds only %d digits before the point", typeName(to), max(0, to.Precision-to.Scale))
	}
	return lossless, ""
}

func charLoss(from, to *Column) (verdict, string) {
	switch {
	case to.Fixed && !from.Fixed:
		return refused, "blanks at the end would be lost"
	case to.Size == 0 || from.Size > 0 && from.Size <= to.Size:
		return lossless, ""
	}
	return checked, fmt.Sprintf("the replica's column holds at most %d characters", to.Size)
}

func scaleLoss(from, to *Column, note string) (verdict, string) {
	if from.Scale > to.Scale {
		return refused, fmt.Sprintf("fractions of a second would be rounded from %d digits to %d", from.Scale, to.Scale)
	}
	return lossless, note
}

// textLoss is for other kinds that arrive as text, in their own spelling.
func textLoss(from, to *Column) (verdict, string) {
	longest := 0 // 0: no limit
	switch from.Kind {
	case JSON:
	case Bool:
		longest = len("t")
	case Int:
		longest = len("-9223372036854775808")
	case Decimal:
		if from.limited() { // the sign, a zero and the point come on top of the digits
			longest = 3 + max(from.Precision, from.Scale, from.Precision-from.Scale)
		}
	case Float:
		longest = len("-1.7976931348623157e+308")
	case Date:
		longest = len("2006-01-02")
	case Time:
		longest = len("15:04:05.999999")
	case Timestamp:
		longest = len("2006-01-02 15:04:05.999999999")
	case Instant:
		longest = len("2006-01-02 15:04:05.999999999+00")
	case UUID:
		longest = len("01234567-89ab-cdef-0123-456789abcdef")
	default:
		return refused, fmt.Sprintf("a %s does not go into a column of kind %s", from.Kind, to.Kind)
	}
	note := fmt.Sprintf("arrives as the text of the %s", from.Kind)
	if to.Size == 0 || longest > 0 && longest <= to.Size {
		return lossless, note
	}
	return checked, fmt.Sprintf("%s, and the replica's column holds at most %d characters", note, to.Size)
}
