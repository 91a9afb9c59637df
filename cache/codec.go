package cache

import "encoding/json"

// A Codec turns values into bytes for a shared tier and back. Both methods are
// called concurrently. The codecs of package cookiecache satisfy it too.
type Codec[V any] interface {
	// Append appends the encoding of v to dst.
	Append(dst []byte, v V) ([]byte, error)
	// Decode reads into v, which is zero, what Append wrote. b belongs to the
	// value from then on: it may be kept, and nobody changes it.
	Decode(b []byte, v *V) error
}

// JSON returns a codec that uses encoding/json, so that what a value's JSON
// leaves out, such as unexported fields, is not shared.
func JSON[V any]() Codec[V] { return jsonCodec[V]{} }

type jsonCodec[V any] struct{}

func (jsonCodec[V]) Append(dst []byte, v V) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

func (jsonCodec[V]) Decode(b []byte, v *V) error { return json.Unmarshal(b, v) }

// Raw returns a codec for values that are bytes already, such as rendered
// pages: they are shared as they are.
func Raw[V ~[]byte | ~string]() Codec[V] { return rawCodec[V]{} }

type rawCodec[V ~[]byte | ~string] struct{}

func (rawCodec[V]) Append(dst []byte, v V) ([]byte, error) { return append(dst, v...), nil }

func (rawCodec[V]) Decode(b []byte, v *V) error {
	*v = V(b)
	return nil
}
