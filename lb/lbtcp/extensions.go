package lbtcp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// TLS is what a PROXY header of version 2 says about the client's TLS
// connection, which the proxy that wrote it has ended (section 2.2.6).
type TLS struct {
	Certificate bool // the client showed a certificate over this connection
	Session     bool // it showed one over this connection or one before, whose session it resumes
	Verified    bool // the certificate was shown and verified
	// Version such as "TLSv1.3"; CommonName of the certificate's subject; and
	// the names of the algorithms. What is not said is "".
	Version, CommonName, Cipher, Signature, Key string
}

// Extension is a field of a PROXY header of version 2 that has no other place
// in [Header], such as a vendor's of type 0xE0 to 0xEF.
type Extension struct {
	Type  byte
	Value []byte
}

// Types of extensions, and bits of what a client did with TLS.
const (
	extALPN      = 0x01
	extAuthority = 0x02
	extCRC32C    = 0x03
	extNothing   = 0x04
	extUniqueID  = 0x05
	extTLS       = 0x20
	extVersion   = 0x21
	extCN        = 0x22
	extCipher    = 0x23
	extSignature = 0x24
	extKey       = 0x25

	clientTLS     = 1
	clientCert    = 2
	clientSession = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// extensions reads those of the header b, which begin at its byte i.
func (h *Header) extensions(b []byte, i int) error {
	c := cursor{b[i:], true}
	for len(c.b) > 0 {
		kind := byte(c.number(1))
		value := c.vector(2).b
		if !c.ok {
			return fmt.Errorf("%w: an extension that is cut off", ErrHeader)
		}
		switch kind {
		case extALPN:
			h.ALPN = string(value)
		case extAuthority:
			h.Authority = string(value)
		case extUniqueID:
			h.UniqueID = string(value)
		case extNothing:
		case extCRC32C:
			if len(value) != 4 || !rightSum(b, len(b)-len(c.b)-4) {
				return fmt.Errorf("%w: its checksum is wrong", ErrHeader)
			}
		case extTLS:
			t, err := parseTLS(value)
			if err != nil {
				return err
			}
			h.TLS = t
		default:
			h.Extensions = append(h.Extensions, Extension{kind, bytes.Clone(value)})
		}
	}
	return nil
}

// rightSum checks the CRC32C at b[i:]: it is that of b with zeros there.
func rightSum(b []byte, i int) bool {
	sum := crc32.Update(0, castagnoli, b[:i])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, b[i+4:]) == binary.BigEndian.Uint32(b[i:])
}

// parseTLS returns nil for a client without TLS.
func parseTLS(b []byte) (*TLS, error) {
	c := cursor{b, true}
	client := c.number(1)
	t := &TLS{Certificate: client&clientCert != 0, Session: client&clientSession != 0, Verified: c.number(4) == 0}
	for c.ok && len(c.b) > 0 {
		kind := c.number(1)
		value := string(c.vector(2).b)
		if field := t.field(byte(kind)); field != nil {
			*field = value
		}
	}
	if !c.ok {
		return nil, fmt.Errorf("%w: an extension about TLS that is cut off", ErrHeader)
	}
	if client&clientTLS == 0 {
		return nil, nil
	}
	return t, nil
}

func (t *TLS) field(kind byte) *string {
	switch kind {
	case extVersion:
		return &t.Version
	case extCN:
		return &t.CommonName
	case extCipher:
		return &t.Cipher
	case extSignature:
		return &t.Signature
	case extKey:
		return &t.Key
	}
	return nil
}

// appendExtensions writes those there are, as far as they fit.
func (h Header) appendExtensions(dst []byte) []byte {
	end := len(dst) + maxHeader - v2Head - 36
	add := func(kind byte, value []byte) {
		if len(dst)+3+len(value) <= end {
			dst = appendExtension(dst, kind, value)
		}
	}
	for _, e := range []struct {
		kind byte
		text string
	}{{extALPN, h.ALPN}, {extAuthority, h.Authority}, {extUniqueID, h.UniqueID}} {
		if e.text != "" {
			add(e.kind, []byte(e.text))
		}
	}
	if h.TLS != nil {
		add(extTLS, h.TLS.append(nil))
	}
	for _, e := range h.Extensions {
		add(e.Type, e.Value)
	}
	return dst
}

func (t *TLS) append(dst []byte) []byte {
	client, verify := byte(clientTLS), byte(1)
	if t.Certificate {
		client |= clientCert
	}
	if t.Session {
		client |= clientSession
	}
	if t.Verified {
		verify = 0
	}
	dst = append(dst, client, 0, 0, 0, verify)
	for kind := byte(extVersion); kind <= extKey; kind++ {
		if text := *t.field(kind); text != "" && len(text) < maxHeader {
			dst = appendExtension(dst, kind, []byte(text))
		}
	}
	return dst
}

func appendExtension(dst []byte, kind byte, value []byte) []byte {
	dst = append(dst, kind, byte(len(value)>>8), byte(len(value)))
	return append(dst, value...)
}
