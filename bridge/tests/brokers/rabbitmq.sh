#!/usr/bin/env bash
# A real RabbitMQ for tests, on 127.0.0.1 only, with everything it writes in DIR.
#
#   rabbitmq.sh start DIR [PORT]   start, wait until it serves, print its AMQP port
#   rabbitmq.sh stop DIR           stop it and its epmd
#   rabbitmq.sh run DIR [PORT]     start, print the port, stop when stdin ends
#
# guest/guest may do everything on the virtual host /. DIR/server.pid holds the pid of
# the Erlang machine. RABBITMQ_EXTRA adds lines to rabbitmq.conf, RABBITMQ_PLUGINS is
# a comma-separated list of plugins.
set -euo pipefail
name=rabbitmq.sh
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

server=/usr/lib/rabbitmq/bin/rabbitmq-server
[ $# -ge 2 ] || main
mkdir -p "$2"
dir=$(cd "$2" && pwd) port=${3:-}

as_nobody() {  # RabbitMQ refuses to be root
  if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else exec "$@"; fi
}

serves() {
  local url=amqp://guest:guest@127.0.0.1:$port/%2f queue=standpipe-ready-$$
  amqp-declare-queue --url="$url" --queue=$queue && amqp-delete-queue --url="$url" --queue=$queue
}

configure() {
  cat >"$dir/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$port
loopback_users = none
vm_memory_high_watermark.absolute = 8GB
disk_free_limit.absolute = 1GB
log.console = true
log.file = false
${RABBITMQ_EXTRA:-}
CONF
  echo "[${RABBITMQ_PLUGINS:-}]." >"$dir/enabled_plugins"
  mkdir -p "$dir/db" "$dir/log"
  if [ "$(id -u)" = 0 ]; then chown -R nobody:nogroup "$dir"; fi
  export HOME=$dir RABBITMQ_BASE=$dir RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_MNESIA_BASE=$dir/db \
    RABBITMQ_LOG_BASE=$dir/log RABBITMQ_PID_FILE=$dir/pid RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf \
    RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" RABBITMQ_CTL_ERL_ARGS=
  ERL_EPMD_PORT=$(free_port) RABBITMQ_DIST_PORT=$(free_port)
  export ERL_EPMD_PORT RABBITMQ_DIST_PORT
}

start() {
  [ -x $server ] || die "RabbitMQ is missing: run scripts/setup.sh"
  ! running "$dir/server.pid" || die "already running in $dir"
  [ "$(id -u)" != 0 ] || setpriv --reuid=nobody --clear-groups test -x "$dir" || die "nobody cannot enter $dir"
  rm -f "$dir/pid"
  port=${port:-$(free_port)}
  configure
  (as_nobody epmd -address 127.0.0.1) </dev/null >"$dir/epmd.log" 2>&1 &
  note_pid "$dir/epmd.pid" $!
  (cd "$dir" && as_nobody setsid $server) </dev/null >"$dir/server.log" 2>&1 &
  note_pid "$dir/server.pid" $!
  until_true 60 "no pid of Erlang" test -s "$dir/pid"
  note_pid "$dir/server.pid" "$(<"$dir/pid")"
  until_true 60 "queue.declare fails" serves
  echo "$port" | tee "$dir/port"
}

stop() {
  end "$dir/server.pid" 30
  end "$dir/epmd.pid" 5
}

main "$@"
