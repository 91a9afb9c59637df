package replication

// validDate reports whether text is a day of the Gregorian calendar.
func validDate(text []byte) bool {
	if len(text) != len("2006-01-02") || text[4] != '-' || text[7] != '-' {
		return false
	}
	century, ok1 := two(text[0:])
	year, ok2 := two(text[2:])
	month, ok3 := two(text[5:])
	day, ok4 := two(text[8:])
	year += 100 * century
	return ok1 && ok2 && ok3 && ok4 && year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// two reads two digits.
func two(text []byte) (int, bool) {
	a, b := text[0]-'0', text[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// clockEnd checks 15:04:05[.999], with at most that many digits in the
// fraction, and returns the length without zeros at the fraction's end.
func clockEnd(text []byte, most int) (end int, ok bool) {
	const whole = len("15:04:05")
	if len(text) < whole || text[2] != ':' || text[5] != ':' {
		return 0, false
	}
	hour, ok1 := two(text[0:])
	minute, ok2 := two(text[3:])
	second, ok3 := two(text[6:])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	if len(text) == whole {
		return whole, true
	}
	fraction := text[whole+1:]
	if text[whole] != '.' || len(fraction) == 0 || len(fraction) > most || digits(fraction) != len(fraction) {
		return 0, false
	}
	for end = len(text); text[end-1] == '0'; {
		end--
	}
	if text[end-1] == '.' {
		end--
	}
	return end, true
}

// timestampEnd is clockEnd for 2006-01-02 15:04:05[.999999999].
func timestampEnd(text []byte) (end int, ok bool) {
	const date = len("2006-01-02")
	if len(text) < date+1 || text[date] != ' ' || !validDate(text[:date]) {
		return 0, false
	}
	end, ok = clockEnd(text[date+1:], 9)
	return date + 1 + end, ok
}

// validUUID takes capitals too.
func validUUID(text []byte) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range text {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if hexDigit(c) < 0 {
				return false
			}
		}
	}
	return true
}

// hexDigit returns the digit's value, or -1.
func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
