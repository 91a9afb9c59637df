package oracle_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/internal/testservers"
	. "github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/oracle"
)

// The grammar works only with this version of its run time.
var grammar = []string{"antlr4ts-sql@1.1.0", "antlr4ts@0.5.0-alpha.4"}

// grammarFolder returns a folder that has the grammar, installing it at the
// first time.
func grammarFolder(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "ashlar-test", strings.NewReplacer("@", "-").Replace(strings.Join(grammar, "_")))
	_, err = os.Stat(dir)
	if err == nil {
		return dir
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	npm := testservers.Tool(t, "npm")
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	// Whole or not at all: another test binary may install at the same time.
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "installing-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	args := append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", fresh}, grammar...)
	if out, err := exec.CommandContext(t.Context(), npm, args...).CombinedOutput(); err != nil {
		testservers.Skip(t, "the npm packages "+strings.Join(grammar, " and "), fmt.Sprintf("npm install: %v: %.300s", err, out))
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// parse returns what the grammar says of each text: "" if it is PL/SQL.
func parse(t *testing.T, texts []string) []string {
	t.Helper()
	node := testservers.Tool(t, "node")
	folder := grammarFolder(t)
	input, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "gate.js"), folder)
	cmd.Stdin = bytes.NewReader(input)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the grammar: %v\n%s", err, &complaints)
	}
	var verdicts []string
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(texts) {
		t.Fatalf("the grammar answered %d of %d: %v", len(verdicts), len(texts), err)
	}
	return verdicts
}

// varies are the statements whose shape depends on the table's types; of the
// others one table's are enough for a slow grammar.
var varies = map[string]bool{"install": true, "changes": true, "select": true, "select a chunk": true,
	"lookup": true, "create": true, "staging": true, "rivals": true, "load": true}

// script ends a statement as a script has it.
func script(sql string) string {
	if strings.HasSuffix(sql, "END;") {
		return sql
	}
	return sql + ";"
}

// judge is parse with a memory: the grammar takes a second for some statements,
// and says the same each time.
func judge(t *testing.T, texts []string) []string {
	t.Helper()
	program, err := os.ReadFile(filepath.Join("testdata", "gate.js"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(grammarFolder(t), fmt.Sprintf("verdicts-%x.json", sha256.Sum256(program)))
	known := make(map[string]string)
	if old, err := os.ReadFile(file); err == nil {
		if json.Unmarshal(old, &known) != nil {
			clear(known)
		}
	}
	var unknown []string
	for _, text := range texts {
		if _, ok := known[text]; !ok {
			unknown = append(unknown, text)
		}
	}
	if len(unknown) > 0 {
		for i, verdict := range parse(t, unknown) {
			known[unknown[i]] = verdict
		}
		// Only what is asked for is kept, so that the file does not grow.
		keep := make(map[string]string, len(texts))
		for _, text := range texts {
			keep[text] = known[text]
		}
		if err := replaceFile(file, keep); err != nil {
			t.Fatal(err)
		}
	}
	verdicts := make([]string, len(texts))
	for i, text := range texts {
		verdicts[i] = known[text]
	}
	t.Logf("%d statements were parsed, %d were known", len(unknown), len(texts)-len(unknown))
	return verdicts
}

func replaceFile(file string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "verdicts-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// TestStatementsArePLSQL parses all that is generated, and the DDL inside of it,
// with a grammar of Oracle's language; and broken variants of the same texts,
// which it must refuse, or its consent would mean nothing. It does not know ALTER
// SESSION SET with a text, so that the pins are not among them.
func TestStatementsArePLSQL(t *testing.T) {
	var good []statement
	seen := make(map[string]bool)
	for _, s := range samples {
		for _, st := range s.statements() {
			if s.name != "composite" && !varies[strings.TrimPrefix(st.name, s.name+" ")] {
				continue
			}
			for _, st := range st.inner() {
				if !seen[st.sql] {
					seen[st.sql] = true
					good = append(good, st)
				}
			}
		}
	}
	for i, q := range oracle.IdentityQueries {
		good = append(good, statement{fmt.Sprintf("identity %d", i), q})
	}
	for _, q := range oracle.RelaxStatements {
		good = append(good, statement{"relax", q})
	}
	good = append(good,
		statement{"candidates", oracle.CandidatesQuery},
		statement{"count", oracle.CountLog(samples[0].source)},
		statement{"nothing due", oracle.DueQuery("g", nil)},
		statement{"no keys", dialect.Lookup(samples[0].source, nil)},
		statement{"keyless", dialect.Select(SourceTable{Name: Name{Table: "T"}, Columns: samples[0].source.Columns}, nil, 0)},
	)
	bad := broken(t)
	var texts []string
	for _, st := range slices.Concat(good, bad) {
		texts = append(texts, script(st.sql))
	}
	verdicts := judge(t, texts)
	for i, st := range good {
		if verdicts[i] != "" {
			t.Errorf("the grammar refuses %s: %s\n%s", st.name, verdicts[i], st.sql)
		}
	}
	for i, st := range bad {
		if verdicts[len(good)+i] == "" {
			t.Errorf("the grammar takes %s:\n%s", st.name, st.sql)
		}
	}
	t.Logf("%d statements taken, %d broken ones refused", len(good), len(bad))
}

// broken returns generated statements with one fault each.
func broken(t *testing.T) []statement {
	s := samples[1] // composite
	var trigger, makeLog string
	for _, q := range dialect.Install("g", []SourceTable{s.source}) {
		switch {
		case strings.HasPrefix(q, "CREATE OR REPLACE TRIGGER"):
			trigger = q
		case strings.HasPrefix(q, "DECLARE"):
			makeLog = q
		}
	}
	st := dialect.Staging(s.target())
	changes := dialect.Changes("g", s.source, "1", "2", SomeKeys)
	chunk := dialect.Select(s.source, s.after, 10)
	var out []statement
	for _, f := range []struct{ name, sql, from, to string }{
		{"a trigger without END IF", trigger, "    END IF;\n", ""},
		{"a trigger without THEN", trigger, "INSERTING THEN", "INSERTING"},
		{"a trigger without a semicolon", trigger, `"When");`, `"When")`},
		{"a misspelled TRIGGER", trigger, "TRIGGER", "TRIGGR"},
		{"a trigger with :NEW of nothing", trigger, `:NEW."Region's"`, ":NEW."},
		{"a trigger without parentheses", trigger, "(K1, K2, K3) VALUES (", "(K1, K2, K3 VALUES ("},
		{"a trigger without an event", trigger, "AFTER INSERT OR UPDATE OR DELETE ON", "AFTER ON"},
		{"ELSEIF", trigger, "ELSIF UPDATING THEN", "ELSEIF UPDATING THEN;"},
		{"a block without END", makeLog, "\nEND;", "\n;"},
		{"EXCEPTION without WHEN", makeLog, "WHEN OTHERS THEN", ""},
		{"EXECUTE without a text", makeLog, "EXECUTE IMMEDIATE 'DROP", "EXECUTE IMMEDIATE DROP"},
		{"ON CONFLICT", st.Insert, " WHERE s.", " ON CONFLICT DO NOTHING WHERE s."},
		{"MERGE without ON", st.Update, " s ON (", " s ("},
		{"MERGE without WHEN", st.Update, "WHEN MATCHED THEN UPDATE", "UPDATE"},
		{"LIMIT", chunk, "WHERE ROWNUM <= 10", "LIMIT 10"},
		{"an open string", chunk, "'O''Brien'", "'O'Brien'"},
		{"an open name", chunk, `"Order Lines?"`, `"Order Lines?`},
		{"a join without a condition's end", changes, "AND r.C5 = l.K3)", "AND r.C5 = )"},
		{"UNION of nothing", changes, "UNION SELECT", "UNION"},
		{"DELETE with an operator missing", st.Keep, "< :1", ":1"},
	} {
		sql := strings.Replace(f.sql, f.from, f.to, 1)
		if sql == f.sql {
			t.Errorf("%s: %q is not in\n%s", f.name, f.from, f.sql)
		}
		out = append(out, statement{f.name, sql})
	}
	return out
}
