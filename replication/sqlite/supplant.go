package sqlite

import (
	"errors"
	"strings"
)

// supplant is a way in which an INSERT OR REPLACE or UPDATE OR REPLACE deletes
// other rows: those that hold a unique value of the new one. SQLite fires their
// delete triggers only if the writer has set recursive_triggers, which is off
// by default. So the triggers before INSERT and UPDATE look for such rows.
//
// They look whenever a row is written, since a trigger cannot see the statement's
// conflict clause; a row that is logged without need is sent once more, as it is.
type supplant struct {
	changed string // condition on OLD and NEW: whether an UPDATE may supplant at all
	match   string // condition on the table and NEW: the rows that would go
}

// supplantBy returns the way through a unique index.
func (d *describer) supplantBy(x index) (supplant, error) {
	if x.plain() {
		var s supplant
		for i, p := range x.parts {
			if i > 0 {
				s.changed += " OR "
				s.match += " AND "
			}
			col, coll := quote(p.column), " COLLATE "+quote(p.collation)
			s.changed += "OLD." + col + " IS NOT NEW." + col + coll
			s.match += col + " = " + d.incoming(p.column) + coll
		}
		return s, nil
	}
	parts, where, err := splitIndex(x.source)
	if err != nil {
		return supplant{}, err
	}
	if len(parts) != len(x.parts) {
		return supplant{}, errors.New("its expressions are not understood")
	}
	var match []string
	for i, p := range x.parts {
		coll := " COLLATE " + quote(p.collation)
		if p.column != "" {
			match = append(match, quote(p.column)+" = "+d.incoming(p.column)+coll)
			continue
		}
		// The expression's columns are found in the inner query there, and in the
		// table here, so that its text need not be understood.
		match = append(match, "("+parts[i]+") = (SELECT "+parts[i]+" FROM ("+d.incomingRow()+"))"+coll)
	}
	if where != "" {
		match = append(match, "("+where+"\n)") // a comment may end it
	}
	return supplant{changed: "1", match: strings.Join(match, " AND ")}, nil
}

// incoming is the value that a column of the new row will have.
func (d *describer) incoming(column string) string {
	v := "NEW." + quote(column)
	if def := d.defaultOf(column); def != "" {
		return "ifnull(" + v + ", (" + def + "))"
	}
	return v
}

func (d *describer) incomingRow() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, c := range d.info {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.incoming(c.name) + " AS " + quote(c.name))
	}
	return b.String()
}

// What Install needs of the ways travels in the layout's hint, as parts that
// end with semicolons.
var (
	noteEscape   = strings.NewReplacer("%", "%25", ";", "%3B")
	noteUnescape = strings.NewReplacer("%25", "%", "%3B", ";")
)

// hint writes ways for supplants.
func hint(ways []supplant) string {
	var b strings.Builder
	for _, s := range ways {
		b.WriteString(noteEscape.Replace(s.changed) + ";" + noteEscape.Replace(s.match) + ";")
	}
	return b.String()
}

// supplants returns what hint wrote.
func supplants(hint string) (ways []supplant) {
	parts := strings.Split(hint, ";")
	for i := 0; i+2 < len(parts); i += 2 {
		ways = append(ways, supplant{noteUnescape.Replace(parts[i]), noteUnescape.Replace(parts[i+1])})
	}
	return ways
}
