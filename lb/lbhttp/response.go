package lbhttp

// response is a parsed head of a response.
type response struct {
	head
	status int
}

// bodyKind says how a body ends.
type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyLength
	bodyChunked
	bodyUntilClose
)

// parse reads a response's head from the beginning of b, as request.parse does.
// Every error means that the backend cannot be understood.
func (r *response) parse(b []byte, rules *rules) (int, error) {
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
	upgrades, connections := 0, 0
	for i := range r.fields {
		f := &r.fields[i]
		name, value := b[f.line:f.nameEnd], b[f.start:f.end]
		switch responseField(name) {
		case fieldContentLength:
			if err := r.contentLength(value); err != nil {
				return 0, err
			}
		case fieldTransferEncoding:
			if err := r.transferEncoding(value); err != nil {
				return 0, err
			}
			f.drop = true // what we send says its own
		case fieldConnection:
			f.drop = true
			connections++
		case fieldUpgrade:
			f.drop = true
			upgrades++
		case fieldHop:
			f.drop = true
		case fieldReport:
			f.drop = true
			r.report = *f
		case fieldORCA:
			f.drop = true
			r.orca = *f
		default:
			f.drop = rules.strips(name)
		}
	}
	if connections > 0 {
		for i := range r.fields {
			if f := &r.fields[i]; responseField(r.name(f)) == fieldConnection {
				if err := r.connection(r.value(f)); err != nil {
					return 0, err
				}
			}
		}
	}
	r.upgrade = r.upgrade && upgrades > 0
	return n, r.framed()
}

// parseLine reads "HTTP/1.x 200 reason".
func (r *response) parseLine(line []byte) error {
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return errStatusLine
	}
	switch line[7] {
	case '0', '1':
		r.minor = int(line[7] - '0')
	default:
		return errStatusLine
	}
	r.status = 0
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return errStatusLine
		}
		r.status = r.status*10 + int(c-'0')
	}
	if r.status < 100 || len(line) > 12 && line[12] != ' ' || !all(line[12:], &valueTable) {
		return errStatusLine
	}
	return nil
}

// body says how the body of the answer to a request ends (RFC 9112, section 6.3).
func (r *response) body(toHead bool) bodyKind {
	switch {
	case toHead, r.status < 200, r.status == 204, r.status == 304:
		return bodyNone
	case r.chunked:
		return bodyChunked
	case r.length == 0:
		return bodyNone
	case r.length > 0:
		return bodyLength
	}
	return bodyUntilClose
}

// reusable reports whether the connection goes on after this response.
func (r *response) reusable(kind bodyKind) bool {
	if r.close || kind == bodyUntilClose {
		return false
	}
	return r.minor == 1 || r.keepAlive
}
