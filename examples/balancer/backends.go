package main

import (
	"bufio"
	"fmt"
	"math"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/lb"
	"github.com/ashlar-go/ashlar/lb/lbtcp"
)

// parseBackend reads ADDR[,weight=N][,tier=T].
func parseBackend(s string) (lb.Node, error) {
	addr, rest, _ := strings.Cut(strings.TrimSpace(s), ",")
	host, port, err := net.SplitHostPort(addr)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || host == "" || n == 0 {
		return lb.Node{}, fmt.Errorf("%q is not HOST:PORT", addr)
	}
	n := lb.Node{ID: addr, Addr: addr}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "":
		case "weight":
			w, err := strconv.ParseFloat(value, 64)
			if err != nil || !(w > 0) || math.IsInf(w, 0) {
				return n, fmt.Errorf("weight %q is not a number above 0", value)
			}
			n.Weight = w
		case "tier":
			if _, err := strconv.ParseUint(value, 10, 8); err != nil {
				return n, fmt.Errorf("tier %q is not a number from 0 to 255", value)
			}
			n.Attr = map[string]string{"tier": value}
		default:
			return n, fmt.Errorf("%q is none of weight=N and tier=T", part)
		}
	}
	return n, nil
}

func readBackends(file string) ([]lb.Node, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("backends: %w", err)
	}
	defer f.Close()
	var nodes []lb.Node
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		node, err := parseBackend(line)
		if err != nil {
			return nil, fmt.Errorf("backends: %s, line %d: %w", file, n, err)
		}
		nodes = append(nodes, node)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("backends: %s: %w", file, err)
	}
	if len(nodes) == 0 { // more likely half written than meant
		return nil, fmt.Errorf("backends: %s names none", file)
	}
	return nodes, nil
}

// parseCheck reads tcp or PATH[~REGEXP].
func parseCheck(s string) (lbtcp.Probe, error) {
	if s == "tcp" {
		return lbtcp.Connect(), nil
	}
	path, text, hasBody := strings.Cut(s, "~")
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("%q is neither tcp nor a path", s)
	}
	c := lbtcp.HTTPCheck{Path: path}
	if hasBody {
		body, err := regexp.Compile(text)
		if err != nil {
			return nil, err
		}
		c.Body = body
	}
	return lbtcp.HTTP(c), nil
}
