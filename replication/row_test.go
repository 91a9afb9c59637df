package replication

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func people() *Row {
	return newRow([]Column{
		{Name: "id", Kind: Int},
		{Name: "name", Kind: Text},
		{Name: "born", Kind: Date, Nullable: true},
		{Name: "Photo", Kind: Bytes, Nullable: true},
	}, 0)
}

func TestRowReadsAndWritesByName(t *testing.T) {
	r := people()
	r.reset(rowOf("1", "Ann", "NULL", "\xff"))
	if got := r.Names(); !slices.Equal(got, []string{"id", "name", "born", "Photo"}) {
		t.Errorf("names are %q", got)
	}
	if r.Text("name") != "Ann" || r.Text("born") != "" || r.Text("Photo") != "\xff" || !r.Null("born") || r.Null("id") {
		t.Errorf("reads %q", r.values())
	}
	r.Set("name", "")
	r.Set("born", "2000-02-29")
	r.SetNull("Photo")
	if got := r.values(); string(got[0]) != "1" || got[1] == nil || len(got[1]) != 0 || string(got[2]) != "2000-02-29" || got[3] != nil {
		t.Errorf("values are %q", got)
	}
	if r.Null("name") || !r.Null("Photo") || r.Text("born") != "2000-02-29" {
		t.Error("does not read what was set")
	}
	if err := r.err(); err != nil {
		t.Error(err)
	}
}

func TestRowForgetsWhatWasSetInTheRowBefore(t *testing.T) {
	r := people()
	first := rowOf("1", "Ann", "NULL", "NULL")
	r.reset(first)
	r.Set("name", "a longer name than before")
	r.Set("nobody", "")
	kept := r.Text("name")
	if string(first[1]) != "Ann" {
		t.Error("changes the slice of the caller")
	}
	r.reset(rowOf("2", "Bob", "2000-01-01", "x"))
	if r.Text("name") != "Bob" || r.err() != nil {
		t.Errorf("%q, %v", r.values(), r.err())
	}
	r.Set("name", "Cy")
	if kept != "a longer name than before" {
		t.Errorf("a text that was read became %q", kept)
	}
}

func TestRowKeepsTheFirstMistake(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*Row)
		want string
	}{
		{"unknown, set", func(r *Row) { r.Set("nobody", "x") }, `set column "nobody"`},
		{"unknown, set to NULL", func(r *Row) { r.SetNull("nobody") }, `set column "nobody"`},
		{"unknown, read", func(r *Row) { _ = r.Text("nobody") }, `read column "nobody"`},
		{"unknown, asked for NULL", func(r *Row) { _ = r.Null("photo") }, `read column "photo"`},
		{"misspelled", func(r *Row) { r.Set("born", "yesterday") }, `"yesterday" is no date`},
		{"not UTF-8", func(r *Row) { r.Set("name", "\xff") }, "is no text"},
		{"NOT NULL", func(r *Row) { r.SetNull("name") }, "cannot be NULL"},
		{"key changed", func(r *Row) { r.Set("id", "2") }, "key has to stay"},
		{"key to NULL", func(r *Row) { r.SetNull("id") }, "cannot be NULL"},
	} {
		r := people()
		r.reset(rowOf("1", "Ann", "2000-01-01", "NULL"))
		tt.do(r)
		err := r.err()
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "replication: ") != 1 {
			t.Errorf("%s: error is %v, want one with %s", tt.name, err, tt.want)
		}
		r.Set("Photo", "fine")
		r.Set("somebody", "else")
		if again := r.err(); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: the error becomes %v", tt.name, again)
		}
		if got := fmt.Sprintf("%s", r.values()[:3]); got != "[1 Ann 2000-01-01]" {
			t.Errorf("%s: a mistake changes the row to %s", tt.name, got)
		}
	}
	r := people()
	r.reset(rowOf("1", "Ann", "NULL", "NULL"))
	if r.Set("id", "01"); r.err() != nil {
		t.Errorf("the same key in another spelling: %v", r.err())
	}
}

func TestRowIsReusedWithoutAllocation(t *testing.T) {
	r, values := people(), rowOf("1", "Ann", "2000-01-01", "NULL")
	if n := testing.AllocsPerRun(100, func() {
		r.reset(values)
		r.Set("name", "Bob")
		r.SetNull("born")
		if r.Null("name") || len(r.values()) != 4 || len(r.Names()) != 4 || r.err() != nil {
			t.Fatal(r.err())
		}
	}); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}
