package replication_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/sqlite"
)

// embedded makes an SQLite file and runs statements in it. With PostgreSQL it
// would be sql.Open("pgx", ...) and postgres.Dialect, with MariaDB
// sql.Open("mysql", ...) and mysql.Dialect; nothing else changes.
func embedded(folder, name string, ddl ...string) replication.End {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, name)+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	statements(db, ddl...)
	return replication.End{DB: db, Dialect: sqlite.Dialect}
}

func statements(db *sql.DB, queries ...string) {
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			log.Fatal(err)
		}
	}
}

func show(db *sql.DB, query string) {
	rows, err := db.Query(query)
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			log.Fatal(err)
		}
		fmt.Println(id, text)
	}
}

// files are a master, with what statements make there, and an empty replica.
func files(ddl ...string) (master, replica replication.End, remove func()) {
	dir, err := os.MkdirTemp("", "replication")
	if err != nil {
		log.Fatal(err)
	}
	master, replica = embedded(dir, "master", ddl...), embedded(dir, "replica")
	return master, replica, func() {
		_ = errors.Join(master.DB.Close(), replica.DB.Close(), os.RemoveAll(dir))
	}
}

// A replica that is copied once and then follows. A service calls Run, which
// does both and goes on until its context ends; Step is one round of it.
func Example() {
	master, replica, remove := files("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT)", "INSERT INTO articles VALUES (1, 'First'), (2, 'Second')")
	defer remove()

	ctx := context.Background()
	r, err := replication.New(replication.Config{
		Node:   "web07",
		Source: master, Target: replica,
		Tables: []replication.Table{{Source: "articles"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if err := r.Install(ctx); err != nil { // triggers and a log on the master
		log.Fatal(err)
	}
	if err := r.Copy(ctx); err != nil {
		log.Fatal(err)
	}
	statements(master.DB, "UPDATE articles SET title = 'Second, corrected' WHERE id = 2", "DELETE FROM articles WHERE id = 1", "INSERT INTO articles VALUES (3, 'Third')")
	rows, err := r.Step(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rows, "keys had changed")
	show(replica.DB, "SELECT id, title FROM articles ORDER BY id")
	// Output:
	// 3 keys had changed
	// 2 Second, corrected
	// 3 Third
}

// Run ends with its context, and with an error only when it cannot help itself:
// a server that is down is tried again for ever.
func ExampleReplicator_Run() {
	master, replica, remove := files("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT)", "INSERT INTO articles VALUES (1, 'First')")
	defer remove()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := replication.New(replication.Config{
		Node:   "web07",
		Source: master, Target: replica,
		Tables: []replication.Table{{Source: "articles"}},
		Trace: &replication.Trace{
			Copied:  func(c replication.CopyInfo) { fmt.Println("copied", c.Table, c.Rows) },
			Applied: func(replication.AppliedInfo) { cancel() }, // enough for an example
			Retry:   func(err error, wait time.Duration) { log.Print(err, ", again in ", wait) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if err := r.Install(ctx); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
	// Output:
	// copied articles 1
}

// A filter in the master's SQL, a function over the rows on their way, and
// other names on the replica.
func ExampleTable() {
	master, replica, remove := files("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, password TEXT, active INTEGER NOT NULL)",
		"INSERT INTO users VALUES (1, 'Ada@Example.COM', 'secret', 1), (2, 'bob@example.com', 'secret', 0)")
	defer remove()

	ctx := context.Background()
	r, err := replication.New(replication.Config{
		Node:   "reports",
		Source: master, Target: replica,
		Tables: []replication.Table{{
			Source:  "users",
			Target:  "people",
			Columns: []string{"id", "email"}, // the password stays at home
			Rename:  map[string]string{"email": "mail"},
			Where:   "active = 1",
			Map: func(row *replication.Row) (keep bool, err error) {
				row.Set("email", strings.ToLower(row.Text("email")))
				return true, nil
			},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(r.Install(ctx), r.Copy(ctx)); err != nil {
		log.Fatal(err)
	}
	show(replica.DB, "SELECT id, mail FROM people")
	// Output:
	// 1 ada@example.com
}

// Verify finds what somebody did to the replica, and Repair undoes it.
func ExampleReplicator_Verify() {
	master, replica, remove := files("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT)", "INSERT INTO articles VALUES (1, 'First'), (2, 'Second')")
	defer remove()

	ctx := context.Background()
	r, err := replication.New(replication.Config{Node: "web07", Source: master, Target: replica, Tables: []replication.Table{{Source: "articles"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(r.Install(ctx), r.Copy(ctx)); err != nil {
		log.Fatal(err)
	}
	statements(replica.DB, "UPDATE articles SET title = 'Frist' WHERE id = 1", "DELETE FROM articles WHERE id = 2")
	for diff, err := range r.Verify(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(diff)
	}
	repaired, err := r.Repair(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(repaired), "repaired")
	show(replica.DB, "SELECT id, title FROM articles ORDER BY id")
	// Output:
	// articles: row id=1 differs in column title
	// articles: row id=2 is missing on the replica
	// 2 repaired
	// 1 First
	// 2 Second
}

// What monitoring asks: is the replica following, and what waits for it?
func ExampleReplicator_Status() {
	master, replica, remove := files("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT)")
	defer remove()

	ctx := context.Background()
	r, err := replication.New(replication.Config{Node: "web07", Source: master, Target: replica, Tables: []replication.Table{{Source: "articles"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(r.Install(ctx), r.Copy(ctx)); err != nil {
		log.Fatal(err)
	}
	statements(master.DB, "INSERT INTO articles VALUES (1, 'First'), (2, 'Second')")
	st, err := r.Status(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(st.Phase, st.Backlog, "waiting, problem:", st.Problem == "")
	// Output:
	// following 2 waiting, problem: true
}

// A table that would lose data is refused before anything is done.
func ExampleReplicator_Plan() {
	master, replica, remove := files("CREATE TABLE readings (sensor TEXT, value REAL)")
	defer remove()

	r, err := replication.New(replication.Config{Node: "web07", Source: master, Target: replica, Tables: []replication.Table{{Source: "readings"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	_, err = r.Plan(context.Background())
	fmt.Println(err)
	// Output:
	// replication: master: readings: replication: table has no key: add a primary key, or use flipping snapshots
}

// A table without a key, read whole and flipped: readers see one generation or
// the next, and a source that has not changed costs them nothing.
func ExampleFlipper() {
	master, replica, remove := files("CREATE TABLE prices (id INTEGER, price TEXT)", "INSERT INTO prices VALUES (1, '9.90'), (2, '19.90')")
	defer remove()

	f, err := replication.NewFlipper(replication.FlipConfig{
		Source: master, Target: replica,
		Tables: []replication.Table{{Source: "prices"}},
		Validate: func(_ context.Context, loaded []replication.LoadedTable) error {
			if loaded[0].Rows == 0 {
				return errors.New("no prices: keep yesterday's")
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	flip := func() {
		res, err := f.Flip(context.Background())
		fmt.Println(res.Flipped, res.Rows, err)
	}
	flip()
	flip() // nothing has changed
	statements(master.DB, "DELETE FROM prices")
	flip()
	show(replica.DB, "SELECT id, price FROM prices ORDER BY id")
	// Output:
	// [prices] 2 <nil>
	// [] 0 <nil>
	// [] 0 replication: not flipped: no prices: keep yesterday's
	// 1 9.90
	// 2 19.90
}
