#!/usr/bin/env bash
# All set-up and all tests of Ashlar; ./test.sh -h explains.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
	cat <<'USAGE'
usage: ./test.sh [quick | setup | lint | vuln]

  (nothing)  install what is missing, then run every check and every test
  quick      the same without the fuzzing
  setup      only install what is missing
  lint       golangci-lint with .golangci.yml (built on first use: minutes)
  vuln       govulncheck (asks vuln.go.dev)

As root on Debian it installs missing packages with apt-get, without starting
their services; the tests then skip nothing. Otherwise the tests of what is
missing are skipped, and the end lists them. Servers run on free ports of
127.0.0.1 in temporary directories and end with the run.

environment:
  FUZZTIME=3s         how long each fuzz target runs
  ASHLAR_REQUIRE=all  fail instead of skipping; set as root on Debian, or if CI=true
  ASHLAR_TEST_POSTGRES=postgres://USER:PASSWORD@HOST:PORT/DB
  ASHLAR_TEST_MARIADB=mysql://USER:PASSWORD@HOST:PORT/DB
                      use this server, and make databases there, rather than
                      starting one
USAGE
}

# What the tests need: a program, or a file, that is there when it is installed,
# and its Debian package.
needs() {
	cat <<'NEEDS'
memcached                             memcached
/usr/lib/postgresql/*/bin/postgres    postgresql
mariadbd                              mariadb-server
chromium                              chromium
node                                  nodejs
npm                                   npm
ip                                    iproute2
nft                                   nftables
keepalived                            keepalived
gcc                                   gcc
/usr/include/stdlib.h                 libc6-dev
NEEDS
}

mode=${1-all}
case $mode in
-h | --help | help) usage && exit 0 ;;
all | quick | setup | lint | vuln) ;;
*) mode='' ;;
esac
if [ -z "$mode" ] || [ $# -gt 1 ]; then
	echo "test.sh: wrong arguments: $* (./test.sh -h explains)" >&2
	exit 2
fi
if ! command -v go >/dev/null; then
	echo "test.sh: needs Go 1.26 or newer in PATH (https://go.dev/dl)" >&2
	exit 1
fi

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
if can_install || [ "${CI-}" = true ]; then
	export ASHLAR_REQUIRE=${ASHLAR_REQUIRE-all}
fi
# A clone that belongs to somebody else has no version to stamp.
export GOFLAGS="${GOFLAGS-} -buildvcs=false"

tmp=$(mktemp -d)
export ASHLAR_SKIPS=$tmp/skips
: >"$ASHLAR_SKIPS"
chmod 666 "$ASHLAR_SKIPS"

# --- the frame: steps, interruption, end ---

failed=()
job=''
policy='' # our /usr/sbin/policy-rc.d while packages are being installed

clean_up() {
	[ -z "$policy" ] || rm -f "$policy"
	rm -rf "$tmp"
}
trap clean_up EXIT

# Each step runs in a process group of its own, so that one signal ends all of
# it. Its shell waits for the command, and that for the servers that it started.
# A second signal waits for nobody; the servers see that and end by themselves.
interrupted() {
	trap 'kill -KILL -- "-$job"; exit 130' INT TERM HUP
	echo "test.sh: interrupted" >&2
	if [ -n "$job" ]; then
		kill -TERM -- "-$job" 2>/dev/null || true
		wait "$job" 2>/dev/null || true
	fi
	exit 130
}
trap interrupted INT TERM HUP
set -m

# step TITLE COMMAND... runs the command, says how long it took, and goes on
# after a failure: the end names them all.
step() {
	local title=$1 begin=$SECONDS status=0
	shift
	printf '\n=== %s\n' "$title"
	{
		trap 'exit 143' TERM
		"$@"
	} </dev/null &
	job=$!
	wait "$job" || status=$?
	job=''
	if [ "$status" = 0 ]; then
		printf -- '--- ok, %d s\n' $((SECONDS - begin))
	else
		printf -- '--- FAILED (%d), %d s\n' "$status" $((SECONDS - begin))
		failed+=("$title")
	fi
}

# finish prints what was skipped, what failed, and the time.
finish() {
	echo
	if [ "$mode" != all ] && [ "$mode" != quick ]; then
		: # no tests, no skips
	elif [ -s "$ASHLAR_SKIPS" ]; then
		sort -u "$ASHLAR_SKIPS"
	else
		echo "nothing skipped"
	fi
	local f
	for f in ${failed[@]+"${failed[@]}"}; do
		echo "FAILED: $f"
	done
	echo "total time: $SECONDS s"
	[ ${#failed[@]} = 0 ] || exit 1
}

# --- the steps ---

missing_packages() {
	local probe package PATH=$PATH:/usr/sbin # where the servers are
	while read -r probe package; do
		command -v "$probe" >/dev/null || compgen -G "$probe" >/dev/null || echo "$package"
	done < <(needs)
}

install_packages() {
	local missing
	mapfile -t missing < <(missing_packages)
	if [ ${#missing[@]} = 0 ]; then
		echo "all there"
	elif can_install; then
		echo "installing: ${missing[*]}"
		export DEBIAN_FRONTEND=noninteractive
		apt-get -q -o DPkg::Lock::Timeout=300 update
		apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
	else
		echo "not installed: ${missing[*]} (only root on Debian installs them; their tests are skipped)"
	fi
}

# Debian's packages start their services unless this program says no.
set_up() {
	if can_install && [ ! -e /usr/sbin/policy-rc.d ]; then
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	step "install what is missing" install_packages
	[ -z "$policy" ] || rm -f "$policy"
	policy=''
}

check_format() {
	local files
	files=$(gofmt -l .)
	[ -z "$files" ] || {
		echo "not formatted (gofmt -w repairs it):"
		echo "$files"
		return 1
	}
}

tool() { go tool -modfile=tools.mod "$@"; }

static_checks() {
	step "gofmt" check_format
	step "go vet" go vet ./...
	step "go fix: nothing to modernize" go fix -diff ./...
	step "staticcheck" tool staticcheck ./...
	step "build without cgo" env CGO_ENABLED=0 go build ./...
	step "vet for macOS" env GOOS=darwin CGO_ENABLED=0 go vet ./...
	step "vet for 32 bits" env GOARCH=386 CGO_ENABLED=0 go vet ./...
}

# run_tests runs all tests beside one PostgreSQL and one MariaDB.
run_tests() {
	local race=-race
	if ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
		if [ "${ASHLAR_REQUIRE-}" = all ]; then
			echo "the race detector needs gcc"
			return 1
		fi
		race=
		echo "SKIPPED: the race detector needs gcc (apt-get install gcc libc6-dev, or run ./test.sh as root)" | tee -a "$ASHLAR_SKIPS"
	fi
	go build -o "$tmp/with" ./internal/testservers/with
	# A program with the race detector sleeps a second before it exits, and tests
	# run our commands a hundred times.
	GORACE="${GORACE-} atexit_sleep_ms=0" "$tmp/with" -- go test $race -shuffle=on -count=1 -p=3 -parallel=3 -timeout=20m ./...
}

# Modules below this one: not built by ./... above. Their benchmarks are
# compiled and not run.
nested_modules() {
	find . -mindepth 2 -name go.mod -not -path '*/testdata/*' -not -path './.*' -printf '%h\n' | sort
}

check_nested() {
	cd "$1"
	go vet ./...
	go test -run='^$' ./...
}

# fuzz_targets prints FOLDER TARGET for each fuzz test of this module.
fuzz_targets() {
	go list -f '{{$d := .Dir}}{{range .TestGoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}' ./... |
		{ xargs -r grep -H -o -E '^func Fuzz[A-Za-z0-9_]*' || true; } |
		sed -E 's|^(.*)/[^/]*:func (.*)$|\1 \2|' | sort
}

fuzz() {
	local dir target found status=0
	found=$(fuzz_targets)
	[ -n "$found" ] || echo "no fuzz targets"
	while read -r dir target; do
		[ -n "$target" ] || continue
		echo "${dir#"$PWD"/} $target"
		fuzz_one "$dir" "$target" || status=1
	done <<<"$found"
	return $status
}

# Until Go 1.27 a run may fail because its time is over (golang/go#75804); then
# there is no failing input.
fuzz_one() {
	go test -run='^$' -fuzz="^$2\$" -fuzztime="${FUZZTIME-3s}" "$1" 2>&1 | tee "$tmp/fuzz" && return
	grep -q '^ *context deadline exceeded$' "$tmp/fuzz" && ! grep -q 'Failing input' "$tmp/fuzz" || return 1
	echo "the time was over; no failing input"
}

case $mode in
setup) set_up ;;
lint) step "golangci-lint" go tool -modfile=lint.mod golangci-lint run ./... ;;
vuln) step "govulncheck" tool govulncheck ./... ;;
*)
	set_up
	static_checks
	step "tests" run_tests
	for module in $(nested_modules); do
		step "module ${module#./}" check_nested "$module"
	done
	[ "$mode" = quick ] || step "fuzzing, ${FUZZTIME-3s} each" fuzz
	;;
esac
finish
