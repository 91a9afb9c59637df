package lbcast

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/lb"
)

// await waits until ok, however busy the machine.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// start runs something until the test ends.
func start(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

// ears starts a receiver and returns it and where it listens.
func ears(t *testing.T, cfg ReceiverConfig) (*Receiver, netip.AddrPort) {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = [][]byte{testSecret}
	}
	if cfg.Listen == nil {
		cfg.Listen = []string{"127.0.0.1:0"}
	}
	addr := make(chan netip.AddrPort, 1)
	cfg.Trace.Listening = func(a netip.AddrPort) { addr <- a }
	r, err := NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start(t, r.Run)
	return r, <-addr
}

func pool(t *testing.T, ids ...string) *lb.Pool {
	t.Helper()
	var nodes []lb.Node
	for _, id := range ids {
		nodes = append(nodes, lb.Node{ID: id})
	}
	p, err := lb.New(lb.Config{Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sender(t *testing.T, cfg SenderConfig) *Sender {
	t.Helper()
	if cfg.Secret == nil {
		cfg.Secret = testSecret
	}
	if cfg.Report == nil {
		cfg.Report = func() lb.Report { return lb.Report{RIF: 3, Cores: 4} }
	}
	cfg.Every = 100 * time.Millisecond
	s, err := NewSender(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReportsArriveByUnicast(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		p := pool(t, "a", "b")
		r, addr := ears(t, ReceiverConfig{Report: p.Report, Listen: []string{at}, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
		_, other := ears(t, ReceiverConfig{Report: pool(t, "a").Report})
		s := sender(t, SenderConfig{ID: "a", To: []string{addr.String(), other.String()}})
		start(t, s.Run)
		await(t, "three reports", func() bool { return r.Stats().Accepted >= 3 })
		n := p.Nodes()
		if n[0].Report == nil || n[0].Report.RIF != 3 || n[1].Report != nil {
			t.Errorf("%s: %+v", at, n)
		}
		if st := r.Stats(); st.Senders != 1 || st.Lost != 0 {
			t.Errorf("%s: %+v", at, st)
		}
		if st := s.Stats(); st.Failed != 0 || st.Sent < 6 {
			t.Errorf("%s: %+v", at, st)
		}
	}
}

// Two balancers and two clusters on one group of the loopback interface.
func TestReportsArriveByMulticast(t *testing.T) { multicast(t, loopback(t), "239.255.77.1") }

func multicast(t *testing.T, iface, group string) {
	at := netip.AddrPortFrom(netip.MustParseAddr(group), freePort(t)).String()
	p1, p2, p3 := pool(t, "a"), pool(t, "a"), pool(t, "a")
	listen := func(p *lb.Pool, cluster string) *Receiver {
		r, _ := ears(t, ReceiverConfig{Report: p.Report, Listen: []string{at}, Interface: iface, Cluster: cluster})
		return r
	}
	r1, r2, r3 := listen(p1, ""), listen(p2, ""), listen(p3, "other")
	start(t, sender(t, SenderConfig{ID: "a", To: []string{at}, Interface: iface}).Run)
	start(t, sender(t, SenderConfig{ID: "a", To: []string{at}, Interface: iface, Cluster: "other",
		Report: func() lb.Report { return lb.Report{RIF: 99, Cores: 1} }}).Run)
	await(t, "reports by "+group, func() bool {
		return r1.Stats().Accepted >= 2 && r2.Stats().Accepted >= 2 && r3.Stats().Accepted >= 2 && r1.Stats().Foreign >= 2
	})
	for _, tt := range []struct {
		p   *lb.Pool
		rif uint32
	}{{p1, 3}, {p2, 3}, {p3, 99}} {
		if got := tt.p.Nodes()[0].Report; got == nil || got.RIF != tt.rif {
			t.Errorf("%s: %+v, want RIF %d", group, got, tt.rif)
		}
	}
	if s := r1.Stats(); s.Forged+s.Replayed+s.Malformed+s.Stale != 0 {
		t.Errorf("%s: %+v", group, s)
	}
}

// loopback finds an interface for multicast that does not leave the machine.
func loopback(t *testing.T) string {
	t.Helper()
	list, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	t.Fatal("no loopback interface")
	return ""
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	c, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// Every kind of bad packet through a real socket: each is counted by its cause,
// and none reaches the pool.
func TestBadPacketsAreRefusedByCause(t *testing.T) {
	var reports atomic.Int64
	var mu sync.Mutex
	var seen []error
	r, addr := ears(t, ReceiverConfig{
		Senders: 2,
		Report: func(id string, rep lb.Report) error {
			if id == "stranger" {
				return errors.New("unknown")
			}
			reports.Add(1)
			return nil
		},
		Trace: ReceiverTrace{Refused: func(_ netip.AddrPort, err error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, err)
		}},
	})
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k := newKey(testSecret, "")
	m := func(id string, epoch, seq uint64, ago time.Duration) message {
		return message{epoch: epoch, seq: seq, at: time.Now().Add(-ago).UnixNano(), id: id, report: lb.Report{Cores: 1}}
	}
	send := func(b []byte) {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	good := k.seal(m("a", 1, 2, 0))
	truncated := good[:len(good)-1]
	forged := bytes.Clone(good)
	forged[headSize] ^= 1
	for _, b := range [][]byte{
		good, good, // the second is a replay
		k.seal(m("a", 1, 1, 0)),                       // reordered
		k.seal(m("a", 0, 7, time.Second)),             // recorded in an epoch of before
		k.seal(m("b", 1, 1, 0)),                       // another sender
		k.seal(m("c", 1, 1, 0)),                       // one too many
		k.seal(m("stranger", 1, 1, 0)),                // one too many as well
		k.seal(m("a", 1, 3, time.Hour)),               // old
		k.seal(m("a", 1, 3, -time.Hour)),              // from the future
		truncated,                                     // the signature is not where it should be
		forged,                                        //
		append(bytes.Clone(good), good...),            // longer than any packet
		make([]byte, 60_000),                          //
		{},                                            //
		[]byte("GET / HTTP/1.1"),                      //
		newKey(otherSecret, "").seal(m("a", 1, 9, 0)), // another secret
	} {
		send(b)
	}
	send(k.seal(m("a", 1, 10, 0)))
	want := Stats{Accepted: 3, Malformed: 4, Foreign: 1, Forged: 2, Stale: 2, Replayed: 3, Full: 2, Lost: 7, Senders: 2}
	await(t, "all packets", func() bool { return r.Stats().Accepted == want.Accepted })
	if got := r.Stats(); got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if n := reports.Load(); n != 3 {
		t.Errorf("%d reports handed on, want 3", n)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, err := range seen {
		if strings.Contains(err.Error(), string(testSecret)) {
			t.Errorf("an error tells the secret: %v", err)
		}
	}
}

func TestUnknownSendersAndAddressesCostNoMemory(t *testing.T) {
	p := pool(t, "a")
	r, addr := ears(t, ReceiverConfig{Report: p.Report})
	strict, other := ears(t, ReceiverConfig{Report: p.Report, From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	c, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k := newKey(testSecret, "")
	for i := range 50 {
		b := k.seal(message{epoch: 1, seq: 1, at: time.Now().UnixNano(), id: string(rune('b' + i))})
		for _, to := range []netip.AddrPort{addr, other} {
			if _, err := c.WriteToUDPAddrPort(b, to); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "the packet", func() bool { return r.Stats().Unknown == int64(i+1) && strict.Stats().Unwelcome == int64(i+1) })
	}
	if s := r.Stats(); s.Senders != 0 || s.Accepted != 0 {
		t.Errorf("%+v", s)
	}
}

// A receiver that started again may believe a packet once more, but only until
// the sender's next one, and none that is old.
func TestReplayAcrossARestartIsBounded(t *testing.T) {
	k := newKey(testSecret, "")
	fresh := func() (*Receiver, *lb.Pool) {
		p := pool(t, "a")
		r, err := NewReceiver(ReceiverConfig{Report: p.Report, Listen: []string{"127.0.0.1:0"}, Secrets: [][]byte{testSecret}})
		if err != nil {
			t.Fatal(err)
		}
		return r, p
	}
	hear := func(r *Receiver, b []byte, now time.Time) {
		m, err := r.open(b, netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		r.judge(letter{message: m}, now.UnixNano())
	}
	now := time.Now()
	packet := func(seq uint64, rif uint32, at time.Time) []byte {
		return k.seal(message{epoch: 1, seq: seq, at: at.UnixNano(), id: "a", report: lb.Report{RIF: rif, Cores: 1}})
	}
	old := packet(1, 50, now)
	r, p := fresh()
	hear(r, packet(2, 7, now.Add(time.Second)), now.Add(time.Second))
	hear(r, old, now.Add(2*time.Second))
	if got := p.Nodes()[0].Report.RIF; got != 7 || r.Stats().Replayed != 1 {
		t.Errorf("after the sender's next packet the old one was believed: RIF %d, %+v", got, r.Stats())
	}
	r, _ = fresh()
	hear(r, old, now.Add(6*time.Second))
	if s := r.Stats(); s.Stale != 1 || s.Accepted != 0 {
		t.Errorf("an old packet after a restart: %+v", s)
	}
}

func TestSecretsRotateWithoutALostReport(t *testing.T) {
	p := pool(t, "a")
	r, addr := ears(t, ReceiverConfig{Report: p.Report, Secrets: [][]byte{otherSecret, testSecret}})
	for i, secret := range [][]byte{testSecret, otherSecret} {
		before := r.Stats().Accepted
		s := sender(t, SenderConfig{ID: "a", To: []string{addr.String()}, Secret: secret})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		await(t, "reports", func() bool { return r.Stats().Accepted >= before+2 })
		cancel()
		<-done
		if s := r.Stats(); s.Forged+s.Foreign+s.Replayed != 0 {
			t.Errorf("secret %d: %+v", i, s)
		}
	}
}

func TestSenderGoesOnWhenNobodyListens(t *testing.T) {
	p := pool(t, "a")
	port := freePort(t)
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	var b bytes.Buffer
	s := sender(t, SenderConfig{ID: "a", To: []string{at.String()}, Logger: slog.New(slog.NewTextHandler(&b, nil))})
	start(t, s.Run)
	await(t, "reports to nobody", func() bool { st := s.Stats(); return st.Sent+st.Failed >= 3 })
	r, _ := ears(t, ReceiverConfig{Report: p.Report, Listen: []string{at.String()}})
	await(t, "reports to somebody", func() bool { return r.Stats().Accepted >= 1 })
}

func TestNonsenseIsRefusedByNew(t *testing.T) {
	report := func(string, lb.Report) error { return nil }
	for name, cfg := range map[string]ReceiverConfig{
		"no secret":      {Report: report, Listen: []string{"127.0.0.1:1"}},
		"short secret":   {Report: report, Listen: []string{"127.0.0.1:1"}, Secrets: [][]byte{[]byte("short-password")}},
		"no address":     {Report: report, Secrets: [][]byte{testSecret}},
		"a host name":    {Report: report, Secrets: [][]byte{testSecret}, Listen: []string{"localhost:1"}},
		"no report":      {Secrets: [][]byte{testSecret}, Listen: []string{"127.0.0.1:1"}},
		"no interface":   {Report: report, Secrets: [][]byte{testSecret}, Listen: []string{"239.1.1.1:1"}, Interface: "nowhere0"},
		"negative age":   {Report: report, Secrets: [][]byte{testSecret}, Listen: []string{"127.0.0.1:1"}, MaxAge: -1},
		"negative most":  {Report: report, Secrets: [][]byte{testSecret}, Listen: []string{"127.0.0.1:1"}, Senders: -1},
		"two interfaces": {Report: report, Secrets: [][]byte{testSecret}, Listen: []string{"[ff02::1%nowhere0]:1"}, Interface: loopback(t)},
	} {
		if _, err := NewReceiver(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "short-password") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
	say := func() lb.Report { return lb.Report{} }
	for name, cfg := range map[string]SenderConfig{
		"no ID":                     {Report: say, To: []string{"127.0.0.1:1"}, Secret: testSecret},
		"a long ID":                 {ID: strings.Repeat("x", 129), Report: say, To: []string{"127.0.0.1:1"}, Secret: testSecret},
		"no report":                 {ID: "a", To: []string{"127.0.0.1:1"}, Secret: testSecret},
		"no secret":                 {ID: "a", Report: say, To: []string{"127.0.0.1:1"}},
		"port 0":                    {ID: "a", Report: say, To: []string{"127.0.0.1:0"}, Secret: testSecret},
		"too often":                 {ID: "a", Report: say, To: []string{"127.0.0.1:1"}, Secret: testSecret, Every: time.Millisecond},
		"too seldom":                {ID: "a", Report: say, To: []string{"127.0.0.1:1"}, Secret: testSecret, Every: time.Minute},
		"a group without interface": {ID: "a", Report: say, To: []string{"[ff02::1]:1"}, Secret: testSecret},
	} {
		if _, err := NewSender(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
