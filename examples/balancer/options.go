package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// options are the command line.
type options struct {
	listen, mode   string
	policy         lb.Policy
	backends       []lb.Node
	backendFile    string
	policyName     string
	check          lbtcp.Probe
	probe          string
	interval       time.Duration
	rise, fall     int
	slowStart      time.Duration
	drain          time.Duration
	limit, queue   int
	tlsCert        string
	tlsKey         string
	clientCA       string
	tiers          map[string]uint8
	h2c            bool
	proxyIn        bool
	proxyOut       bool
	trust          []netip.Prefix
	admin          string
	adminTokenFile string
	insecure       bool
}

// namedPolicy is a name of -policy.
type namedPolicy struct {
	name, help string
	policy     lb.Policy
}

var policies = []namedPolicy{
	{"marginal", "where a request delays least, by load reports and latency", lb.Marginal{}},
	{"round-robin", "in turn, smoothly by weight", lb.RoundRobin{}},
	{"random", "at random, by weight", lb.Random{}},
	{"least", "the fewest requests in flight from here", lb.LeastInFlight{}},
	{"two-choices", "the better of two drawn at random, by requests in flight", lb.PowerOfD{}},
	{"ewma", "the better of two, by latency and requests in flight", lb.PeakEWMA{}},
	{"ewma-scan", "the best of all, by latency and requests in flight", lb.PeakEWMA{Scan: true}},
	{"prequal", "the hot-cold rule over reports of the backends, as published; with -probe", lb.Prequal{}},
	{"prequal-60", "the same, with six in ten backends cold at most", lb.Prequal{Quantile: 0.6}},
	{"maglev", "by the client's address, from a table", lb.Maglev{}},
	{"bounded-hash", "by the client's address, unless that backend has too much", lb.BoundedHash{}},
}

func parse(args []string, usage io.Writer) (options, error) {
	o := options{tiers: make(map[string]uint8)}
	fs := flag.NewFlagSet("balancer", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var check, proxy string
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` to serve on; port 0 picks a free one")
	fs.StringVar(&o.mode, "mode", "http", "http, tcp, or dns: queries over UDP, each to a backend, and over TCP")
	fs.StringVar(&o.policyName, "policy", "marginal", "how a backend is chosen: a `name` of the list below")
	fs.Func("backend", "`ADDR[,weight=N][,tier=T]`: a server; may be repeated", func(s string) error {
		n, err := parseBackend(s)
		o.backends = append(o.backends, n)
		return err
	})
	fs.StringVar(&o.backendFile, "backend-file", "", "`file` with a backend a line, read again on SIGHUP; # begins a comment")
	fs.StringVar(&check, "check", "tcp", "`tcp or PATH[~REGEXP]`: connect; or ask for a path and look for REGEXP in the body")
	fs.StringVar(&o.probe, "probe", "", "`PATH` at which backends say how loaded they are, in Lb-Report; asked as often as the\npolicy wants; default: only what they say with their replies; with -mode http")
	fs.DurationVar(&o.interval, "interval", 2*time.Second, "time between two checks of a backend")
	fs.IntVar(&o.rise, "rise", 2, "checks that have to succeed in a row before a backend is used again")
	fs.IntVar(&o.fall, "fall", 3, "checks that have to fail in a row before it is not")
	fs.DurationVar(&o.slowStart, "slow-start", 0, "how long a backend that comes back gets less than its share")
	fs.DurationVar(&o.drain, "drain", 30*time.Second, "how long to wait at the end for requests in progress")
	fs.IntVar(&o.limit, "limit", 0, "requests in flight at most for each backend; 0: any number")
	fs.IntVar(&o.queue, "queue", 0, "with -limit: requests of each tier that may wait")
	fs.StringVar(&o.tlsCert, "tls-cert", "", "`file` of the certificate: serve https, with HTTP/2")
	fs.StringVar(&o.tlsKey, "tls-key", "", "`file` of its key")
	fs.StringVar(&o.clientCA, "client-ca", "", "`file` of the authorities whose client certificates count; clients may have none")
	fs.Func("tier", "`OU=T`: certificates of that organizational unit are of tier T (1 to 255); others, and\nclients without one, of tier 0; may be repeated", func(s string) error {
		name, number, ok := strings.Cut(s, "=")
		n, err := strconv.ParseUint(number, 10, 8)
		if !ok || name == "" || err != nil || n == 0 {
			return fmt.Errorf("want OU=T with T from 1 to 255")
		}
		o.tiers[name] = uint8(n)
		return nil
	})
	fs.BoolVar(&o.h2c, "h2c", false, "speak HTTP/2 to the backends, as gRPC needs; with -tls-cert")
	fs.StringVar(&proxy, "proxy-protocol", "", "`in, out or both`: expect PROXY headers of -trust; write them to backends, with -mode tcp")
	fs.Func("trust", "`CIDR` of proxies in front of this one, whose X-Forwarded fields are believed, or with\n-proxy-protocol in whose PROXY headers; may be repeated; default nobody", func(s string) error {
		p, err := netip.ParsePrefix(s)
		o.trust = append(o.trust, p)
		return err
	})
	fs.StringVar(&o.admin, "admin", "", "`address` of the status page; default none")
	fs.StringVar(&o.adminTokenFile, "admin-token-file", "", "`file` with the token that the status page asks for, as the password or a bearer token")
	fs.BoolVar(&o.insecure, "insecure", false, "allow an -admin address that is not loopback without a token")
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(usage, "usage: balancer -backend ADDR [-backend ADDR...] [flags]\n\n")
		fs.SetOutput(usage)
		fs.PrintDefaults()
		fmt.Fprint(usage, "\npolicies:\n")
		for _, p := range policies {
			fmt.Fprintf(usage, "  %-13s %s\n", p.name, p.help)
		}
		return o, err
	}
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err == nil {
		err = o.validate(check, proxy)
	}
	return o, err
}

func (o *options) validate(check, proxy string) (err error) {
	i := slices.IndexFunc(policies, func(p namedPolicy) bool { return p.name == o.policyName })
	switch {
	case i < 0:
		return fmt.Errorf("-policy: there is no %q", o.policyName)
	case o.mode != "http" && o.mode != "tcp" && o.mode != "dns":
		return fmt.Errorf("-mode is %q, want http, tcp or dns", o.mode)
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return errors.New("-tls-cert and -tls-key go together")
	case o.tlsCert != "" && o.mode != "http":
		return errors.New("-tls-cert is for -mode http; in tcp mode TLS passes through")
	case o.clientCA != "" && o.tlsCert == "":
		return errors.New("-client-ca needs -tls-cert")
	case len(o.tiers) > 0 && o.clientCA == "":
		return errors.New("-tier needs -client-ca")
	case o.h2c && o.tlsCert == "":
		return errors.New("-h2c needs -tls-cert")
	case o.interval <= 0 || o.rise < 1 || o.fall < 1:
		return errors.New("-interval, -rise and -fall have to be more than 0")
	case o.slowStart < 0 || o.drain < 0 || o.limit < 0 || o.queue < 0:
		return errors.New("-slow-start, -drain, -limit and -queue have to be 0 or more")
	case o.queue > 0 && o.limit == 0:
		return errors.New("-queue needs -limit")
	case o.probe != "" && (o.mode != "http" || !strings.HasPrefix(o.probe, "/")):
		return fmt.Errorf("-probe: %q is no path, or -mode is not http", o.probe)
	case strings.HasPrefix(o.policyName, "prequal") && o.probe == "":
		return fmt.Errorf("-policy %s goes by what backends report: give -probe", o.policyName)
	case o.admin == "" && o.adminTokenFile != "":
		return errors.New("-admin-token-file needs -admin")
	case o.admin != "" && !o.insecure && o.adminTokenFile == "" && !loopback(o.admin):
		return fmt.Errorf("-admin %s is not loopback: give -admin-token-file, or -insecure", o.admin)
	}
	o.policy = policies[i].policy
	if err := o.checkProxy(proxy); err != nil {
		return err
	}
	if o.check, err = parseCheck(check); err != nil {
		return fmt.Errorf("-check: %w", err)
	}
	if o.backendFile != "" {
		if len(o.backends) > 0 {
			return errors.New("-backend and -backend-file are two ways to say one thing: give one")
		}
		if o.backends, err = readBackends(o.backendFile); err != nil {
			return err
		}
	}
	if len(o.backends) == 0 {
		return errors.New("at least one -backend, or -backend-file, is required")
	}
	return nil
}

func (o *options) checkProxy(proxy string) error {
	switch proxy {
	case "":
		if o.mode != "http" && len(o.trust) > 0 {
			return errors.New("-trust is for -mode http, or -proxy-protocol in")
		}
		return nil
	case "in", "out", "both":
	default:
		return fmt.Errorf("-proxy-protocol is %q, want in, out or both", proxy)
	}
	o.proxyIn, o.proxyOut = proxy != "out", proxy != "in"
	switch {
	case o.mode == "dns":
		return errors.New("-proxy-protocol is for -mode http and tcp")
	case o.proxyOut && o.mode == "http":
		return errors.New("-proxy-protocol out is for -mode tcp: in http mode clients share connections to backends, which learn of them in X-Forwarded-For")
	}
	if o.proxyIn && len(o.trust) == 0 {
		return errors.New("-proxy-protocol in needs -trust: who may write a PROXY header can be anybody")
	}
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
