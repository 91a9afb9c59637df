#!/usr/bin/env bash
# Side-by-side benchmarks against what people use now: ./run.sh -h explains.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
	cat <<'USAGE'
usage: internal/bench/run.sh AREA [FLAG...]

  cache        cache.LookAside beside otter, theine, LRU and 2Q
  cookiecache  beside gorilla/securecookie, gorilla/sessions, JWE and Fernet
  lb           the proxies of lb/lbhttp and lb/lbtcp beside HAProxy, nginx,
               Caddy, fasthttp and httputil.ReverseProxy
  lbfarm       eight backends behind three balancers, one policy after the
               other, beside what lb/lbsim foretells
  lbpick       one choice of a node beside httplb, kratos and the least possible
  memcached    cache/memcached beside bare gomemcache, on a private memcached
  replication  package replication beside PostgreSQL's logical replication,
               Slony-I, Bucardo and bulk loads, on private servers

Both sides run in turns in one run; ratios and medians are printed. FLAGs go to
the benchmark (-h lists them). Servers that are needed are installed when this
runs as root on Debian, and are private: free ports, temporary directories.
USAGE
}

# needs PROGRAM PACKAGE installs a Debian package whose program is missing.
needs() {
	command -v "$1" >/dev/null || install_package "$1" "$2"
}

# needs_file PATTERN PACKAGE does so if no file matches.
needs_file() {
	compgen -G "$1" >/dev/null || install_package "$1" "$2"
}

install_package() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "run.sh: needs $1 (Debian package $2)" >&2
		exit 1
	fi
	local policy=''
	if [ ! -e /usr/sbin/policy-rc.d ]; then # Debian's packages start their services otherwise
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -q update >&2
	DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$2" >&2 || {
		rm -f ${policy:+"$policy"}
		exit 1
	}
	rm -f ${policy:+"$policy"}
}

# replication_needs installs the servers, and the peers as far as they are there
# to be had: the benchmark reports those that are not, and goes on.
replication_needs() {
	needs psql postgresql
	needs mariadbd mariadb-server
	local version exact=''
	version=$(ls /usr/lib/postgresql | sort -n | tail -n 1)
	# The module must be of the server's own build, which is not upgraded for it.
	exact=$(dpkg-query -W -f '=${Version}' "postgresql-$version" 2>/dev/null) || exact=''
	(needs slonik slony1-2-bin) || true
	(needs bucardo bucardo) || true
	(needs_file "/usr/lib/postgresql/$version/lib/slony1_funcs.*.so" "postgresql-$version-slony1-2") || true
	(needs_file "/usr/lib/postgresql/$version/lib/plperl.so" "postgresql-plperl-$version$exact") || true
	(needs_file '/usr/lib/*/perl5/*/DBD/mysql.pm' libdbd-mysql-perl) || true
}

area=${1-}
[ $# = 0 ] || shift
case $area in
-h | --help | help) usage && exit 0 ;;
cache | cookiecache | lbfarm | lbpick) ;;
lb)
	needs haproxy haproxy
	needs nginx nginx
	needs_file '/usr/lib/nginx/modules/ngx_stream_module.so' libnginx-mod-stream
	needs wrk wrk
	;;
memcached) needs memcached memcached ;;
replication) replication_needs ;;
*)
	echo "run.sh: no area ${area:-given} (run.sh -h explains)" >&2
	exit 2
	;;
esac
export GOFLAGS="${GOFLAGS-} -buildvcs=false"
exec go run "./$area" "$@"
