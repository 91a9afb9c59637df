package replication_test

import "testing"

// TestCopyIntoSwappedValuesOfAnExpressionIndex copies into rows that hold each
// other's values of a unique index on an expression, which no catalogue's list
// of unique columns has.
func TestCopyIntoSwappedValuesOfAnExpressionIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pg, pg)
	w.exec(w.source, "CREATE TABLE names (id INTEGER PRIMARY KEY, who VARCHAR(40) NOT NULL)")
	w.exec(w.source, "INSERT INTO names VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	w.exec(w.target, "CREATE TABLE names (id INTEGER PRIMARY KEY, who VARCHAR(40) NOT NULL)")
	w.exec(w.target, "CREATE UNIQUE INDEX ON names (lower(who))")
	w.exec(w.target, "INSERT INTO names VALUES (1, 'B'), (2, 'A'), (3, 'x')")
	r := w.started(nil, "names")
	w.equal("names")
	// The same on the way of changes.
	w.tx("UPDATE names SET who = 'z' WHERE id = 1", "UPDATE names SET who = 'A' WHERE id = 2", "UPDATE names SET who = 'b' WHERE id = 1")
	w.step(r)
	w.equal("names")
}
