package cookiecache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
)

// Codec turns values into bytes and back. Its methods are called concurrently.
type Codec[T any] interface {
	// Append appends the encoded value to dst.
	Append(dst []byte, v T) ([]byte, error)
	// Decode sets *v, which is zero before, from what Append made. It must not
	// keep b, which is overwritten afterwards. Bytes that it does not understand,
	// such as those of another version of the program, are an error, which
	// makes the cookie a miss with the cause ErrSchema.
	Decode(b []byte, v *T) error
}

// JSON returns a codec that writes the schema number and encoding/json. Raise
// the number when the type changes its meaning: values of another number are a
// miss.
func JSON[T any](schema uint32) Codec[T] { return jsonCodec[T]{schema} }

type jsonCodec[T any] struct{ schema uint32 }

func (c jsonCodec[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(binary.AppendUvarint(dst, uint64(c.schema)), b...), nil
}

func (c jsonCodec[T]) Decode(b []byte, v *T) error {
	b, err := cutSchema(b, c.schema)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

var errMalformed = errors.New("cookiecache: malformed value")

// cutSchema returns what follows the schema number, if it is the right one.
func cutSchema(b []byte, schema uint32) ([]byte, error) {
	got, rest, ok := uvarint(b)
	if !ok || got != uint64(schema) {
		return nil, ErrSchema
	}
	return rest, nil
}

// uvarint reads a number in its shortest form.
func uvarint(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 {
		return 0, b, false
	}
	return n, b[size:], true
}
