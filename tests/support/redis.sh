#!/bin/sh
# Runs a private Redis on a Unix socket until standard input is closed, and then removes its files. Prints the
# socket's path. Then each line on standard input is a command, answered with "done":
#   stop, continue   pauses and resumes it with SIGSTOP and SIGCONT
#   kill, start      ends it with SIGKILL, and starts another in its place
#   ACL ...          runs this ACL command in Redis
# `redis.sh --find` only prints the program's path, and fails if there is none.
set -eu

if [ "${1:-}" = --find ]; then
    command -v redis-server
    exit
fi

folder=$(mktemp -d)
socket=$folder/redis.sock
server=
# Ctrl-C stops the tests, which closes our standard input.
trap '' INT TERM HUP
trap 'kill -9 "$server" 2>/dev/null || :; rm -rf "$folder"' EXIT

start() {
    rm -f "$socket"
    redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --dir "$folder" \
        >"$folder/log" 2>&1 </dev/null &
    server=$!
    until redis-cli -s "$socket" ping >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
        sleep 0.05
    done
}

start
echo "$socket"
while read -r command; do
    case $command in
        stop) kill -STOP "$server" ;;
        continue) kill -CONT "$server" ;;
        kill)
            kill -9 "$server"
            wait "$server" 2>/dev/null || :
            ;;
        start) start ;;
        ACL*)
            # The shell must not expand the ACL's patterns.
            set -f
            redis-cli -s "$socket" $command >/dev/null
            ;;
    esac
    echo done
done
