//go:build cgo

package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/godror/godror"

	. "github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/oracle"
)

const deadDSN = "oracle://scott:tiger-secret@127.0.0.1:1/none"

// TestMissingClientLibraryIsSaidSo: what a first run on a fresh machine meets.
func TestMissingClientLibraryIsSaidSo(t *testing.T) {
	db, err := oracle.Open(deadDSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.PingContext(t.Context())
	switch {
	case err == nil:
		t.Fatal("connected to port 1")
	case strings.Contains(err.Error(), "DPI-1047"):
		if !strings.Contains(err.Error(), "Instant Client") {
			t.Errorf("%v does not say what to install", err)
		}
		if got := dialect.Fault(err); got != Other {
			t.Errorf("trying again would not help, but it is %d", got)
		}
	default: // a machine that has the library
		if got := dialect.Fault(err); got != Transient {
			t.Errorf("%v is %d, want Transient", err, got)
		}
	}
	if strings.Contains(err.Error(), "tiger-secret") {
		t.Errorf("%v has the password", err)
	}
}

func TestExplainLeavesOtherErrorsAlone(t *testing.T) {
	err := errors.New("ORA-12541: TNS:no listener")
	if oracle.Explain(err) != err || oracle.Explain(nil) != nil {
		t.Error("changed")
	}
	wrapped := fmt.Errorf("x: %w", errors.New("DPI-1047: Cannot locate a 64-bit Oracle Client library"))
	if got := oracle.Explain(wrapped); !errors.Is(got, wrapped) || !strings.Contains(got.Error(), "LD_LIBRARY_PATH") {
		t.Error(got)
	}
}

// TestWrongDSNIsNotQuoted, since it may have the password in it.
func TestWrongDSNIsNotQuoted(t *testing.T) {
	for _, dsn := range []string{"oracle://scott:tiger-secret@[::1", "user=\"scott password=tiger-secret", "oracle://scott:tiger-secret@h/s?poolMinSessions=x"} {
		db, err := oracle.Open(dsn)
		if err == nil {
			db.Close()
			continue // godror takes it
		}
		if strings.Contains(err.Error(), "tiger-secret") || !strings.HasPrefix(err.Error(), "oracle: ") {
			t.Error(err)
		}
	}
}

// TestDriversErrorIsFound: the code is that of godror's own type.
func TestDriversErrorIsFound(t *testing.T) {
	var err error = new(godror.OraErr)
	if _, ok := err.(interface{ Code() int }); !ok {
		t.Error("godror's error has no Code any more")
	}
	if got := dialect.Fault(fmt.Errorf("x: %w", err)); got != Other {
		t.Errorf("an error of no code is %d", got)
	}
}

// TestNumbersAndLobsAreTheDrivers: what only godror binds without loss.
func TestNumbersAndLobsAreTheDrivers(t *testing.T) {
	s := new(server)
	c := s.conn(t)
	columns := []Column{
		{Name: "N", Kind: Decimal, Native: "NUMBER", Nullable: true},
		{Name: "SHORT", Kind: Text, Native: "CLOB", Nullable: true},
		{Name: "EMPTY", Kind: Text, Native: "CLOB", Nullable: true},
		{Name: "LONG", Kind: Bytes, Native: "BLOB", Nullable: true},
	}
	long := strings.Repeat("z", 20<<20)
	if _, err := dialect.Load(context.WithoutCancel(t.Context()), c, Name{Table: "T"}, columns,
		rowsOf(values("1.50", "x", "", long), [][]byte{nil, nil, nil, nil})); err != nil {
		t.Fatal(err)
	}
	var numbers []godror.Number
	var short []string
	var empty, blobs []godror.Lob
	for _, args := range s.args {
		numbers = append(numbers, args[0].([]godror.Number)...)
		short = append(short, args[1].([]string)...)
		if lobs, ok := args[2].([]godror.Lob); ok {
			empty = append(empty, lobs...)
		}
		if lobs, ok := args[3].([]godror.Lob); ok {
			blobs = append(blobs, lobs...)
		}
	}
	if len(numbers) != 2 || numbers[0] != "1.5" || numbers[1] != "" {
		t.Errorf("%q", numbers)
	}
	if len(short) != 2 || short[0] != "x" {
		t.Errorf("%q", short)
	}
	if len(empty) == 0 || !empty[0].IsClob || empty[0].Reader == nil {
		t.Error("an empty CLOB would be NULL")
	}
	if len(blobs) == 0 || blobs[0].IsClob {
		t.Fatal("a long BLOB is no LOB")
	}
	if got, err := io.ReadAll(blobs[0]); err != nil || string(got) != long {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
