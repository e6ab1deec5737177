# Shared by rabbitmq.sh and kafka.sh: free ports, waiting, and stopping by pid.

die() { echo "$name: $*" >&2; exit 69; }

# Below the range that the kernel gives to outgoing connections, so that none takes it meanwhile, and not
# among those that the end-to-end tests choose for other servers.
free_port() {
  local port
  while :; do
    port=$((12000 + RANDOM % 8000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
  done
}

# until_true SECONDS WHAT COMMAND...: tries again until it succeeds or DIR/server.pid is gone.
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || { tail -n 20 "$dir/server.log" >&2; stop; die "not ready: $what"; }
    running "$dir/server.pid" || { tail -n 20 "$dir/server.log" >&2; stop; die "ended while starting; see $dir/server.log"; }
    sleep 0.1
  done
}

# Only what was started here: the process still has the start time noted beside its pid.
started_at() { awk '{print $22}' "/proc/$1/stat" 2>/dev/null; }
note_pid() { echo "$2 $(started_at "$2")" >"$1"; }
running() {
  local pid since
  [ -f "$1" ] && read -r pid since <"$1" && [ "$(started_at "$pid")" = "$since" ] &&
    [ "$(awk '{print $3}' "/proc/$pid/stat" 2>/dev/null)" != Z ]
}

end() {  # end PIDFILE SECONDS: SIGTERM, and SIGKILL when it has not ended by then
  local file=$1 pid deadline=$((SECONDS + $2))
  running "$file" || { rm -f "$file"; return 0; }
  read -r pid _ <"$file"
  kill -TERM "$pid" 2>/dev/null || true
  while running "$file"; do
    [ $SECONDS -lt $deadline ] || { kill -KILL "$pid" 2>/dev/null || true; break; }
    sleep 0.05
  done
  rm -f "$file"
}

# run: start, print the port, and stop when stdin ends, so that nothing outlives the caller.
main() {
  case ${1:-} in
    start) start ;;
    stop) stop ;;
    run)
      trap stop EXIT
      trap 'kill $! 2>/dev/null || true; exit 0' TERM INT
      start
      cat <&0 >/dev/null &  # else the shell gives it /dev/null
      wait $! ;;
    *) echo "usage: $0 start|stop|run DIR [PORT]" >&2; exit 64 ;;
  esac
}
