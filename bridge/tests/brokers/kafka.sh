#!/usr/bin/env bash
# A real Apache Kafka for tests, one KRaft node on 127.0.0.1, with everything it writes in DIR.
#
#   kafka.sh start DIR [PORT]   start, wait until it serves, print its port
#   kafka.sh stop DIR           stop it
#   kafka.sh run DIR [PORT]     start, print the port, stop when stdin ends
#
# DIR/server.pid holds its pid. KAFKA_VERSION is 4.3.1 or 3.9.2, KAFKA_HEAP the Java heap
# (512m), KAFKA_EXTRA adds lines to server.properties, such as log.flush.interval.messages=1
# to sync before every acknowledgement.
set -euo pipefail
name=kafka.sh
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"

[ $# -ge 2 ] || main
mkdir -p "$2"
dir=$(cd "$2" && pwd) port=${3:-} version=${KAFKA_VERSION:-4.3.1}
jars=${STANDPIPE_CACHE:-$HOME/.cache/standpipe}/jars/kafka-$version
heap=${KAFKA_HEAP:-512m}

serves() { timeout 5 kcat -b "127.0.0.1:$port" -L -m 2 && grep -q 'Kafka Server started' "$dir/server.log"; }

configure() {
  local controller
  controller=$(free_port)
  cat >"$dir/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
num.partitions=1
${KAFKA_EXTRA:-}
CONF
}

start() {
  [ -d "$jars" ] || die "Kafka $version is missing: run scripts/setup.sh"
  ! running "$dir/server.pid" || die "already running in $dir"
  port=${port:-$(free_port)}
  configure
  if [ ! -f "$dir/data/meta.properties" ]; then
    java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$jars/*" kafka.tools.StorageTool format \
      -t c3RhbmRwaXBlLXRlc3RzLQ -c "$dir/server.properties" >"$dir/format.log" 2>&1 ||
      { cat "$dir/format.log" >&2; die "cannot format $dir/data"; }
  fi
  (cd "$dir" && exec setsid java "-Xmx$heap" "-Xms$heap" -cp "$jars/*" "-Dlog4j2.configurationFile=$here/log4j2.properties" \
    "-Dlog4j.configuration=file:$here/log4j.properties" kafka.Kafka server.properties) \
    </dev/null >"$dir/server.log" 2>&1 &
  note_pid "$dir/server.pid" $!
  until_true 90 "no metadata" serves
  echo "$port" | tee "$dir/port"
}

stop() { end "$dir/server.pid" 30; }

main "$@"
