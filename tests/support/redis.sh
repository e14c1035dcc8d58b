#!/bin/sh
# A Redis of one's own on a Unix socket, for as long as standard input is open; it leaves nothing behind. Prints the
# socket's path. Then each line on standard input is a command, answered with "done":
#   stop, continue   pause it and let it go on, as SIGSTOP and SIGCONT do
#   kill, start      end it with SIGKILL, and start another in its place
#   ACL ...          who may do what, as Redis has it
# `redis.sh --find` only tells where the program is; it fails where there is none.
set -eu

if [ "${1:-}" = --find ]; then
    command -v redis-server
    exit
fi

folder=$(mktemp -d)
socket=$folder/redis.sock
server=
# Ctrl-C is for the tests; their end closes our standard input.
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
            # Its patterns are not for the shell.
            set -f
            redis-cli -s "$socket" $command >/dev/null
            ;;
    esac
    echo done
done
