package lbcast

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// A packet, big endian:
//
//	magic "LBC1" | u32 key ID | u64 epoch | u64 sequence number | i64 time, Unix ns
//	u8 length of the ID | ID
//	u32 RIF | f32 cores | i64 slowness ns | i64 latency ns | u8 flags
//	HMAC-SHA256 of all of this
//
// Nothing follows. The key ID only says which key to try.
const (
	magic     = "LBC1"
	macSize   = sha256.Size
	headSize  = 4 + 4 + 8 + 8 + 8 + 1
	tailSize  = 4 + 4 + 8 + 8 + 1
	maxID     = 128
	minPacket = headSize + 1 + tailSize + macSize
	maxPacket = headSize + maxID + tailSize + macSize

	flagDraining = 1
)

// Why a packet is refused; [ReceiverTrace] hears of them. None says anything
// about a secret.
var (
	// ErrMalformed is for what is no packet of ours.
	ErrMalformed = errors.New("lbcast: not a report packet")
	// ErrUnwelcome is for a packet from outside the networks of
	// ReceiverConfig.From.
	ErrUnwelcome = errors.New("lbcast: from an address that is not listened to")
	// ErrForeign is for a packet signed with a key that is none of ours: of
	// another cluster on the same group, or with a secret not known here.
	ErrForeign = errors.New("lbcast: signed with an unknown key")
	// ErrForged is for a packet that names a key of ours and is not signed with
	// it, or was changed on its way.
	ErrForged = errors.New("lbcast: wrong signature")
	// ErrStale is for a packet whose time is too far from the clock here.
	ErrStale = errors.New("lbcast: too old, or the clocks differ too much")
	// ErrReplayed is for a packet that is not newer than one heard before of the
	// same sender.
	ErrReplayed = errors.New("lbcast: not newer than what was heard before")
	// ErrFull is for a new sender when so many are remembered as may be.
	ErrFull = errors.New("lbcast: too many senders")
)

// key signs and checks packets of one cluster with one secret.
type key struct {
	id     uint32
	secret []byte
}

// newKey derives the key of a cluster from a secret, so that two clusters with
// one secret do not hear each other, nor whatever else the secret is used for.
func newKey(secret []byte, cluster string) key {
	derive := func(what string) []byte {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte("lbcast 1 " + what + "\x00" + cluster))
		return h.Sum(nil)
	}
	return key{id: binary.BigEndian.Uint32(derive("id")), secret: derive("key")}
}

func (k key) mac(b []byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	h.Write(b)
	return h.Sum(nil)
}

// message is what a packet says.
type message struct {
	epoch, seq uint64
	at         int64 // Unix ns
	id         string
	report     lb.Report
}

// seal makes the packet for m. Its ID has from 1 to maxID bytes.
func (k key) seal(m message) []byte {
	b := make([]byte, 0, maxPacket)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, k.id)
	b = binary.BigEndian.AppendUint64(b, m.epoch)
	b = binary.BigEndian.AppendUint64(b, m.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(m.at))
	b = append(b, byte(len(m.id)))
	b = append(b, m.id...)
	r := m.report
	b = binary.BigEndian.AppendUint32(b, r.RIF)
	b = binary.BigEndian.AppendUint32(b, math.Float32bits(r.Cores))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Slowness))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Latency))
	var flags byte
	if r.Draining {
		flags |= flagDraining
	}
	b = append(b, flags)
	return append(b, k.mac(b)...)
}

// open checks a packet's signature and returns what it says.
func open(b []byte, keys []key) (message, error) {
	if len(b) < minPacket || len(b) > maxPacket || string(b[:len(magic)]) != magic {
		return message{}, ErrMalformed
	}
	signed, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	err := ErrForeign
	for _, k := range keys {
		if k.id != binary.BigEndian.Uint32(b[4:]) {
			continue
		}
		if hmac.Equal(mac, k.mac(signed)) {
			return parse(signed)
		}
		err = ErrForged
	}
	return message{}, err
}

// parse reads a packet whose signature is right, without it. Numbers that make
// no sense are the pool's to refuse.
func parse(b []byte) (message, error) {
	n := int(b[headSize-1])
	if n == 0 || n > maxID || len(b) != headSize+n+tailSize {
		return message{}, ErrMalformed
	}
	u64 := binary.BigEndian.Uint64
	r := b[headSize+n:]
	if r[tailSize-1]&^flagDraining != 0 {
		return message{}, ErrMalformed
	}
	return message{
		epoch: u64(b[8:]),
		seq:   u64(b[16:]),
		at:    int64(u64(b[24:])),
		id:    string(b[headSize : headSize+n]),
		report: lb.Report{
			RIF:      binary.BigEndian.Uint32(r),
			Cores:    math.Float32frombits(binary.BigEndian.Uint32(r[4:])),
			Slowness: time.Duration(u64(r[8:])),
			Latency:  time.Duration(u64(r[16:])),
			Draining: r[24] == flagDraining,
		},
	}, nil
}
