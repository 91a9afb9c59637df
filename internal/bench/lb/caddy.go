package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// caddy is Caddy as caddy.mod has it, with the policy that is nearest
// to the others', and enough idle connections for the load.
func caddy(f *farm, addr string) ([]string, error) {
	bin := filepath.Join(f.dir, "caddy")
	if _, err := os.Stat(bin); err != nil {
		if out, err := exec.Command("go", "build", "-modfile=caddy.mod", "-o", bin, "github.com/caddyserver/caddy/v2/cmd/caddy").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build of Caddy: %w: %s", err, out)
		}
	}
	conf := fmt.Sprintf(`{
	admin off
	auto_https off
	persist_config off
	storage file_system %[1]s/caddy-data
	log {
		output discard
	}
}
http://%[2]s {
	reverse_proxy %[3]s {
		lb_policy random_choose 2
		transport http {
			keepalive_idle_conns_per_host 256
			compression off
		}
	}
}
`, f.dir, addr, strings.Join(f.backends, " "))
	path := filepath.Join(f.dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	return []string{bin, "run", "--config", path, "--adapter", "caddyfile"}, nil
}
