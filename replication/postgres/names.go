package postgres

import (
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// captured names what is made for one table on the master. Columns of the key
// are k1, k2, ... in the logs, so that a log's text depends on no user's name.
type captured struct {
	replication.SourceTable
}

func (t captured) log(n int) string {
	return ident(schema) + "." + ident(fmt.Sprintf("log_%s_%d", t.ID, n))
}

// choice is a sequence whose last value, modulo 2, is the log to write to.
func (t captured) choice() string { return ident(schema) + "." + ident("log_"+t.ID+"_at") }

func (t captured) function(suffix string) string {
	return ident(schema) + "." + ident("log_"+t.ID+"_"+suffix)
}

func (t captured) trigger(suffix string) string { return "ashlar_" + t.ID + "_" + suffix }

// triggers of every captured table: rows that come, change and go, keys that
// change, and all rows at once.
var triggerSuffixes = [...]string{"ins", "upd", "del", "key", "all"}

func (t captured) triggers() []string {
	var names []string
	for _, s := range triggerSuffixes {
		names = append(names, t.trigger(s))
	}
	return names
}

// functions of every captured table: they log the keys of a transition table,
// of a new row, of an old row, and the marker for all rows.
var functionSuffixes = [...]string{"rows", "new", "old", "mark"}

// keys returns k1, k2, ... with a prefix each.
func (t captured) keys(prefix string) string {
	names := make([]string, len(t.Key))
	for i := range t.Key {
		names[i] = fmt.Sprintf("%sk%d", prefix, i+1)
	}
	return strings.Join(names, ", ")
}

// userKeys returns the key's columns by their own names, with a prefix each.
func (t captured) userKeys(prefix string) string { return columnList(prefix, t.KeyColumns()) }

// bytesOf is an expression that tells apart values which the type of a folding
// column takes for equal.
func bytesOf(c replication.Column, expression string) string {
	if !c.Folds {
		return expression
	}
	return "(" + expression + `)::text COLLATE "C"`
}

// grouping is the key in a log as expressions that tell apart all texts.
func (t captured) grouping() []string {
	names := make([]string, len(t.Key))
	for i, c := range t.KeyColumns() {
		names[i] = bytesOf(c, fmt.Sprintf("k%d", i+1))
	}
	return names
}

// distinct selects each key in a log once.
func (t captured) distinct() string {
	for _, c := range t.KeyColumns() {
		if c.Folds {
			return "DISTINCT ON (" + strings.Join(t.grouping(), ", ") + ")"
		}
	}
	return "DISTINCT" // which can hash; with ON it sorts
}

// joins is the condition that a row under the alias t has the key of a row of a
// log under the alias k. name gives the column of t.
func (t captured) joins(name func(i int, c replication.Column) string) string {
	var b strings.Builder
	for i, c := range t.KeyColumns() {
		if i > 0 {
			b.WriteString(" AND ")
		}
		own, logged := "t."+name(i, c), fmt.Sprintf("k.k%d", i+1)
		b.WriteString(own + " = " + logged)
		if c.Folds {
			b.WriteString(" AND " + bytesOf(c, own) + " = " + bytesOf(c, logged))
		}
	}
	return b.String()
}

func userName(_ int, c replication.Column) string { return ident(c.Name) }

func logName(i int, _ replication.Column) string { return fmt.Sprintf("k%d", i+1) }

// channel is where the triggers of a group notify.
func channel(group string) string { return "ashlar_" + shortHash("group", group) }
