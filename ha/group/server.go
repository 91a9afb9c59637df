package group

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startServer starts the server of this process; nil if Config.URL names
// another one.
func (g *Group) startServer() (*server.Server, error) {
	if g.cfg.URL != "" {
		return nil, nil
	}
	name := g.cfg.Name
	if g.cfg.Dir == "" {
		// Servers of one name do not speak to each other; so that members of one
		// name do, only those that keep messages are known by it.
		name += "." + strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	o := &server.Options{
		ServerName: name,
		DontListen: g.cfg.Listen == "" && g.cfg.Cluster == "",
		NoSigs:     true,
		MaxPayload: maxPayload,
		Username:   g.keys.user,
		Password:   g.keys.client,
		TLSConfig:  g.cfg.TLS,
		TLSTimeout: 5,
		// Who is there is found out by heartbeats; a ping that comes before a client
		// has said hello would end its connection.
		PingInterval: max(g.cfg.Heartbeat, 5*time.Second),
		MaxPingsOut:  max(g.cfg.Misses, 2),
		// A client that does not read loses messages and finds out by their
		// numbers; it must not slow those who publish.
		NoFastProducerStall:   true,
		WriteDeadline:         5 * time.Second,
		JetStream:             g.cfg.Dir != "",
		StoreDir:              g.cfg.Dir,
		SyncAlways:            g.cfg.Sync,
		DisableShortFirstPing: true,
	}
	var err error
	listen := g.cfg.Listen
	if listen == "" && g.cfg.Cluster != "" {
		listen = "127.0.0.1:0" // the server joins no cluster before it listens
	}
	if o.Host, o.Port, err = split(listen); err != nil {
		return nil, err
	}
	if g.cfg.Cluster != "" {
		o.Cluster.Name = g.cfg.Group
		if o.Cluster.Host, o.Cluster.Port, err = split(g.cfg.Cluster); err != nil {
			return nil, err
		}
		o.Cluster.Username, o.Cluster.Password = g.keys.user, g.keys.server
		o.Cluster.AuthTimeout = 5
		o.Cluster.TLSConfig, o.Cluster.TLSTimeout = g.cfg.TLS, 5
		o.Cluster.PingInterval, o.Cluster.MaxPingsOut = g.cfg.Heartbeat, max(g.cfg.Misses, 2)
		o.Cluster.ConnectRetries = 1 << 30
		// One connection for each pair keeps all that a member sends in order.
		o.Cluster.PoolSize = -1
		for _, seed := range g.cfg.Seeds {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: seed, User: url.UserPassword(g.keys.user, g.keys.server)})
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("group: server: %w", err)
	}
	fatal := make(chan string, 1)
	s.SetLoggerV2(serverLog{g.cfg.Logger, fatal}, false, false, false)
	s.Start()
	why := "it does not get ready"
	for range 100 {
		if s.ReadyForConnections(100 * time.Millisecond) {
			return s, nil
		}
		select {
		case why = <-fatal:
		default:
			continue
		}
		break
	}
	s.Shutdown()
	s.WaitForShutdown()
	return nil, fmt.Errorf("group: server for %s: %s", strings.Trim(g.cfg.Cluster+" "+g.cfg.Listen, " "), why)
}

// split takes an address apart; port 0 is any free one, for the server -1.
func split(addr string) (host string, port int, err error) {
	if addr == "" {
		return "", 0, nil
	}
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("group: address %q: %w", addr, err)
	}
	if port, err = strconv.Atoi(text); err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("group: address %q: no port", addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// serverLog hands the server's own messages to our logger.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- string // takes the first message that says why it cannot run
}

func (l serverLog) Noticef(format string, v ...any) {
	l.log.Debug("group: server: " + fmt.Sprintf(format, v...))
}

func (l serverLog) Warnf(format string, v ...any) {
	l.log.Warn("group: server: " + fmt.Sprintf(format, v...))
}

func (l serverLog) Errorf(format string, v ...any) { l.Warnf(format, v...) }

func (l serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error("group: server: " + text)
	select {
	case l.fatal <- text:
	default:
	}
}

func (l serverLog) Debugf(string, ...any) {}
func (l serverLog) Tracef(string, ...any) {}
