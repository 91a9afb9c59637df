package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

func published(name string) replication.TargetTable {
	return replication.TargetTable{ID: "t", Name: replication.Name{Schema: "public", Table: name},
		Columns: []replication.Column{{Name: "Id", Kind: replication.Int, Native: "bigint"}, {Name: "v", Kind: replication.Text, Native: "text", Nullable: true}}, Key: []int{0}}
}

func TestFlipChangesTheViewAlone(t *testing.T) {
	db := open(t)
	c, reader := session(t, db), session(t, db)
	tables := []replication.TargetTable{published("Admin Users"), published(strings.Repeat("ü", 31))}
	flip := func(to int) error {
		tx, err := d.Begin(t.Context(), c, replication.Write)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range d.Flip(tables, []int{to, to}) {
			if _, err := c.ExecContext(t.Context(), q); err != nil {
				_ = tx.Rollback()
				return err
			}
		}
		return tx.Commit()
	}
	for _, tt := range tables {
		p := d.Publish(tt)
		do(t, c, p.Create...)
		do(t, c, p.Create...)
		if p.Copies(0) == p.Copies(1) {
			t.Fatal("both copies have one name")
		}
		if n := one[int](t, c, p.Public); n != 0 {
			t.Fatalf("copy %d is public", n)
		}
	}
	for round := 1; round < 4; round++ {
		n := round % 2
		for _, tt := range tables {
			p := d.Publish(tt)
			do(t, c, p.Clear(n)...)
			if _, err := d.Load(t.Context(), c, p.Copies(n), tt.Columns, rowsOf(values("1", fmt.Sprint("round ", round)))); err != nil {
				t.Fatal(err)
			}
			do(t, c, p.Ready(n)...)
		}
		if round == 2 { // a reader's transaction delays it, not longer than half a second
			do(t, reader, "BEGIN", "SELECT * FROM "+d.Quote(tables[1].Name))
			began := time.Now()
			if err := flip(n); d.Fault(err) != replication.Transient || time.Since(began) > 8*time.Second {
				t.Fatalf("a flip under a reader = %v after %v", err, time.Since(began))
			}
			do(t, reader, "COMMIT")
		}
		if err := flip(n); err != nil {
			t.Fatal(err)
		}
		for _, tt := range tables {
			p := d.Publish(tt)
			do(t, c, p.Create...) // does not flip back
			if got := one[int](t, c, p.Public); got != n {
				t.Fatalf("copy %d is public, want %d", got, n)
			}
			if got := one[string](t, reader, "SELECT v FROM "+d.Quote(tt.Name)); got != fmt.Sprint("round ", round) {
				t.Errorf("readers see %s", got)
			}
		}
	}
	do(t, c, "CREATE TABLE taken (id int)")
	var err error
	for _, q := range d.Publish(published("taken")).Create {
		if _, e := c.ExecContext(t.Context(), q); e != nil {
			err = e
		}
	}
	if err == nil || !strings.Contains(err.Error(), "not a view") {
		t.Errorf("a table in the place of the view: %v", err)
	}
}
