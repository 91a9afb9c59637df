package lbhttp

// chunks reads chunked transfer coding (RFC 9112, section 7.1), strictly: sizes
// of at most 15 digits, lines that end in CR LF and nothing else, extensions
// skipped up to a limit, trailers checked as fields are.
type chunks struct {
	state     chunkState
	left      int64 // of the chunk's data
	size      int64
	digits    int
	total     int64  // of all chunks so far
	limit     int64  // of that; 0 is none
	extension int    // bytes of extensions so far, of all chunks together
	trailer   []byte // the trailer section, once it has begun
	rules     *rules
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer
	chunkDone
)

// Limits of what surrounds a body, so that a client cannot have us read for
// ever what is no body.
const (
	maxExtension = 4 << 10
	maxTrailer   = 8 << 10
)

// next looks at b and returns how much of it is used up and which part of that
// is data; both may be empty. It is called with what follows until done.
func (c *chunks) next(b []byte) (used int, data []byte, err error) {
	for i := range b {
		x := b[i]
		switch c.state {
		case chunkSize:
			d := unhex(x)
			switch {
			case d >= 0 && c.digits < 15:
				c.size = c.size<<4 | int64(d)
				c.digits++
			case c.digits == 0 || d >= 0:
				return i, nil, errChunk
			case x == '\r':
				c.state = chunkSizeLF
			case x == ';':
				c.state = chunkExtension
			default:
				return i, nil, errChunk
			}
		case chunkExtension:
			if c.extension++; c.extension > maxExtension {
				return i, nil, errExtension
			}
			if x == '\r' {
				c.state = chunkSizeLF
			} else if !valueTable[x] {
				return i, nil, errChunk
			}
		case chunkSizeLF:
			if x != '\n' {
				return i, nil, errChunk
			}
			if c.total += c.size; c.limit > 0 && c.total > c.limit {
				return i, nil, errBody
			}
			c.left, c.state = c.size, chunkData
			if c.size == 0 {
				c.state = chunkTrailer
			}
			c.size, c.digits = 0, 0
		case chunkData:
			n := int(min(c.left, int64(len(b)-i)))
			if c.left -= int64(n); c.left == 0 {
				c.state = chunkDataCR
			}
			return i + n, b[i : i+n], nil
		case chunkDataCR:
			if x != '\r' {
				return i, nil, errChunk
			}
			c.state = chunkDataLF
		case chunkDataLF:
			if x != '\n' {
				return i, nil, errChunk
			}
			c.state = chunkSize
		case chunkTrailer:
			if len(c.trailer) == maxTrailer {
				return i, nil, errTrailer
			}
			c.trailer = append(c.trailer, x)
			if x != '\n' {
				continue
			}
			switch t := c.trailer; {
			case len(t) < 2 || t[len(t)-2] != '\r':
				return i, nil, errTrailer
			case len(t) == 2 || len(t) >= 4 && t[len(t)-3] == '\n':
				c.state = chunkDone
				return i + 1, nil, c.checkTrailer()
			}
		case chunkDone:
			return i, nil, nil
		}
	}
	return len(b), nil, nil
}

func (c *chunks) done() bool { return c.state == chunkDone }

// reset makes c ready for the next body, of at most limit bytes if that is not
// 0, and keeps its memory.
func (c *chunks) reset(ru *rules, limit int64) {
	*c = chunks{trailer: c.trailer[:0], rules: ru, limit: limit}
}

// checkTrailer drops from the trailer what may not be in one: fields that say
// where a message ends, who it is for, or who sent it (RFC 9110, section 6.5.1).
func (c *chunks) checkTrailer() error {
	var h head
	n, err := h.parseFields(c.trailer, 0)
	if err != nil || n != len(c.trailer) {
		return errTrailer
	}
	kept := c.trailer[:0]
	for i := range h.fields {
		f := &h.fields[i]
		name := h.name(f)
		if requestField(name) == fieldOther && responseField(name) == fieldOther && !c.rules.strips(name) {
			kept = append(kept, h.raw[f.line:f.next]...)
		}
	}
	c.trailer = append(kept, '\r', '\n')
	return nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// appendChunk writes data as one chunk; it must not be empty.
func appendChunk(dst, data []byte) []byte {
	dst = appendHex(dst, len(data))
	dst = append(dst, data...)
	return append(dst, '\r', '\n')
}

func appendHex(dst []byte, n int) []byte {
	const digits = "0123456789abcdef"
	shift := 0
	for n>>shift > 15 {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return append(dst, '\r', '\n')
}
