package mysql_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/replication"
	"github.com/ashlar-go/ashlar/replication/mysql"
)

// unescape reads a field as LOAD DATA does; ok is false if it holds a separator.
func unescape(v []byte) (out []byte, ok bool) {
	out = []byte{}
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\t', '\n':
			return nil, false
		case '\\':
			if i++; i == len(v) {
				return nil, false
			}
			switch v[i] {
			case '0':
				out = append(out, 0)
			case 't':
				out = append(out, '\t')
			case 'n':
				out = append(out, '\n')
			case 'N':
				return nil, false // NULL
			default:
				out = append(out, v[i])
			}
		default:
			out = append(out, v[i])
		}
	}
	return out, true
}

func FuzzFieldOfLoadData(f *testing.F) {
	for _, s := range []string{"", `\N`, "a\tb\nc\\d\x00\r\x1a'\"", nasty, "\\", "\xff\\"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		got, ok := unescape(mysql.AppendField([]byte{}, v))
		if !ok || !bytes.Equal(got, v) {
			t.Fatalf("%q is read as %q, %v", v, got, ok)
		}
		q := mysql.AppendQuoted(nil, v)
		inner := q[1 : len(q)-1]
		var back []byte
		for i := 0; i < len(inner); i++ {
			b := inner[i]
			if b == '\'' || b == 0 {
				t.Fatalf("%q ends early", q)
			}
			if b == '\\' {
				i++
				if b = inner[i]; b == '0' {
					b = 0
				}
			}
			back = append(back, b)
		}
		if !bytes.Equal(back, v) {
			t.Fatalf("%q is read as %q", v, back)
		}
		if l := mysql.TextLiteral(string(v)); strings.ContainsAny(l, "?\\`\"") {
			t.Fatalf("%s has a mark in it", l)
		} else if len(v) > 0 && l != "_utf8mb4 X'"+hex.EncodeToString(v)+"'" {
			t.Fatal(l)
		}
	})
}

// Whatever the server sends, a value is in its kind's spelling or refused.
func FuzzCanon(f *testing.F) {
	for _, s := range []string{"2020-02-29 10:11:12.120000", "0000-00-00", "2020-02-30", "-838:59:59", "23:59:59.000000", "00042.50", "", "-", "9999-99-99", "AABBCCDD-0011-2233-4455-66778899aabb", "................"} {
		for k := range 13 {
			f.Add(uint8(k), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, v []byte) {
		k := replication.Kind(kind % 13)
		before := bytes.Clone(v)
		got, err := mysql.Canon(replication.Column{Name: "c", Kind: k, Scale: 6}, v)
		if !bytes.Equal(v, before) {
			t.Fatal("the driver's buffer was written to")
		}
		if err != nil {
			return
		}
		switch k {
		case replication.Date:
			if _, err := time.Parse(time.DateOnly, string(got)); err != nil {
				t.Fatalf("%q became %q", v, got)
			}
		case replication.Text, replication.Bytes, replication.JSON:
			if !bytes.Equal(got, v) {
				t.Fatalf("%q became %q", v, got)
			}
		case replication.Instant:
			if !bytes.HasSuffix(got, []byte("+00")) {
				t.Fatalf("%q became %q", v, got)
			}
		}
	})
}

func TestIsDateIsTheCalendar(t *testing.T) {
	for _, y := range []string{"0001", "1900", "2000", "2023", "2024", "9999"} {
		for m := range 14 {
			for day := range 33 {
				s := y + "-" + two(m) + "-" + two(day)
				_, err := time.Parse(time.DateOnly, s)
				if got := mysql.IsDate([]byte(s)); got != (err == nil) {
					t.Errorf("%s: %v", s, got)
				}
			}
		}
	}
	if mysql.IsDate([]byte("0000-01-01")) {
		t.Error("there is no year 0")
	}
}

func two(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }

func TestNativeTypesAreReadBack(t *testing.T) {
	if got := mysql.Labels(`enum('a','it''s',',',' CHARACTER SET x','(') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`); !slices.Equal(got, []string{"a", "it's", ",", " CHARACTER SET x", "("}) {
		t.Errorf("labels are %q", got)
	}
	for native, want := range map[string][3]string{
		"varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci":           {"varchar", "latin1", "latin1_swedish_ci"},
		"char(36) CHARACTER SET ascii COLLATE ascii_bin COMMENT 'ashlar:uuid'": {"char", "ascii", "ascii_bin"},
		"tinyint(1) COMMENT 'ashlar:bool'":                                     {"tinyint", "", ""},
		"BIGINT(20) unsigned":                                                  {"bigint", "", ""},
		"timestamp with time zone":                                             {"timestamp", "", ""},
		"":                                                                     {"", "", ""},
	} {
		if b, cs, co := mysql.Base(native); [3]string{b, cs, co} != want {
			t.Errorf("%q is %q %q %q", native, b, cs, co)
		}
	}
	if ddl, _ := mysql.Dialect.Type(replication.Column{Kind: replication.Text}); ddl == "" {
		t.Error("text has no type")
	} else if b, cs, co := mysql.Base(ddl); b != "longtext" || cs != "utf8mb4" || co != "utf8mb4_nopad_bin" {
		t.Errorf("%q is %q %q %q", ddl, b, cs, co)
	}
}
