package lbsql_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ashlar-go/ashlar/lb/lbsql"
)

func TestTransactionStaysOnOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 3, nil)
		for _, readOnly := range []bool{true, false} {
			tx, err := f.db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: readOnly})
			if err != nil {
				t.Fatal(err)
			}
			st, err := tx.Prepare("SELECT c")
			if err != nil {
				t.Fatal(err)
			}
			first := ""
			for range 10 {
				var a, b string
				if err := tx.QueryRow("SELECT c").Scan(&a); err != nil {
					t.Fatal(err)
				}
				if err := st.QueryRow().Scan(&b); err != nil {
					t.Fatal(err)
				}
				if first == "" {
					first = a
				}
				if a != first || b != first || (first == "primary") == readOnly {
					t.Fatalf("read-only %v: %s, %s after %s", readOnly, a, b, first)
				}
			}
			if n := f.cluster.Pool().Stats().InFlight; (n == 1) != readOnly {
				t.Errorf("%d in flight", n)
			}
			if readOnly {
				err = tx.Rollback()
			} else {
				err = tx.Commit()
			}
			if err != nil {
				t.Error(err)
			}
			f.idle() // st is closed with its transaction
			if err := tx.Commit(); err != sql.ErrTxDone {
				t.Error(err)
			}
		}
		// Of OnPrimary's, and of a context that ends.
		tx, err := f.db.BeginTx(lbsql.OnPrimary(t.Context()), &sql.TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		tx.Rollback()
		if got := f.primary.statements(); got[len(got)-2] != "begin readonly=true" || got[len(got)-1] != "rollback" {
			t.Errorf("%q", got)
		}
		f.end()
	})
}

func TestReadOnlyTransactionMovesToAnotherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, nil)
		f.replicas[1].set(func(s *server) { s.down = true })
		for range 10 {
			tx, err := f.db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		f.end()
	})
}

func TestTransactionWhoseServerGoesEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		tx, err := f.db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		f.replicas[0].set(func(s *server) { s.down = true })
		if _, err := tx.Query("SELECT c"); err == nil {
			t.Error("a query on a dead server")
		}
		if err := tx.Commit(); err == nil {
			t.Error("a commit on a dead server")
		}
		if s := f.cluster.Pool().Stats(); s.Failed != 1 {
			t.Errorf("%+v", s)
		}
		f.end()
	})
}

func TestPreparedStatementIsUsedOnAllReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 2, nil)
		st, err := f.db.Prepare("SELECT c /*prepared*/") // the fake driver must prepare it
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			var name string
			if err := st.QueryRow().Scan(&name); err != nil {
				t.Fatal(err)
			}
			f.idle()
		}
		for _, r := range f.replicas {
			if !slices.Contains(r.statements(), "execute SELECT c /*prepared*/") {
				t.Errorf("%s: %q", r.name, r.statements())
			}
		}
		tx, err := f.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		var name string
		if err := tx.Stmt(st).QueryRow().Scan(&name); err != nil || name != "primary" {
			t.Error(name, err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		st.Close()
		w, err := f.db.Prepare("UPDATE t SET c = ?")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Exec(1); err != nil || !slices.Contains(f.primary.statements(), "UPDATE t SET c = ?") {
			t.Error(err, f.primary.statements())
		}
		w.Close()
		f.end()
	})
}

func TestArgumentsAreConvertedByTheConnectionThatGetsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		r := f.replicas[0]
		last := func() []any {
			r.mu.Lock()
			defer r.mu.Unlock()
			var v []any
			for i, a := range r.args {
				if a.Ordinal != i+1 {
					t.Errorf("ordinal %d at %d", a.Ordinal, i)
				}
				v = append(v, a.Name, a.Value)
			}
			return v
		}
		var c string
		// A type of the driver's, an option, a name, a driver.Valuer, a plain value.
		err := f.db.QueryRow("SELECT c", option("fast"), point{1, 2}, sql.Named("n", 3), sql.NullString{String: "x", Valid: true}, int8(4)).Scan(&c)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := last(), []any{"", "point1 2", "n", int64(3), "", "x", "", int64(4)}; !slices.Equal(got, want) {
			t.Errorf("got %#v, want %#v", got, want)
		}
		// A prepared statement's converter makes text.
		if err := f.db.QueryRow("SELECT ?, ? /*prepared*/", 5, sql.NullInt64{Int64: 6, Valid: true}).Scan(&c); err != nil {
			t.Fatal(err)
		}
		if got, want := last(), []any{"", "5", "", "6"}; !slices.Equal(got, want) {
			t.Errorf("got %#v, want %#v", got, want)
		}
		if err := f.db.QueryRow("SELECT ? /*prepared*/").Scan(&c); err == nil || !strings.Contains(err.Error(), "expected 1 arguments, got 0") {
			t.Error(err)
		}
		if err := f.db.QueryRow("SELECT c", struct{}{}).Scan(&c); err == nil {
			t.Error("a value that no driver knows was taken")
		}
		f.end()
	})
}

func TestColumnTypesArePassedThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(t, 1, nil)
		for _, q := range []string{"SELECT c", "SELECT c /*prepared*/"} {
			rows, err := f.db.Query(q)
			if err != nil {
				t.Fatal(err)
			}
			types, err := rows.ColumnTypes()
			if err != nil {
				t.Fatal(err)
			}
			length, _ := types[0].Length()
			nullable, _ := types[0].Nullable()
			precision, scale, _ := types[0].DecimalSize()
			if types[0].DatabaseTypeName() != "FAKE" || types[0].ScanType().Name() != "string" || length != 7 || !nullable || precision != 5 || scale != 2 {
				t.Errorf("%s: %+v", q, types[0])
			}
			rows.Close()
		}
		f.end()
	})
}
