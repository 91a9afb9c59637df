#!/usr/bin/env bash
# Side-by-side benchmarks against what people use now: ./run.sh -h explains.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
	cat <<'USAGE'
usage: internal/bench/run.sh AREA [FLAG...]

  cache        cache.LookAside beside otter, theine, LRU and 2Q
  cookiecache  beside gorilla/securecookie, gorilla/sessions, JWE and Fernet
  memcached    cache/memcached beside bare gomemcache, on a private memcached

Both sides run in turns in one run; ratios and medians are printed. FLAGs go to
the benchmark (-h lists them). Servers that are needed are installed when this
runs as root on Debian, and are private: free ports, temporary directories.
USAGE
}

# needs PROGRAM PACKAGE installs a Debian package whose program is missing.
needs() {
	command -v "$1" >/dev/null && return
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

area=${1-}
[ $# = 0 ] || shift
case $area in
-h | --help | help) usage && exit 0 ;;
cache | cookiecache) ;;
memcached) needs memcached memcached ;;
*)
	echo "run.sh: no area ${area:-given} (run.sh -h explains)" >&2
	exit 2
	;;
esac
export GOFLAGS="${GOFLAGS-} -buildvcs=false"
exec go run "./$area" "$@"
