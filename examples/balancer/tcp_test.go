package main

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

func TestTCPMode(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	b := start(t, "-mode", "tcp", "-backend", l.Addr().String())
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "there and back")
	c.(*net.TCPConn).CloseWrite()
	if back, err := io.ReadAll(c); err != nil || string(back) != "there and back" {
		t.Errorf("%q, %v", back, err)
	}
}

// In dns mode a query over UDP is passed on, and one over TCP on the same port.
func TestDNSMode(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	udp, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	query := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04site\x04test\x00\x00\x01\x00\x01")
	answered := func(q []byte) []byte {
		a := bytes.Clone(q)
		a[2] |= 0x80 // an answer, to the same question
		return a
	}
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			udp.WriteTo(answered(buf[:n]), from)
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 512)
				if n, err := io.ReadAtLeast(c, buf, 2+len(query)); err == nil {
					c.Write(append(buf[:2:2], answered(buf[2:n])...))
				}
			}()
		}
	}()
	b := start(t, "-mode", "dns", "-backend", l.Addr().String())
	for _, network := range []string{"udp", "tcp"} {
		c, err := net.Dial(network, b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sent, want := query, answered(query)
		if network == "tcp" {
			length := []byte{0, byte(len(query))}
			sent, want = append(length, query...), append(length, want...)
		}
		c.Write(sent)
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v", network, got, err)
		}
	}
}
