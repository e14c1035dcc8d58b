#!/bin/sh
# Runs a private PgBouncer on a Unix socket, in front of a PostgreSQL cluster that listens on one. It runs until
# standard input is closed and then removes its files. `pgbouncer.sh FOLDER MODE [SIZE]`: the folder of PostgreSQL's
# socket, the pool mode, and the pool size. Prints the URL of the server, without a database.
# `pgbouncer.sh --find` only prints the program's path, and fails if there is none.
set -eu

PATH=$PATH:/usr/sbin
if [ "${1:-}" = --find ]; then
    command -v pgbouncer
    exit
fi

# PgBouncer refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi
}

folder=$(mktemp -d)
pooler=
# Ctrl-C stops the tests, which closes our standard input.
trap '' INT TERM HUP
trap 'kill -9 "$pooler" 2>/dev/null || :; rm -rf "$folder"' EXIT
cat >"$folder/pgbouncer.ini" <<END
[databases]
* = host=$1 user=postgres

[pgbouncer]
listen_addr =
unix_socket_dir = $folder
auth_type = any
pool_mode = $2
default_pool_size = ${3:-40}
END
if [ "$(id -u)" = 0 ]; then chown -R postgres "$folder"; fi
as_owner pgbouncer -q "$folder/pgbouncer.ini" >"$folder/log" 2>&1 </dev/null &
pooler=$!
until [ -S "$folder/.s.PGSQL.6432" ]; do
    kill -0 "$pooler" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.05
done
echo "postgres://postgres@$(echo "$folder" | sed 's|/|%2F|g'):6432"
while read -r _; do :; done
