package sqlite

import (
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/replication"
)

// Dates and times are text in SQLite, in whatever spelling the application's
// driver has. moment is one taken apart:
//
//	2006-01-02                              DATE
//	15:04, 15:04:05, 15:04:05.999           TIME
//	2006-01-02 15:04:05.999999999           SQLite's own functions, in UTC
//	2006-01-02T15:04:05.999999999Z          RFC 3339
//	2006-01-02 15:04:05.999999999-07:00     github.com/mattn/go-sqlite3
//	2006-01-02 15:04:05.999 -0700 MST       modernc.org/sqlite, as time.Time prints
//
// Numbers are refused: they may be seconds or milliseconds since 1970, or days.
type moment struct {
	date  string // 2006-01-02 or ""
	clock string // 15:04:05[.9...] without zeros at its end, or ""
	zoned bool
	west  bool
	off   int // seconds from UTC
}

func parseMoment(s string) (m moment, ok bool) {
	// time.Time prints a monotonic clock reading behind times of this process.
	s, _, _ = strings.Cut(s, " m=")
	if len(s) >= 10 && s[4] == '-' {
		m.date = s[:10]
		if s = s[10:]; s == "" {
			return m, true
		}
		if s[0] != ' ' && s[0] != 'T' && s[0] != 't' {
			return m, false
		}
		s = s[1:]
	}
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == ':' || s[end] == '.') {
		end++
	}
	m.clock, s = s[:end], s[end:]
	if len(m.clock) == len("15:04") {
		m.clock += ":00"
	}
	if strings.Contains(m.clock, ".") {
		m.clock = strings.TrimRight(m.clock, "0")
		if strings.HasSuffix(m.clock, ".") {
			return m, false
		}
	}
	return m, m.zone(s)
}

// zone reads what is behind the clock.
func (m *moment) zone(s string) bool {
	s = strings.TrimPrefix(s, " ")
	if s == "" {
		return true
	}
	m.zoned = true
	if s == "Z" || s == "z" || s == "UTC" {
		return true
	}
	if s[0] != '+' && s[0] != '-' {
		return false
	}
	m.west = s[0] == '-'
	number, name, named := strings.Cut(s[1:], " ")
	number = strings.ReplaceAll(number, ":", "")
	if len(number) != 2 && len(number) != 4 || named && (name == "" || strings.Contains(name, " ")) {
		return false
	}
	digits := [4]int{}
	for i := range len(number) {
		if number[i] < '0' || number[i] > '9' {
			return false
		}
		digits[i] = int(number[i] - '0')
	}
	hours, minutes := digits[0]*10+digits[1], digits[2]*10+digits[3]
	m.off = hours*3600 + minutes*60
	return hours < 24 && minutes < 60
}

// respellTime appends a text in the kind's spelling, if it can mean only one
// value of the kind. Without a zone it is UTC where that matters, as it is to
// SQLite's functions. A zone other than UTC does not fit a kind without zones:
// whether the local time is meant, or the point in time, nobody knows.
func respellTime(dst []byte, kind replication.Kind, s string) ([]byte, bool) {
	m, ok := parseMoment(s)
	if !ok {
		return dst, false
	}
	from := len(dst)
	utc := !m.zoned || m.off == 0
	switch kind {
	case replication.Date:
		if m.date == "" || !utc || m.clock != "" && m.clock != "00:00:00" {
			return dst, false
		}
		dst = append(dst, m.date...)
	case replication.Time:
		if m.date != "" || m.zoned {
			return dst, false
		}
		dst = append(dst, m.clock...)
	default:
		if m.date == "" || !utc && kind == replication.Timestamp {
			return dst, false
		}
		if m.clock == "" {
			m.clock = "00:00:00"
		}
		if !utc {
			if m, ok = m.inUTC(); !ok {
				return dst, false
			}
		}
		dst = append(dst, m.date...)
		dst = append(dst, ' ')
		dst = append(dst, m.clock...)
		if kind == replication.Instant {
			dst = append(dst, "+00"...)
		}
	}
	if kind.Check(dst[from:]) != nil {
		return dst[:from], false
	}
	return dst, true
}

// inUTC moves a moment to UTC. It fails beyond the years 1 to 9999.
func (m moment) inUTC() (moment, bool) {
	text := m.date + " " + m.clock
	if replication.Timestamp.Check([]byte(text)) != nil {
		return m, false
	}
	t, err := time.Parse("2006-01-02 15:04:05.999999999", text)
	if err != nil {
		return m, false
	}
	off := time.Duration(m.off) * time.Second
	if !m.west {
		off = -off
	}
	t = t.Add(off)
	if t.Year() < 1 || t.Year() > 9999 {
		return m, false
	}
	m.date, m.clock, m.off = t.Format("2006-01-02"), t.Format("15:04:05.999999999"), 0
	return m, true
}
