package oracle

import (
	"fmt"
	"strconv"
	"strings"
)

// decimal is 0.digits times 10 to the exp. Digits neither begin nor end with a
// zero; there are none if the number is zero.
type decimal struct {
	neg    bool
	digits string
	exp    int
}

// parseDecimal reads [+-]digits[.digits][E[+-]digits], where the digits before
// or after the point may be missing, as TO_CHAR prints .5.
func parseDecimal(s string) (decimal, bool) {
	var d decimal
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.neg = s[0] == '-'
		s = s[1:]
	}
	shift := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if len(s)-i > 7 { // no number here has such an exponent
			return decimal{}, false
		}
		n, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return decimal{}, false
		}
		s, shift = s[:i], n
	}
	whole, fraction, _ := strings.Cut(s, ".")
	d.digits = whole + fraction
	if d.digits == "" || strings.Trim(d.digits, "0123456789") != "" {
		return decimal{}, false
	}
	d.exp = len(whole) + shift
	for strings.HasPrefix(d.digits, "0") {
		d.digits = d.digits[1:]
		d.exp--
	}
	d.digits = strings.TrimRight(d.digits, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// String returns [-]digits[.digits].
func (d decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	var b strings.Builder
	if d.neg {
		b.WriteByte('-')
	}
	switch n := len(d.digits); {
	case d.exp <= 0:
		b.WriteString("0." + strings.Repeat("0", -d.exp) + d.digits)
	case d.exp >= n:
		b.WriteString(d.digits + strings.Repeat("0", d.exp-n))
	default:
		b.WriteString(d.digits[:d.exp] + "." + d.digits[d.exp:])
	}
	return b.String()
}

// short returns the number for the driver, which takes 40 digits and an exponent.
func (d decimal) short() string {
	if -20 < d.exp && d.exp <= 40 {
		return d.String()
	}
	sign := ""
	if d.neg {
		sign = "-"
	}
	return fmt.Sprintf("%s%sE%d", sign, d.digits, d.exp-len(d.digits))
}

// exceeds says why no NUMBER holds the number unchanged, or "". Oracle keeps 20
// digits to the base of 100, which is 39 or 40 decimal ones.
func (d decimal) exceeds() string {
	if d.digits == "" {
		return ""
	}
	if d.exp > 126 || d.exp < -129 {
		return "is outside of the range of NUMBER"
	}
	if (len(d.digits)+d.exp&1+1)/2 > 20 {
		return "has more digits than NUMBER keeps"
	}
	return ""
}

// exceedsScale says why NUMBER(precision,scale) does not hold it, or "".
func (d decimal) exceedsScale(precision, scale int) string {
	switch {
	case d.digits == "":
		return ""
	case len(d.digits)-d.exp > scale:
		return fmt.Sprintf("would be rounded to %d digits after the point", scale)
	case d.exp > precision-scale:
		return fmt.Sprintf("has more than %d digits before the point", precision-scale)
	}
	return ""
}
