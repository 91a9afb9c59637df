package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// contestant is a proxy under test.
type contestant struct {
	name      string
	reference string // whose CPU time its own is divided by
	command   func(f *farm, addr string) ([]string, error)
}

func all() []contestant {
	return []contestant{
		{"haproxy", "haproxy", haproxy("http", "")},
		{"nginx", "haproxy", nginxHTTP},
		{"lbhttp.Server", "haproxy", self("server")},
		{"fasthttp", "haproxy", self("fasthttp")},
		{"caddy", "haproxy", caddy},
		{"ReverseProxy+pool", "ReverseProxy+pool", self("reversepool")},
		{"ReverseProxy", "ReverseProxy+pool", self("reverse")},
		{"lbhttp.Proxy", "ReverseProxy+pool", self("proxy")},
		{"haproxy-tcp", "haproxy-tcp", haproxy("tcp", "")},
		{"haproxy-tcp-splice", "haproxy-tcp", haproxy("tcp", "option splice-auto")},
		{"nginx-stream", "haproxy-tcp", nginxStream},
		{"lbtcp.Proxy", "haproxy-tcp", self("tcp")},
	}
}

func haproxy(mode, option string) func(*farm, string) ([]string, error) {
	return func(f *farm, addr string) ([]string, error) {
		conf := fmt.Sprintf(`global
 nbthread 1
 maxconn %d
defaults
 mode %s
 %s
 timeout connect 3s
 timeout client 60s
 timeout server 60s
%s
frontend f
 bind %s
 default_backend b
backend b
 balance random(2)
`, cmp.Or(f.clients, 4000), mode, option, map[string]string{"http": " option forwardfor\n http-reuse aggressive", "tcp": ""}[mode], addr)
		for i, b := range f.backends {
			conf += fmt.Sprintf(" server s%d %s\n", i, b)
		}
		path := filepath.Join(f.dir, "haproxy-"+mode+".cfg")
		if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
			return nil, err
		}
		return []string{"haproxy", "-db", "-f", path}, nil
	}
}

const nginxHead = `daemon off; worker_processes 1; pid %[1]s/proxy.pid; error_log stderr crit;
events { worker_connections 32768; }
`

func nginxHTTP(f *farm, addr string) ([]string, error) {
	return nginxProxy(f, fmt.Sprintf(nginxHead+`http { access_log off; keepalive_requests 100000000;
 client_body_temp_path %[1]s/p1; proxy_temp_path %[1]s/p2; fastcgi_temp_path %[1]s/p3; uwsgi_temp_path %[1]s/p4; scgi_temp_path %[1]s/p5;
 upstream u { random two least_conn; server %[2]s; server %[3]s; keepalive 256; keepalive_requests 100000000; }
 server { listen %[4]s; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header X-Forwarded-For $remote_addr; proxy_buffers 8 16k; proxy_buffer_size 16k; } } }
`, f.dir, f.backends[0], f.backends[1], addr))
}

func nginxStream(f *farm, addr string) ([]string, error) {
	module := ""
	for _, path := range []string{"/usr/lib/nginx/modules/ngx_stream_module.so", "/usr/share/nginx/modules/ngx_stream_module.so"} {
		if _, err := os.Stat(path); err == nil {
			module = "load_module " + path + ";\n"
		}
	}
	return nginxProxy(f, module+fmt.Sprintf(nginxHead+`stream { upstream u { server %[2]s; server %[3]s; } server { listen %[4]s; proxy_pass u; } }
`, f.dir, f.backends[0], f.backends[1], addr))
}

func nginxProxy(f *farm, conf string) ([]string, error) {
	path := filepath.Join(f.dir, "proxy.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	return []string{"nginx", "-p", f.dir, "-c", path}, nil
}

// self runs this program as a proxy.
func self(kind string) func(*farm, string) ([]string, error) {
	return func(f *farm, addr string) ([]string, error) {
		me, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return []string{me, "serve", "-kind", kind, "-listen", addr, "-backends", strings.Join(f.backends, ",")}, nil
	}
}
