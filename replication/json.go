package replication

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// What JSON may be, to have a normal form: its depth is that of our stack, and
// its memory a few times its length.
const (
	maxJSONDepth = 1000
	maxJSONSize  = 64 << 20
)

// jsonText is a JSON text that is read twice: once to find the members of all
// objects, and once more in the order of the sorted keys. That takes time and
// memory in proportion to the text, also where objects lie in objects, which
// would be copied at each level if they were sorted after they are written.
type jsonText struct {
	text  []byte
	at    int
	depth int
	fault string // why the text cannot be read, at at

	collect bool         // whether members are wanted
	members []jsonMember // of each closed object, side by side and sorted
	pending []jsonMember // of the open objects
	objects []jsonObject // in the order of their opening brace
	next    int          // the next object to be written
	keys    []byte       // those keys whose text had escapes
}

type jsonMember struct {
	key    []byte // as it is written, without quotes
	value  int    // where the value begins
	object int    // how many objects were opened before it
}

type jsonObject struct {
	from, to int // its members
	end      int // where the text goes on behind it
	next     int // how many objects were opened up to there
}

var jsonTexts = sync.Pool{New: func() any { return new(jsonText) }}

func newJSONText(text []byte) *jsonText {
	j := jsonTexts.Get().(*jsonText)
	j.text = text
	return j
}

// free gives the memory back, unless it is much, and lets go of the text.
func (j *jsonText) free() {
	const most = 4096
	if cap(j.members) > most || cap(j.pending) > most || cap(j.objects) > most || cap(j.keys) > 16*most {
		return
	}
	clear(j.members[:cap(j.members)])
	clear(j.pending[:cap(j.pending)])
	*j = jsonText{members: j.members[:0], pending: j.pending[:0], objects: j.objects[:0], keys: j.keys[:0]}
	jsonTexts.Put(j)
}

func checkJSON(text []byte) error {
	j := newJSONText(text)
	defer j.free()
	return j.read()
}

func appendJSON(dst, text []byte) ([]byte, error) {
	if len(text) > maxJSONSize {
		return dst, fmt.Errorf("replication: JSON of %d bytes is too long for a normal form", len(text))
	}
	j := newJSONText(text)
	defer j.free()
	j.collect = true
	if err := j.read(); err != nil {
		return dst, err
	}
	j.at = 0
	return j.write(dst), nil
}

// read checks the whole text.
func (j *jsonText) read() error {
	if !utf8.Valid(j.text) {
		return misspelledJSON(j.text, 0, "not UTF-8")
	}
	if j.value() {
		if j.blanks(); j.at == len(j.text) {
			return nil
		}
		j.fail("more text behind the value")
	}
	return misspelledJSON(j.text, j.at, j.fault)
}

func misspelledJSON(text []byte, at int, fault string) error {
	return fmt.Errorf("replication: %q is no JSON that can be compared: at byte %d: %s", clip(text), at, fault)
}

func (j *jsonText) fail(fault string) bool {
	j.fault = fault
	return false
}

func (j *jsonText) blanks() {
	for j.at < len(j.text) {
		switch j.text[j.at] {
		case ' ', '\t', '\n', '\r':
			j.at++
		default:
			return
		}
	}
}

// peek returns the next byte, or 0, which is nowhere in a JSON text.
func (j *jsonText) peek() byte {
	if j.at < len(j.text) {
		return j.text[j.at]
	}
	return 0
}

func (j *jsonText) take(c byte) bool {
	if j.peek() != c {
		return false
	}
	j.at++
	return true
}

func (j *jsonText) value() bool {
	j.blanks()
	switch c := j.peek(); {
	case c == '{' || c == '[':
		if j.depth == maxJSONDepth {
			return j.fail("too deep")
		}
		j.depth++
		j.at++
		ok := false
		if c == '{' {
			ok = j.object()
		} else {
			ok = j.array()
		}
		j.depth--
		return ok
	case c == '"':
		_, _, ok := j.str()
		return ok
	case c == '-' || '0' <= c && c <= '9':
		return j.number()
	}
	if j.word() == "" {
		return j.fail("a value is expected")
	}
	return true
}

// word takes one of the three words.
func (j *jsonText) word() string {
	for _, w := range [...]string{"true", "false", "null"} {
		if len(j.text)-j.at >= len(w) && string(j.text[j.at:j.at+len(w)]) == w {
			j.at += len(w)
			return w
		}
	}
	return ""
}

func (j *jsonText) array() bool {
	if j.blanks(); j.take(']') {
		return true
	}
	for {
		if !j.value() {
			return false
		}
		if j.blanks(); j.take(']') {
			return true
		}
		if !j.take(',') {
			return j.fail("a comma or ] is expected")
		}
	}
}

func (j *jsonText) object() bool {
	this, mine := len(j.objects), len(j.pending)
	if j.collect {
		j.objects = append(j.objects, jsonObject{})
	}
	if j.blanks(); !j.take('}') {
		for {
			if j.blanks(); j.peek() != '"' {
				return j.fail("a key is expected")
			}
			key, escaped, ok := j.str()
			if !ok {
				return false
			}
			if j.blanks(); !j.take(':') {
				return j.fail("a colon is expected")
			}
			if j.collect {
				if escaped {
					n := len(j.keys)
					j.keys = appendJSONString(j.keys, key)
					key = j.keys[n:len(j.keys):len(j.keys)]
				}
				j.pending = append(j.pending, jsonMember{key, j.at, len(j.objects)})
			}
			if !j.value() {
				return false
			}
			if j.blanks(); j.take('}') {
				break
			}
			if !j.take(',') {
				return j.fail("a comma or } is expected")
			}
		}
	}
	if !j.collect {
		return true
	}
	from := len(j.members)
	j.members = append(j.members, j.pending[mine:]...)
	j.pending = j.pending[:mine]
	members := j.members[from:]
	slices.SortFunc(members, func(a, b jsonMember) int { return bytes.Compare(a.key, b.key) })
	for i := 1; i < len(members); i++ {
		if bytes.Equal(members[i-1].key, members[i].key) {
			return j.fail("a key is twice in the object that ends here")
		}
	}
	j.objects[this] = jsonObject{from, len(j.members), j.at, len(j.objects)}
	return true
}

// str takes a string and returns what is between the quotes.
func (j *jsonText) str() (inside []byte, escaped, ok bool) {
	j.at++
	from := j.at
	for j.at < len(j.text) {
		switch c := j.text[j.at]; {
		case c == '"':
			inside = j.text[from:j.at]
			j.at++
			return inside, escaped, true
		case c < ' ':
			return nil, false, j.fail("a control character in a string")
		case c == '\\':
			escaped = true
			j.at++
			switch j.peek() {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if hex4(j.text[j.at+1:]) < 0 {
					return nil, false, j.fail("four hexadecimal digits are expected")
				}
			default:
				return nil, false, j.fail("no such escape")
			}
		}
		j.at++
	}
	return nil, false, j.fail("a string without end")
}

// hex4 reads four hexadecimal digits, or returns -1.
func hex4(text []byte) (r rune) {
	if len(text) < 4 {
		return -1
	}
	for _, c := range text[:4] {
		d := hexDigit(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | d
	}
	return r
}

func (j *jsonText) number() bool {
	from := j.at
	j.take('-')
	n := digits(j.text[j.at:])
	if n == 0 || n > 1 && j.text[j.at] == '0' {
		return j.fail("a number is expected, without zeros before it")
	}
	j.at += n
	if j.take('.') {
		if n = digits(j.text[j.at:]); n == 0 {
			return j.fail("digits are expected")
		}
		j.at += n
	}
	if c := j.peek(); c == 'e' || c == 'E' {
		j.at++
		if !j.take('+') {
			j.take('-')
		}
		if n = digits(j.text[j.at:]); n == 0 {
			return j.fail("digits are expected")
		}
		j.at += n
		if j.collect && len(bytes.TrimLeft(j.text[j.at-n:j.at], "0")) > 18 && !zeroMantissa(j.text[from:j.at]) {
			return j.fail("an exponent of more than 18 digits")
		}
	}
	return true
}

// zeroMantissa reports whether a number is zero, whatever its exponent.
func zeroMantissa(number []byte) bool {
	for _, c := range number {
		if c == 'e' || c == 'E' {
			break
		}
		if '1' <= c && c <= '9' {
			return false
		}
	}
	return true
}

// write appends the normal form of the value at at. The text was read before
// and is in order.
func (j *jsonText) write(dst []byte) []byte {
	j.blanks()
	switch j.peek() {
	case '{':
		o := j.objects[j.next]
		dst = append(dst, '{')
		for i, m := range j.members[o.from:o.to] {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '"')
			dst = append(dst, m.key...)
			dst = append(dst, '"', ':')
			j.at, j.next = m.value, m.object
			dst = j.write(dst)
		}
		j.at, j.next = o.end, o.next
		return append(dst, '}')
	case '[':
		j.at++
		dst = append(dst, '[')
		for j.blanks(); j.peek() != ']'; j.blanks() {
			if j.take(',') {
				dst = append(dst, ',')
			}
			dst = j.write(dst)
		}
		j.at++
		return append(dst, ']')
	case '"':
		inside, escaped, _ := j.str()
		dst = append(dst, '"')
		if escaped {
			dst = appendJSONString(dst, inside)
		} else {
			dst = append(dst, inside...)
		}
		return append(dst, '"')
	case 't', 'f', 'n':
		return append(dst, j.word()...)
	}
	from := j.at
	j.number()
	return appendJSONNumber(dst, j.text[from:j.at])
}

// appendJSONNumber writes a number as digits that neither begin nor end with
// zeros, and the power of ten if it is not 1: 1500 is 15e2, 0.15 is 15e-2.
func appendJSONNumber(dst, text []byte) []byte {
	if zeroMantissa(text) {
		return append(dst, '0')
	}
	if text[0] == '-' {
		dst = append(dst, '-')
		text = text[1:]
	}
	whole := digits(text)
	start := len(dst)
	dst = append(dst, text[:whole]...)
	power := int64(0)
	text = text[whole:]
	if len(text) > 0 && text[0] == '.' {
		n := digits(text[1:])
		dst = append(dst, text[1:1+n]...)
		power = -int64(n)
		text = text[1+n:]
	}
	if len(text) > 0 {
		e, _ := strconv.ParseInt(string(text[1:]), 10, 64) // number made sure that it fits
		power += e
	}
	zeros := 0
	for dst[start+zeros] == '0' {
		zeros++
	}
	dst = slices.Delete(dst, start, start+zeros)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
		power++
	}
	if power != 0 {
		dst = strconv.AppendInt(append(dst, 'e'), power, 10)
	}
	return dst
}

// appendJSONString writes the inside of a string without the escapes that can
// be done without. Half of a surrogate pair, which JSON can say and UTF-8
// cannot, remains an escape.
func appendJSONString(dst, inside []byte) []byte {
	for i := 0; i < len(inside); i++ {
		if inside[i] != '\\' {
			dst = append(dst, inside[i])
			continue
		}
		i++
		r := rune(inside[i])
		switch r {
		case 'b':
			r = '\b'
		case 'f':
			r = '\f'
		case 'n':
			r = '\n'
		case 'r':
			r = '\r'
		case 't':
			r = '\t'
		case 'u':
			r = hex4(inside[i+1:])
			i += 4
			if 0xD800 <= r && r < 0xDC00 && i+2 < len(inside) && inside[i+1] == '\\' && inside[i+2] == 'u' {
				if low := hex4(inside[i+3:]); 0xDC00 <= low && low < 0xE000 {
					r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
					i += 6
				}
			}
		}
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || 0xD800 <= r && r < 0xE000:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
