package lbhttp

import "bytes"

// A field is one line of a head: offsets into the bytes that were parsed.
type field struct {
	line       int // where the line begins
	nameEnd    int // where the colon is
	start, end int // the value, without the white space around it
	next       int // where the next line begins
	drop       bool
}

// head is what requests and responses have in common. It points into the bytes
// that it was parsed from and is worth no more than they are.
type head struct {
	raw    []byte // from the first line to the empty one
	minor  int    // of HTTP/1.minor
	lines  int    // where the fields begin
	fields []field

	length    int64 // Content-Length; -1 without one
	chunked   bool  // Transfer-Encoding: chunked
	close     bool  // Connection: close
	keepAlive bool  // Connection: keep-alive
	upgrade   bool  // Connection: upgrade, and an Upgrade field
	trailers  bool  // TE: trailers
	report    field // Lb-Report; next is 0 without
	orca      field // Endpoint-Load-Metrics, likewise
}

func (h *head) name(f *field) []byte  { return h.raw[f.line:f.nameEnd] }
func (h *head) value(f *field) []byte { return h.raw[f.start:f.end] }

// A refusal says why a message is not HTTP as it should be. The connection that
// it came by cannot be trusted any more and is closed.
type refusal struct {
	status int // what a client is told
	reason string
}

func (r *refusal) Error() string { return "lbhttp: " + r.reason }

func bad(reason string) *refusal { return &refusal{400, reason} }

// The refusals; each a value, since they cost the attacker nothing and should
// not cost us an allocation either.
var (
	errLineEnd     = bad("a line that does not end in CR LF")
	errFold        = bad("a folded field")
	errFieldName   = bad("a field name that is no token")
	errFieldValue  = bad("a control character in a field")
	errLength      = bad("a Content-Length that is no number")
	errTwoLengths  = bad("more than one Content-Length")
	errCoding      = bad("a Transfer-Encoding other than chunked")
	errBothLengths = bad("Content-Length and Transfer-Encoding together")
	errCoding10    = bad("Transfer-Encoding in HTTP/1.0")
	errFraming     = bad("a Connection field that names a field of the framing")
	errRequestLine = bad("a request line that is none")
	errTarget      = bad("a request target that is none")
	errHost        = bad("not exactly one valid Host")
	errStatusLine  = bad("a status line that is none")
	errChunk       = bad("a chunk that is none")
	errExtension   = bad("a chunk extension that is too long")
	errTrailer     = bad("a trailer that is none, or too long")
	errVersion     = &refusal{505, "a version other than HTTP/1.0 and HTTP/1.1"}
	errTooLong     = &refusal{431, "a head that is too long"}
	errTooMany     = &refusal{431, "too many fields"}
	errBody        = &refusal{413, "a body that is too long"}
	errSlowBody    = &refusal{408, "a body that took too long"}
	errExpectation = &refusal{417, "an expectation other than 100-continue"}
)

const maxFields = 128

// tokenTable holds the characters of a token (RFC 9110, section 5.6.2), and
// valueTable those of a field value: visible ones, space, tab and what is not ASCII.
var tokenTable, valueTable = func() (token, value [256]bool) {
	for c := range 256 {
		token[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
			bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0
		value[c] = c >= ' ' && c != 0x7f || c == '\t'
	}
	return
}()

func all(b []byte, table *[256]bool) bool {
	for _, c := range b {
		if !table[c] {
			return false
		}
	}
	return true
}

// equalFold compares with lower, which is lower-case ASCII.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// firstLine returns the first line of b without its end, nil if that has not come.
func firstLine(b []byte) ([]byte, error) {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		return nil, nil
	}
	if n == 0 || b[n-1] != '\r' {
		return nil, errLineEnd
	}
	return b[:n-1], nil
}

// parseFields reads the lines from at up to the empty one in b. It returns where
// the head ends, or 0 if b does not hold all of it yet.
func (h *head) parseFields(b []byte, at int) (int, error) {
	h.lines, h.fields = at, h.fields[:0]
	h.length, h.chunked = -1, false
	h.close, h.keepAlive, h.upgrade, h.trailers = false, false, false, false
	h.report, h.orca = field{}, field{}
	for {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return 0, nil
		}
		end := at + n
		if n == 0 || b[end-1] != '\r' {
			return 0, errLineEnd
		}
		if n == 1 {
			h.raw = b[:end+1]
			return end + 1, nil
		}
		line := b[at : end-1]
		if line[0] == ' ' || line[0] == '\t' {
			return 0, errFold
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !all(line[:colon], &tokenTable) {
			return 0, errFieldName
		}
		if !all(line[colon+1:], &valueTable) {
			return 0, errFieldValue
		}
		if len(h.fields) == maxFields {
			return 0, errTooMany
		}
		f := field{line: at, nameEnd: at + colon, start: at + colon + 1, end: end - 1, next: end + 1}
		for f.start < f.end && (b[f.start] == ' ' || b[f.start] == '\t') {
			f.start++
		}
		for f.end > f.start && (b[f.end-1] == ' ' || b[f.end-1] == '\t') {
			f.end--
		}
		h.fields = append(h.fields, f)
		at = end + 1
	}
}

// framing looks at a field that says where the message ends.
func (h *head) contentLength(value []byte) error {
	if h.length >= 0 {
		return errTwoLengths
	}
	if len(value) == 0 || len(value) > 18 {
		return errLength
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return errLength
		}
		n = n*10 + int64(c-'0')
	}
	h.length = n
	return nil
}

func (h *head) transferEncoding(value []byte) error {
	if h.chunked || !equalFold(value, "chunked") {
		return errCoding
	}
	h.chunked = true
	return nil
}

// framed checks the two together, at the end of a head (RFC 9112, section 6).
func (h *head) framed() error {
	switch {
	case h.chunked && h.length >= 0:
		return errBothLengths
	case h.chunked && h.minor == 0:
		return errCoding10
	}
	return nil
}

// connection reads the options of a Connection field. Fields that it names are
// for this connection only and go no further (RFC 9110, section 7.6.1).
func (h *head) connection(value []byte) error {
	for len(value) > 0 {
		var option []byte
		option, value = cutList(value)
		switch {
		case len(option) == 0:
		case equalFold(option, "close"):
			h.close = true
		case equalFold(option, "keep-alive"):
			h.keepAlive = true
		case equalFold(option, "upgrade"):
			h.upgrade = true
		case equalFold(option, "content-length"), equalFold(option, "transfer-encoding"), equalFold(option, "host"):
			return errFraming
		default:
			for i := range h.fields {
				if bytes.EqualFold(h.name(&h.fields[i]), option) {
					h.fields[i].drop = true
				}
			}
		}
	}
	return nil
}

// cutList returns the first element of a comma-separated list, and the rest.
func cutList(list []byte) (element, rest []byte) {
	if before, after, ok := bytes.Cut(list, []byte{','}); ok {
		element, rest = before, after
	} else {
		element = list
	}
	return bytes.Trim(element, " \t"), rest
}
