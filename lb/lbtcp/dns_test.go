package lbtcp_test

import (
	"net"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// An answer that comes when another node has been asked already goes nowhere:
// its socket is gone. And an answer from somewhere else is none, however right
// it looks: the socket takes packets of its node only.
func TestDNSAnswersThatAreLateOrSpoofedAreNotPassedOn(t *testing.T) {
	late, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	stranger, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	type question struct {
		text []byte
		from net.Addr
	}
	asked := make(chan question, 1)
	go func() {
		buf := make([]byte, 512)
		n, from, err := late.ReadFrom(buf)
		if err != nil {
			return
		}
		stranger.WriteTo(append(reply(buf[:n]), "spoofed"...), from)
		asked <- question{buf[:n], from}
	}()
	good := dnsServer(t, func(q []byte) [][]byte { return [][]byte{append(reply(q), "good"...)} })
	d, err := lbtcp.NewDNS(lbtcp.DNSConfig{Timeout: 50 * time.Millisecond,
		Pool: pool(t, firstOf{}, lb.Node{ID: "0", Addr: late.LocalAddr().String()}, good)})
	if err != nil {
		t.Fatal(err)
	}
	client, stop := runDNS(t, d)
	client.Write(dnsQuery(7, "www.example"))
	buf := make([]byte, 512)
	n, err := client.Read(buf)
	if want := string(reply(dnsQuery(7, "www.example"))) + "good"; err != nil || string(buf[:n]) != want {
		t.Errorf("%q %v", buf[:n], err)
	}
	select {
	case q := <-asked:
		late.WriteTo(append(reply(q.text), "late"...), q.from)
	case <-time.After(patience):
		t.Fatal("the first node was not asked")
	}
	client.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := client.Read(buf); err == nil {
		t.Errorf("a second answer: %q", buf[:n])
	}
	stop()
	if s := d.Stats(); s.Answers != 1 || s.Retries != 1 {
		t.Errorf("%+v", s)
	}
}

// firstOf takes the first node by name.
type firstOf struct{}

func (firstOf) Pick(*lb.View, lb.Query) int { return 0 }

func (firstOf) Picker() (lb.Picker, error) { return firstOf{}, nil }
