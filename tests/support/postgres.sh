#!/bin/sh
# Runs a private PostgreSQL cluster until standard input is closed, and then removes its files. Prints the URL of the
# server, without a database. With TCP_PORT it also listens on that port of 127.0.0.1. Then each line on standard input
# is a command, answered with "done":
#   restart fast|immediate   stops the server as pg_ctl does in that mode, and starts it again
#   stop fast|immediate, start
#   kill                     ends all its processes with SIGKILL
#   pause, continue          sends SIGSTOP, SIGCONT to all its processes
# `postgres.sh --find` only prints the folder of PostgreSQL's programs, and fails if there are none.
set -eu

find_programs() {
    for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn) $(dirname "$(command -v initdb || echo /)"); do
        if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ]; then
            echo "$folder"
            return
        fi
    done
    echo "PostgreSQL's initdb and pg_ctl are not found" >&2
    return 1
}

programs=$(find_programs)
if [ "${1:-}" = --find ]; then
    echo "$programs"
    exit
fi

# PostgreSQL refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi
}

# Keep the data in memory if there is enough: it need not survive, and each database has some three hundred files.
shelf=${TMPDIR:-/tmp}
room=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
case ${OPTIONS:--c fsync=off} in
    *fsync=off*) if [ "${room:-0}" -gt 2000000 ]; then shelf=/dev/shm; fi ;;
esac
folder=$(mktemp -d "$shelf/greenroom-postgres-XXXXXX")
# Ctrl-C stops the tests, which closes our standard input.
trap '' INT TERM HUP
trap 'signal CONT 2>/dev/null; as_owner "$programs/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$folder"' EXIT
if [ "$(id -u)" = 0 ]; then chown postgres "$folder"; fi
cd "$folder"

# Not the locale C, so that tests detect a dependency on the collation.
as_owner "$programs/initdb" -D "$folder/data" -U postgres -A trust -N -E UTF8 --locale=C.UTF-8 \
    --locale-provider=icu --icu-locale=en >initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }
start() {
    as_owner "$programs/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w start >/dev/null 2>&1 </dev/null \
        -o "-c listen_addresses='${TCP_PORT:+127.0.0.1}' -c port=${TCP_PORT:-5432} -c unix_socket_directories='$folder' -c max_connections=500 -c dynamic_shared_memory_type=mmap ${OPTIONS:--c fsync=off}" \
        || { cat server.log >&2; exit 1; }
}
stop() {
    as_owner "$programs/pg_ctl" -D "$folder/data" -m "$1" -w stop >/dev/null 2>&1 </dev/null
}

# Sends a signal to the postmaster and its children.
signal() {
    first=$(head -1 "$folder/data/postmaster.pid")
    # Ignore a child that has ended by now.
    children=$(grep -ls "^PPid:[[:space:]]*$first$" /proc/[0-9]*/status | cut -d/ -f3)
    kill -"$1" "$first" $children 2>/dev/null || :
}

start
echo "postgres://postgres@$(echo "$folder" | sed 's|/|%2F|g')${TCP_PORT:+:$TCP_PORT}"
while read -r command mode; do
    case $command in
        start) start ;;
        stop) stop "$mode" ;;
        restart) stop "$mode"; start ;;
        kill) signal KILL; sleep 0.2; rm -f "$folder"/data/postmaster.pid "$folder"/.s.PGSQL.* ;;
        pause) signal STOP ;;
        continue) signal CONT ;;
    esac
    echo done
done
