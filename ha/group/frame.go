package group

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// kind says what a frame carries.
type kind uint8

const (
	kindData   kind = 1 + iota // a message
	kindBeat                   // a member lives; tails
	kindLeave                  // a member goes; tails
	kindAsk                    // which messages are missing: seq is the first, the body the last and the subject
	kindRepair                 // the answer to kindAsk: seq is the first, the body messages
)

// frame is what travels. Members count their messages by subject themselves:
// what carries them promises nothing of the kind.
type frame struct {
	kind  kind
	from  string // the member that sent it
	epoch uint64 // that member's life: it grows when it starts again
	age   uint64 // ms that this life has lasted
	seq   uint64 // of the message among those of this member and subject, from 1
	body  []byte // shares memory with what was decoded
}

// Wire form: magic, version, kind, epoch, age, seq, length and text of from, body,
// and the first bytes of the HMAC-SHA256 of the subject and all of that.
const (
	frameMagic   = "ag"
	frameVersion = 1
	frameHead    = len(frameMagic) + 2 + 8 + 8 + 8 + 1
	frameMAC     = 16
	maxName      = 64
)

// overhead is by how much a frame may be longer than its body.
const overhead = frameHead + maxName + frameMAC

var errFrame = errors.New("group: not a frame of this group")

// encode appends the frame to b. The MAC binds it to the subject.
func (f *frame) encode(b, key []byte, subject string) []byte {
	start := len(b)
	b = append(b, frameMagic...)
	b = append(b, frameVersion, byte(f.kind))
	b = binary.BigEndian.AppendUint64(b, f.epoch)
	b = binary.BigEndian.AppendUint64(b, f.age)
	b = binary.BigEndian.AppendUint64(b, f.seq)
	b = append(b, byte(len(f.from)))
	b = append(b, f.from...)
	b = append(b, f.body...)
	return append(b, mac(key, subject, b[start:])...)
}

// decode reads a frame that came on subject. It believes nothing before the MAC
// is right.
func decode(b, key []byte, subject string) (frame, error) {
	var f frame
	if len(b) < frameHead+frameMAC {
		return f, errFrame
	}
	text, sum := b[:len(b)-frameMAC], b[len(b)-frameMAC:]
	if string(text[:len(frameMagic)]) != frameMagic || text[len(frameMagic)] != frameVersion || !hmac.Equal(sum, mac(key, subject, text)) {
		return f, errFrame
	}
	f.kind = kind(text[len(frameMagic)+1])
	f.epoch = binary.BigEndian.Uint64(text[4:])
	f.age = binary.BigEndian.Uint64(text[12:])
	f.seq = binary.BigEndian.Uint64(text[20:])
	n := int(text[frameHead-1])
	if n == 0 || n > maxName || len(text) < frameHead+n {
		return f, errFrame
	}
	f.from = string(text[frameHead : frameHead+n])
	f.body = text[frameHead+n:]
	return f, nil
}

func mac(key []byte, subject string, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(subject))
	h.Write([]byte{0})
	h.Write(text)
	return h.Sum(nil)[:frameMAC]
}

// tails says up to which message a member has published, by subject.
type tails map[string]uint64

// encode writes them as: seq, length and text of the subject, ...
func (t tails) encode() []byte {
	var b []byte
	for subject, seq := range t {
		b = binary.AppendUvarint(b, seq)
		b = appendText(b, subject)
	}
	return b
}

func decodeTails(b []byte) (tails, error) {
	t := tails{}
	for len(b) > 0 {
		seq, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errFrame
		}
		subject, rest, err := cutText(b[n:])
		if err != nil {
			return nil, err
		}
		t[subject], b = seq, rest
	}
	return t, nil
}

// asked is the body of a kindAsk.
type asked struct {
	last    uint64
	subject string
}

func (a asked) encode() []byte { return appendText(binary.AppendUvarint(nil, a.last), a.subject) }

func decodeAsked(b []byte) (asked, error) {
	last, n := binary.Uvarint(b)
	if n <= 0 {
		return asked{}, errFrame
	}
	subject, rest, err := cutText(b[n:])
	if err != nil || len(rest) > 0 {
		return asked{}, errFrame
	}
	return asked{last, subject}, nil
}

// encodeMessages writes the body of a kindRepair: messages one after another.
func encodeMessages(list [][]byte) []byte {
	var b []byte
	for _, m := range list {
		b = appendText(b, string(m))
	}
	return b
}

func decodeMessages(b []byte) ([][]byte, error) {
	var list [][]byte
	for len(b) > 0 {
		m, rest, err := cutText(b)
		if err != nil {
			return nil, err
		}
		list, b = append(list, []byte(m)), rest
	}
	return list, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutText(b []byte) (string, []byte, error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, errFrame
	}
	return string(b[n : n+int(size)]), b[n+int(size):], nil
}
