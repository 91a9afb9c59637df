package lbhttp

// fieldKind is what a field's name means to a proxy.
type fieldKind uint8

const (
	fieldOther fieldKind = iota
	fieldHost
	fieldContentLength
	fieldTransferEncoding
	fieldConnection
	fieldUpgrade
	fieldTE
	fieldExpect
	fieldHop        // for one connection only, by its nature
	fieldForwarding // says who the client is: true only if a proxy of ours wrote it
	fieldReport
	fieldORCA
)

// requestField classifies the name of a request's field.
func requestField(name []byte) fieldKind {
	switch len(name) {
	case 2:
		if equalFold(name, "te") {
			return fieldTE
		}
	case 4:
		if equalFold(name, "host") {
			return fieldHost
		}
	case 6:
		if equalFold(name, "expect") {
			return fieldExpect
		}
	case 7:
		if equalFold(name, "upgrade") {
			return fieldUpgrade
		}
	case 9:
		if equalFold(name, "forwarded") {
			return fieldForwarding
		}
		if foldsTo(name, "x-real-ip") {
			return fieldForwarding
		}
	case 10:
		if equalFold(name, "connection") {
			return fieldConnection
		}
		if equalFold(name, "keep-alive") {
			return fieldHop
		}
	case 14:
		if equalFold(name, "content-length") {
			return fieldContentLength
		}
		if equalFold(name, "http2-settings") {
			return fieldHop
		}
	case 16:
		if equalFold(name, "proxy-connection") {
			return fieldHop
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			return fieldTransferEncoding
		}
	case 19:
		if equalFold(name, "proxy-authorization") {
			return fieldHop
		}
	}
	if len(name) > 12 && foldsTo(name[:12], "x-forwarded-") {
		return fieldForwarding
	}
	return fieldOther
}

// responseField classifies the name of a response's field.
func responseField(name []byte) fieldKind {
	switch len(name) {
	case 7:
		if equalFold(name, "upgrade") {
			return fieldUpgrade
		}
	case 9:
		if equalFold(name, "lb-report") {
			return fieldReport
		}
	case 10:
		if equalFold(name, "connection") {
			return fieldConnection
		}
		if equalFold(name, "keep-alive") {
			return fieldHop
		}
	case 14:
		if equalFold(name, "content-length") {
			return fieldContentLength
		}
	case 16:
		if equalFold(name, "proxy-connection") {
			return fieldHop
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			return fieldTransferEncoding
		}
	case 18:
		if equalFold(name, "proxy-authenticate") {
			return fieldHop
		}
	case 21:
		if equalFold(name, "endpoint-load-metrics") {
			return fieldORCA
		}
	}
	return fieldOther
}

// foldsTo is equalFold for names that programs behind us confuse: CGI and what
// came after it make one variable of X-Real-IP and X_Real_IP, so that a client
// could forge the one with the other.
func foldsTo(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c == '_':
			c = '-'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
