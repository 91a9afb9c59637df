package oracle

import (
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// body is what a row trigger does, by event. It uses no name of Oracle's own but
// NLSSORT, so that the tests can run it elsewhere.
type body struct{ insert, update, delete string }

func triggerBody(t replication.SourceTable) body {
	key := resolveKey(t)
	log := func(row string) string {
		names, values := make([]string, len(key)), make([]string, len(key))
		for i, c := range key {
			names[i] = fmt.Sprintf("K%d", i+1)
			values[i] = row + "." + quote(c.Name)
		}
		return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s);",
			quote(logTable(t.ID)), strings.Join(names, ", "), strings.Join(values, ", "))
	}
	b := body{insert: log(":NEW"), delete: log(":OLD")}
	moved, sure := keyMoved(key)
	b.update = log(":NEW") + "\n"
	if sure {
		b.update += "IF " + moved + " THEN\n" + indent(log(":OLD")) + "\nEND IF;"
	} else {
		b.update += log(":OLD")
	}
	return b
}

// keyMoved returns the condition that an UPDATE changed the key, or false if
// there is none to rely on. It runs in the application's session, where text may
// be compared as a language does, to which a and A can be equal: so it compares
// the bytes. NLSSORT returns at most 2000 of them.
func keyMoved(key []column) (condition string, sure bool) {
	parts := make([]string, len(key))
	for i, c := range key {
		before, now := ":OLD."+quote(c.Name), ":NEW."+quote(c.Name)
		switch c.storage {
		case varchar, nvarchar, char, nchar:
			widest := 4 // bytes of a character
			if c.bytes {
				widest = 1
			}
			if c.storage == nvarchar || c.storage == nchar {
				widest = 4 // two of UTF-16, but for surrogates
			}
			if len(c.args) != 1 || c.args[0]*widest > 1990 {
				return "", false
			}
			const binary = ", 'NLS_SORT=BINARY')"
			parts[i] = "NLSSORT(" + before + binary + " <> NLSSORT(" + now + binary
		default:
			parts[i] = before + " <> " + now
		}
	}
	return strings.Join(parts, " OR "), true
}

// trigger wraps the body. A row trigger sees what BEFORE triggers made of the
// key, and fires for each row of MERGE and of cascading foreign keys.
func trigger(t replication.SourceTable) string {
	b := triggerBody(t)
	return "CREATE OR REPLACE TRIGGER " + quote(triggerName(t.ID)) + "\n" +
		"AFTER INSERT OR UPDATE OR DELETE ON " + quoteName(t.Name) + "\n" +
		"FOR EACH ROW\n" +
		"BEGIN\n" +
		"  IF INSERTING THEN\n" + indent(indent(b.insert)) + "\n" +
		"  ELSIF UPDATING THEN\n" + indent(indent(b.update)) + "\n" +
		"  ELSE\n" + indent(indent(b.delete)) + "\n" +
		"  END IF;\n" +
		"END;"
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

func resolveKey(t replication.SourceTable) []column {
	columns := resolve(t.Columns, t.Key)
	key := make([]column, len(t.Key))
	for i, n := range t.Key {
		key[i] = columns[n]
	}
	return key
}

// keyNames returns alias.K1, alias.K2, ... ; without the alias if that is "".
func keyNames(n int, alias string) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("K%d", i+1)
		if alias != "" {
			names[i] = alias + "." + names[i]
		}
	}
	return names
}
