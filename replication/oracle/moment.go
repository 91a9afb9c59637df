package oracle

import (
	"fmt"
	"strings"
	"time"
)

// Formats of TO_CHAR, TO_DATE and TO_TIMESTAMP. S prints a sign, a blank or -,
// before the year: without it 44 BC would arrive as AD.
const (
	dateOut      = `'SYYYY-MM-DD HH24:MI:SS'`
	timestampOut = `'SYYYY-MM-DD HH24:MI:SS.FF9'`
	dateIn       = `'YYYY-MM-DD HH24:MI:SS'`
	timestampIn  = `'YYYY-MM-DD HH24:MI:SS.FF9'`
)

// moment is a date and a time of day, in no particular zone.
type moment struct {
	day      string // 2006-01-02
	clock    string // 15:04:05
	fraction string // digits after the point, without zeros at the end
}

// parseMoment reads what the formats above print and the kinds Date, Timestamp
// and Instant spell. The reason is "" if it is one of the Gregorian calendar's.
func parseMoment(s string) (m moment, reason string) {
	s = strings.TrimPrefix(s, " ")
	s = strings.TrimSuffix(s, "+00")
	if strings.HasPrefix(s, "-") {
		return moment{}, "is before the year 1"
	}
	day, rest, timed := strings.Cut(s, " ")
	if !timed {
		rest = "00:00:00"
	}
	clock, fraction, pointed := strings.Cut(rest, ".")
	if pointed && fraction == "" || len(fraction) > 9 || strings.Trim(fraction, "0123456789") != "" {
		return moment{}, "is no date and time"
	}
	t, err := time.Parse("2006-01-02 15:04:05", day+" "+clock)
	if err != nil || t.Format("2006-01-02 15:04:05") != day+" "+clock {
		return moment{}, "is not a date and time of the Gregorian calendar"
	}
	if t.Year() < 1 {
		return moment{}, "is before the year 1"
	}
	return moment{day, clock, strings.TrimRight(fraction, "0")}, ""
}

// String returns 2006-01-02 15:04:05[.999999999].
func (m moment) String() string {
	if m.fraction == "" {
		return m.day + " " + m.clock
	}
	return m.day + " " + m.clock + "." + m.fraction
}

// nano returns the moment with nine digits, for timestampIn.
func (m moment) nano() string {
	return m.day + " " + m.clock + "." + m.fraction + strings.Repeat("0", 9-len(m.fraction))
}

// exceeds says why a column with so many digits after the point does not hold
// the moment, or "". Oracle's calendar goes from 4 to 15 October 1582, and takes
// the days between for the 15th.
func (m moment) exceeds(digits int) string {
	if len(m.fraction) > digits {
		return fmt.Sprintf("would be rounded to %d digits after the point", digits)
	}
	if "1582-10-04" < m.day && m.day < "1582-10-15" {
		return "is a day that Oracle's calendar lacks"
	}
	return ""
}
