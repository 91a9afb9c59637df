package lbtcp

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
)

// MySQL waits for the handshake of MySQL or MariaDB. A server that refuses at
// once, because it has too many connections or has blocked this host, sends an
// error instead. The server counts a connection that ends here as interrupted:
// its max_connect_errors must not be too low, or name this host in skip_name_resolve.
func MySQL() Probe {
	return conversation(func(_ net.Conn, r *bufio.Reader) error {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
		if n < 1 || n > maxAnswer {
			return unexpected("a packet of %d bytes", n)
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		return judgeMySQL(body)
	})
}

func judgeMySQL(body []byte) error {
	switch {
	case len(body) >= 3 && body[0] == 0xff:
		return unexpected("error %d", binary.LittleEndian.Uint16(body[1:]))
	case len(body) > 1 && (body[0] == 10 || body[0] == 9): // protocol version
		return nil
	}
	return unexpected("no handshake")
}

// PostgreSQL asks whether the server speaks TLS, which it answers with one byte
// before any authentication. A server that starts up or recovers accepts and
// answers that too: where that matters, probe with a query by a Probe of your own.
func PostgreSQL() Probe {
	return conversation(func(conn net.Conn, r *bufio.Reader) error {
		request := binary.BigEndian.AppendUint32(nil, 8)
		request = binary.BigEndian.AppendUint32(request, 80877103) // SSLRequest
		if _, err := conn.Write(request); err != nil {
			return err
		}
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b != 'S' && b != 'N' {
			return unexpected("byte %q", b)
		}
		return nil
	})
}

// LDAP binds anonymously (RFC 4511). A server that refuses anonymous clients
// serves; one that is busy, unavailable or unwilling does not.
func LDAP() Probe {
	return conversation(func(conn net.Conn, r *bufio.Reader) error {
		// LDAPMessage{1, BindRequest{version 3, name "", simple ""}}
		if _, err := conn.Write([]byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x60, 0x07, 0x02, 0x01, 0x03, 0x04, 0x00, 0x80, 0x00}); err != nil {
			return err
		}
		tag, body, err := readBER(r)
		if err != nil {
			return err
		}
		if tag != 0x30 {
			return unexpected("no LDAP message")
		}
		if err := judgeLDAP(body); err != nil {
			return err
		}
		conn.Write([]byte{0x30, 0x05, 0x02, 0x01, 0x02, 0x42, 0x00}) // unbind
		return nil
	})
}

// judgeLDAP looks at the inside of a message: the ID, then a BindResponse with
// its result code.
func judgeLDAP(body []byte) error {
	tag, _, rest, ok := takeBER(body)
	if !ok || tag != 0x02 {
		return unexpected("no message ID")
	}
	tag, response, _, ok := takeBER(rest)
	if !ok || tag != 0x61 {
		return unexpected("no BindResponse")
	}
	tag, code, _, ok := takeBER(response)
	if !ok || tag != 0x0a || len(code) != 1 {
		return unexpected("no result code")
	}
	switch code[0] {
	case 51, 52, 53, 80: // busy, unavailable, unwillingToPerform, other
		return unexpected("result code %d", code[0])
	}
	return nil
}

// readBER reads one value with its tag.
func readBER(r *bufio.Reader) (tag byte, body []byte, err error) {
	if tag, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	first, err := r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n := int(first)
	if first >= 0x80 {
		k := int(first & 0x7f)
		if k < 1 || k > 3 {
			return 0, nil, unexpected("a length of %d bytes", k)
		}
		n = 0
		for range k {
			b, err := r.ReadByte()
			if err != nil {
				return 0, nil, err
			}
			n = n<<8 | int(b)
		}
	}
	if n > maxAnswer {
		return 0, nil, unexpected("a message of %d bytes", n)
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return tag, body, err
}

// takeBER takes one value with its tag from the front.
func takeBER(b []byte) (tag byte, body, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, nil, false
	}
	n, head := int(b[1]), 2
	if b[1] >= 0x80 {
		k := int(b[1] & 0x7f)
		if k < 1 || k > 3 || len(b) < 2+k {
			return 0, nil, nil, false
		}
		n, head = 0, 2+k
		for _, x := range b[2:head] {
			n = n<<8 | int(x)
		}
	}
	if len(b)-head < n {
		return 0, nil, nil, false
	}
	return b[0], b[head : head+n], b[head+n:], true
}
