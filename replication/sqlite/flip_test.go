package sqlite_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/replication"
)

// TestViewsFlipAllAtOnce: readers of two views always see both of one
// generation, and never an error, whoever runs the flip's statements.
func TestViewsFlipAllAtOnce(t *testing.T) {
	db := open(t)
	c := conn(t, db)
	var tables []replication.TargetTable
	var published []replication.Publishing
	for _, name := range []string{"one", `t"w o`} {
		tt := replication.TargetTable{ID: "x", Name: replication.Name{Table: name}, Columns: []replication.Column{
			{Name: "id", Kind: replication.Int, Native: "INTEGER"}, {Name: "a b", Kind: replication.Int, Native: "INTEGER", Nullable: true}}}
		p := dialect.Publish(tt)
		exec(t, c, p.Create...)
		exec(t, c, p.Create...)
		exec(t, c, "INSERT INTO "+dialect.Quote(p.Copies(0))+" VALUES (1, 0)")
		tables, published = append(tables, tt), append(published, p)
	}
	if l := describe(t, c, "one"); !l.View || len(l.Columns) != 2 || l.Columns[1].Name != "a b" || l.Columns[1].Kind != replication.Int {
		t.Errorf("the view is %+v", l)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					if n == 0 {
						t.Error("nothing was read")
					}
					return
				default:
				}
				var a, b int
				if err := db.QueryRow(`SELECT (SELECT "a b" FROM one), (SELECT "a b" FROM "t""w o")`).Scan(&a, &b); err != nil || a != b {
					t.Errorf("read %d and %d, %v", a, b, err)
					return
				}
			}
		})
	}
	for generation := 1; generation <= 16; generation++ {
		var public, to []int
		for _, p := range published {
			var n int
			if err := c.QueryRowContext(t.Context(), p.Public).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n != (generation+1)%2 {
				t.Fatalf("generation %d: copy %d is public", generation, n)
			}
			exec(t, c, p.Clear(1-n)...)
			if _, err := c.ExecContext(t.Context(), "INSERT INTO "+dialect.Quote(p.Copies(1-n))+" VALUES (1, ?)", generation); err != nil {
				t.Fatal(err)
			}
			exec(t, c, p.Ready(1-n)...)
			public, to = append(public, n), append(to, 1-n)
		}
		if generation%2 == 0 { // by themselves
			exec(t, c, dialect.Flip(tables, to)...)
			continue
		}
		tx, err := dialect.Begin(t.Context(), c, replication.Write)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, c, dialect.Flip(tables, to)...)
		if generation == 7 { // a flip that does not commit is none
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if tx, err = dialect.Begin(t.Context(), c, replication.Write); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, c, published[0].Public); got != fmt.Sprint(public[0]) {
				t.Errorf("copy %s is public after Rollback", got)
			}
			exec(t, c, dialect.Flip(tables, to)...)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
}

func TestATableInPlaceOfTheViewIsNoCopy(t *testing.T) {
	c := conn(t, open(t))
	exec(t, c, `CREATE TABLE x (id INT)`)
	p := dialect.Publish(replication.TargetTable{Name: replication.Name{Table: "x"}, Columns: []replication.Column{{Name: "id", Kind: replication.Int, Native: "INT"}}})
	exec(t, c, p.Create...)
	if got := contents(t, c, p.Public); got != "-1" {
		t.Errorf("copy %s is public", got)
	}
}
