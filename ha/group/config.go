package group

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"
)

// Config says who a member is and how it finds the others.
type Config struct {
	// Group names the group; members of others on the same servers are not
	// heard. Letters, digits, - and _. Default "ashlar".
	Group string
	// Name is this member's, and nobody else's. Letters, digits, - and _, at
	// most 64 of them. Required.
	Name string

	// Cluster is the address where the other members' servers connect, such as
	// "10.0.0.1:6222". Default none: a group within this process, and within
	// those that connect to Listen.
	Cluster string
	// Seeds are Cluster addresses of other members, some of which are up when
	// this one starts or come up later. Members tell each other of the rest.
	Seeds []string
	// Listen is where clients of the NATS protocol may connect, such as members
	// with URL; default nowhere.
	Listen string
	// URL is an external NATS server, or another member's Listen, such as
	// "nats://10.0.0.1:4222". No server is started in this process then.
	URL string
	// Credentials is the file with the credentials for URL, as nsc makes them;
	// default the user that members of this group with the same Secret accept.
	Credentials string

	// Secret is known to all members and to nobody else: it authenticates
	// servers to each other and every single message. At least 16 bytes.
	// Required unless all addresses are loopback ones.
	Secret []byte
	// Insecure allows addresses that others can reach without a Secret.
	Insecure bool
	// TLS encrypts the connections of Cluster, Listen and URL; its certificates
	// are used both ways. Default none: whoever sees the network reads the
	// messages, and cannot change them.
	TLS *tls.Config

	// Heartbeat is how often a member says that it lives and up to where it has
	// published; default 1s, at least 10ms.
	Heartbeat time.Duration
	// Misses is after how many silent heartbeats it counts as failed; default 3.
	Misses int
	// History is how many bytes of its newest messages a member keeps to repair
	// what others have missed; default 8 MiB.
	History int

	// Dir is where Ordered messages are kept; default nowhere: Ordered refuses.
	// Every member of a cluster with Dir should have one of its own.
	Dir string
	// Replicas is how many members keep Ordered messages: 1, 3 or 5; default 1.
	Replicas int
	// Keep is how many bytes of Ordered messages are kept before the oldest go;
	// default 1 GiB. The first member of a group decides, for this and Replicas.
	Keep int64
	// Sync makes a member write Ordered messages to the disk itself before it
	// acknowledges them, not only to the system's cache.
	Sync bool

	Trace  *Trace       // optional
	Logger *slog.Logger // hears of views, gaps and connections; default none
}

func (c Config) fill() (Config, error) {
	if c.Group == "" {
		c.Group = "ashlar"
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = time.Second
	}
	if c.Misses == 0 {
		c.Misses = 3
	}
	if c.History == 0 {
		c.History = 8 << 20
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Keep == 0 {
		c.Keep = 1 << 30
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Trace == nil {
		c.Trace = new(Trace)
	}
	switch {
	case !isName(c.Group):
		return c, fmt.Errorf("group: Config.Group is %q, want letters, digits, - and _", c.Group)
	case !isName(c.Name):
		return c, fmt.Errorf("group: Config.Name is %q, want letters, digits, - and _", c.Name)
	case c.Heartbeat < 10*time.Millisecond:
		return c, fmt.Errorf("group: Config.Heartbeat is %v, want at least 10ms", c.Heartbeat)
	case c.Misses < 1:
		return c, fmt.Errorf("group: Config.Misses is %d, want at least 1", c.Misses)
	case c.History < 0:
		return c, fmt.Errorf("group: Config.History is %d, want at least 0", c.History)
	case c.Keep < 0:
		return c, fmt.Errorf("group: Config.Keep is %d, want at least 0", c.Keep)
	case c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5:
		return c, fmt.Errorf("group: Config.Replicas is %d, want 1, 3 or 5", c.Replicas)
	case c.URL != "" && (c.Cluster != "" || c.Listen != "" || c.Dir != ""):
		return c, errors.New("group: Config.URL goes without Cluster, Listen and Dir: the server is another one")
	case c.URL == "" && c.Credentials != "":
		return c, errors.New("group: Config.Credentials requires URL")
	case len(c.Seeds) > 0 && c.Cluster == "":
		return c, errors.New("group: Config.Seeds requires Cluster")
	case len(c.Secret) > 0 && len(c.Secret) < 16:
		return c, fmt.Errorf("group: Config.Secret has %d bytes, want at least 16", len(c.Secret))
	}
	for _, a := range append([]string{c.Cluster, c.Listen}, c.Seeds...) {
		if a == "" {
			continue
		}
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			return c, fmt.Errorf("group: address %q: %w", a, err)
		}
		if len(c.Secret) == 0 && !c.Insecure && !isLoopback(host) {
			return c, fmt.Errorf("group: address %q can be reached by others: a Secret is required, or Insecure", a)
		}
	}
	return c, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func isName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

// checkSubject refuses what does not name one subject.
func checkSubject(s string) error {
	bad := len(s) > 255
	for token := range strings.SplitSeq(s, ".") {
		bad = bad || token == "" || strings.ContainsAny(token, "*>") ||
			strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == 0x7f })
	}
	if bad {
		return fmt.Errorf("group: subject %q, want words with dots between them, no spaces, * or >", s)
	}
	return nil
}

// keys are derived from the secret: one signs frames, the others are passwords.
type keys struct {
	frames []byte
	user   string // clients and servers of the group say this,
	server string // and this password to each other's servers,
	client string // this to get in as a client
}

func (c *Config) keys() keys {
	derive := func(what string) []byte {
		// It fails for lengths beyond 255 blocks only.
		key, _ := hkdf.Key(sha256.New, c.Secret, nil, "ashlar group v1 "+what+" "+c.Group, 32)
		return key
	}
	return keys{
		frames: derive("frames"),
		user:   "member",
		server: fmt.Sprintf("%x", derive("server")),
		client: fmt.Sprintf("%x", derive("client")),
	}
}
