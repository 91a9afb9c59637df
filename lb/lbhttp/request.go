package lbhttp

import "bytes"

// request is a parsed head of a request.
type request struct {
	head
	method []byte
	target []byte // in origin form, "*", or an authority for CONNECT
	host   []byte // of the target in absolute form, else of the Host field
	expect bool   // Expect: 100-continue

	isHead     bool
	idempotent bool // RFC 9110, section 9.2.2
	forwarded  bool // a trusted peer says who the client is
}

// parse reads a request's head from the beginning of b. It returns its length,
// 0 if there is more to come, or a *refusal. It marks the fields that go no
// further.
func (r *request) parse(b []byte, rules *rules, trusted bool) (int, error) {
	line, err := firstLine(b)
	if line == nil {
		return 0, err
	}
	if err := r.parseLine(line); err != nil {
		return 0, err
	}
	n, err := r.parseFields(b, len(line)+2)
	if n == 0 || err != nil {
		return 0, err
	}
	r.expect, r.forwarded = false, false
	hosts, upgrades := 0, 0
	var connection, host []byte
	connections := 0
	for i := range r.fields {
		f := &r.fields[i]
		name, value := b[f.line:f.nameEnd], b[f.start:f.end]
		switch requestField(name) {
		case fieldHost:
			hosts++
			host = value
			f.drop = true // written anew: an absolute target overrides it
		case fieldContentLength:
			if err := r.contentLength(value); err != nil {
				return 0, err
			}
		case fieldTransferEncoding:
			if err := r.transferEncoding(value); err != nil {
				return 0, err
			}
		case fieldConnection:
			f.drop = true
			connections++
			connection = value
		case fieldUpgrade:
			f.drop = true
			upgrades++
		case fieldHop:
			f.drop = true
		case fieldTE:
			f.drop = true
			for rest := value; len(rest) > 0; {
				var coding []byte
				coding, rest = cutList(rest)
				r.trailers = r.trailers || equalFold(coding, "trailers")
			}
		case fieldExpect:
			if !equalFold(value, "100-continue") {
				return 0, errExpectation
			}
			// An HTTP/1.0 client does not know what it would be told.
			r.expect = r.minor == 1
			f.drop = !r.expect
		case fieldForwarding:
			r.forwarded = trusted
			f.drop = !trusted || foldsTo(name, "x-forwarded-for") || rules.forwarded && equalFold(name, "forwarded")
		default:
			f.drop = rules.strips(name)
		}
	}
	if connections == 1 {
		err = r.connection(connection)
	} else {
		for i := range r.fields {
			if f := &r.fields[i]; err == nil && requestField(r.name(f)) == fieldConnection {
				err = r.connection(r.value(f))
			}
		}
	}
	if err != nil {
		return 0, err
	}
	if err := r.framed(); err != nil {
		return 0, err
	}
	r.upgrade = r.upgrade && upgrades > 0 && r.minor == 1
	if hosts > 1 || hosts == 0 && r.minor == 1 || !validHost(host) {
		return 0, errHost
	}
	if r.host == nil {
		r.host = host
	}
	return n, nil
}

// parseLine reads "METHOD target HTTP/1.x".
func (r *request) parseLine(line []byte) error {
	m := bytes.IndexByte(line, ' ')
	v := bytes.LastIndexByte(line, ' ')
	if m <= 0 || v <= m || !all(line[:m], &tokenTable) {
		return errRequestLine
	}
	switch version := line[v+1:]; {
	case string(version) == "HTTP/1.1":
		r.minor = 1
	case string(version) == "HTTP/1.0":
		r.minor = 0
	case len(version) == 8 && bytes.HasPrefix(version, []byte("HTTP/")) && version[6] == '.':
		return errVersion
	default:
		return errRequestLine
	}
	r.method, r.target, r.host = line[:m], line[m+1:v], nil
	r.isHead = string(r.method) == "HEAD"
	switch string(r.method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		r.idempotent = true
	default:
		r.idempotent = false
	}
	if len(r.target) == 0 {
		return errTarget
	}
	for _, c := range r.target {
		if c <= ' ' || c >= 0x7f {
			return errTarget
		}
	}
	switch {
	case string(r.method) == "CONNECT":
		return errConnect
	case r.target[0] == '/':
		return nil
	case string(r.target) == "*":
		if string(r.method) != "OPTIONS" {
			return errTarget
		}
		return nil
	}
	return r.absolute()
}

// errConnect: a reverse proxy opens no tunnels to where a client says.
var errConnect = &refusal{405, "CONNECT"}

// absolute turns a target in absolute form into a host and the origin form
// (RFC 9112, section 3.2.2).
func (r *request) absolute() error {
	rest, ok := cutPrefixFold(r.target, "http://")
	if !ok {
		if rest, ok = cutPrefixFold(r.target, "https://"); !ok {
			return errTarget
		}
	}
	end := bytes.IndexAny(rest, "/?")
	host := rest
	if end >= 0 {
		host = rest[:end]
	}
	if len(host) == 0 || !validHost(host) || bytes.IndexByte(host, '@') >= 0 {
		return errTarget
	}
	r.host = host
	switch {
	case end < 0:
		r.target = slash
	case rest[end] == '?':
		// The slash before the query is missing: "http://a?b" asks for "/?b".
		r.target = append([]byte{'/'}, rest[end:]...)
	default:
		r.target = rest[end:]
	}
	return nil
}

var slash = []byte("/")

func cutPrefixFold(b []byte, lower string) ([]byte, bool) {
	if len(b) < len(lower) || !equalFold(b[:len(lower)], lower) {
		return b, false
	}
	return b[len(lower):], true
}

// validHost refuses what no host and port can hold; it does not judge names.
func validHost(host []byte) bool {
	for _, c := range host {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 'A' && c <= 'Z':
		case bytes.IndexByte([]byte("-._~:[]%!$&'()*+,;="), c) >= 0:
		default:
			return false
		}
	}
	return true
}
