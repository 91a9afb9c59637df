package postgres_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/postgres"
)

var nasty = [][]byte{nil, {}, []byte(`\N`), []byte(`\.`), []byte("\\"), []byte(`\\N`), []byte("a\tb\nc\rd\\e"), []byte("\b\f\v"), []byte("ünï🜂"),
	[]byte(`\x6162`), []byte("N"), []byte(" "), []byte("\t"), []byte("\n"), []byte(`\n`), []byte("x\\"), []byte("\x7f\x1b")}

// Any row of text survives, in one piece or in many.
func FuzzCopyText(f *testing.F) {
	for _, a := range nasty {
		for _, b := range nasty {
			f.Add(a, b, a == nil, b == nil, 3)
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, nullA, nullB bool, cut int) {
		row := [][]byte{append([]byte{}, a...), append([]byte{}, b...)}
		if nullA {
			row[0] = nil
		}
		if nullB {
			row[1] = nil
		}
		var line []byte
		for i, v := range row {
			if i > 0 {
				line = append(line, '\t')
			}
			var ok bool
			line, ok = postgres.AppendField(line, v)
			if want := utf8.Valid(v) && bytes.IndexByte(v, 0) < 0; ok != want {
				t.Fatalf("%q is taken for text: %v", v, ok)
			}
			if !ok {
				return
			}
		}
		if bytes.ContainsAny(line, "\n\r") || bytes.Count(line, []byte{'\t'}) != 1 || string(line) == `\.` {
			t.Fatalf("%q is not one line of two columns", line)
		}
		line = append(line, '\n')
		n := 0
		check := func(got [][]byte) error {
			n++
			for i := range row {
				if !bytes.Equal(got[i], row[i]) || (got[i] == nil) != (row[i] == nil) {
					t.Fatalf("column %d: %q became %q", i, row[i], got[i])
				}
			}
			return nil
		}
		columns := []replication.Column{{Kind: replication.Text}, {Kind: replication.Text}}
		two := append(line[:len(line):len(line)], line...)
		cut = min(max(cut, 0), len(two))
		if err := postgres.Decode(columns, check, two[:cut:cut], two[cut:]); err != nil || n != 2 {
			t.Fatalf("%d rows, %v", n, err)
		}
	})
}

// Any bytes survive as bytea.
func FuzzCopyBytes(f *testing.F) {
	for _, v := range nasty {
		f.Add(v)
	}
	f.Add([]byte{0, 1, 0xff, 0xfe})
	f.Fuzz(func(t *testing.T, v []byte) {
		line := append(postgres.AppendBytes(nil, v), '\n')
		err := postgres.Decode([]replication.Column{{Kind: replication.Bytes}}, func(row [][]byte) error {
			if !bytes.Equal(row[0], v) || (row[0] == nil) != (v == nil) {
				t.Fatalf("%x became %x", v, row[0])
			}
			return nil
		}, line)
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Whatever a server sends, the decoder returns rows of the right width or an
// error.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("1\t2\t\\\\x61\t2006-01-02\t10:00:00\t2006-01-02 15:04:05\t2006-01-02 15:04:05+00\n"))
	f.Add([]byte("\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n\\"))
	f.Add([]byte("\t\t\t\t\t\t\n\n"))
	columns := []replication.Column{{Kind: replication.Int}, {Kind: replication.Text, Fixed: true}, {Kind: replication.Bytes}, {Kind: replication.Date},
		{Kind: replication.Time}, {Kind: replication.Timestamp}, {Kind: replication.Instant}}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows := 0
		_ = postgres.Decode(columns, func(row [][]byte) error {
			if rows++; len(row) != len(columns) {
				t.Fatalf("%d columns", len(row))
			}
			return nil
		}, data)
		if rows > bytes.Count(data, []byte{'\n'}) {
			t.Fatalf("%d rows", rows)
		}
	})
}

func TestValuesOfOtherShapesAreLosses(t *testing.T) {
	for _, tc := range []struct {
		kind  replication.Kind
		text  string
		fails bool
	}{
		{replication.Date, "2006-01-02", false}, {replication.Date, "0001-01-01", false}, {replication.Date, "9999-12-31", false},
		{replication.Date, "infinity", true}, {replication.Date, "-infinity", true}, {replication.Date, "0044-03-15 BC", true}, {replication.Date, "10000-01-01", true},
		{replication.Timestamp, "2006-01-02 15:04:05.000001", false}, {replication.Timestamp, "infinity", true}, {replication.Timestamp, "-infinity", true},
		{replication.Timestamp, "0044-03-15 00:00:00 BC", true}, {replication.Timestamp, "10000-01-01 00:00:00", true}, {replication.Timestamp, "294276-12-31 23:59:59.999999", true},
		{replication.Instant, "2006-01-02 15:04:05+00", false}, {replication.Instant, "infinity", true}, {replication.Instant, "0044-03-15 00:00:00+00 BC", true},
		{replication.Instant, "10000-01-01 00:00:00+00", true}, {replication.Instant, "2006-01-02 15:04:05+01", true},
		{replication.Time, "23:59:59.999999", false}, {replication.Time, "24:00:00", true},
	} {
		err := postgres.Decode([]replication.Column{{Name: "c", Kind: tc.kind}}, func([][]byte) error { return nil }, []byte(tc.text+"\n"))
		loss, ok := errors.AsType[*replication.TypeLossError](err)
		if ok != tc.fails || ok && (loss.Column != "c" || loss.Value != tc.text) {
			t.Errorf("%s %s: %v", tc.kind, tc.text, err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	row := [][]byte{[]byte("123456"), []byte("someone@example.com"), []byte("A title of a news article, of usual length"), []byte("2006-01-02 15:04:05+00"), []byte("t"), nil}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for _, v := range row {
			buf, _ = postgres.AppendField(buf, v)
			buf = append(buf, '\t')
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, bc := range []struct{ name, line string }{
		{"plain", "123456\tsomeone@example.com\tA title of a news article, of usual length\t2006-01-02 15:04:05+00\tt\t17\n"},
		{"escaped", "123456\tsomeone@example.com\tA title of\\na news article, of usual length\t2006-01-02 15:04:05+00\tt\t\\N\n"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			columns := []replication.Column{{Kind: replication.Int}, {Kind: replication.Text}, {Kind: replication.Text}, {Kind: replication.Instant}, {Kind: replication.Bool}, {Kind: replication.Int}}
			data := []byte(strings.Repeat(bc.line, 1000))
			b.ReportAllocs()
			for b.Loop() {
				if err := postgres.Decode(columns, func([][]byte) error { return nil }, data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
	}
}
