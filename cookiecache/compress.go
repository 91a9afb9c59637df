package cookiecache

import (
	"bytes"
	"compress/flate"
	"io"
	"slices"
	"sync"
)

// deflater and inflater keep the large tables of compress/flate between uses.
type deflater struct {
	w   *flate.Writer
	buf bytes.Buffer
}

type inflater struct {
	r   io.ReadCloser // also a flate.Resetter
	src bytes.Reader
}

var (
	deflaters = sync.Pool{New: func() any {
		d := new(deflater)
		d.w, _ = flate.NewWriter(&d.buf, flate.BestCompression) // the level is valid
		return d
	}}
	inflaters = sync.Pool{New: func() any {
		i := new(inflater)
		i.r = flate.NewReader(&i.src)
		return i
	}}
)

// deflate appends the compressed body to dst.
func deflate(dst, body []byte) ([]byte, error) {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.buf.Reset()
	d.w.Reset(&d.buf)
	if _, err := d.w.Write(body); err != nil {
		return dst, err
	}
	if err := d.w.Close(); err != nil {
		return dst, err
	}
	return append(dst, d.buf.Bytes()...), nil
}

// inflate appends at most limit bytes to dst; more are an error, and are not
// even unpacked.
func inflate(dst, body []byte, limit int) ([]byte, error) {
	i := inflaters.Get().(*inflater)
	defer inflaters.Put(i)
	i.src.Reset(body)
	if err := i.r.(flate.Resetter).Reset(&i.src, nil); err != nil {
		return dst, ErrSchema
	}
	for got := 0; ; {
		dst = slices.Grow(dst, 512)
		n, err := i.r.Read(dst[len(dst):min(cap(dst), len(dst)+limit+1-got)])
		dst, got = dst[:len(dst)+n], got+n
		switch {
		case got > limit:
			return dst, ErrSchema
		case err == io.EOF && i.src.Len() == 0:
			return dst, nil
		case err != nil:
			return dst, ErrSchema
		}
	}
}
