#!/usr/bin/env bash
# Many nodes to look at: PostgreSQL and Redis in temporary folders, three nodes, and nginx in front of them with the
# settings of docs/deploy/nginx.conf. Ctrl-C ends it all; nothing is left behind.
#
#   tests/cluster.sh [PROGRAM]      GREENROOM_BIND: where nginx listens, 127.0.0.1:8000 by default
set -eu
cd "$(dirname "$0")/.."
greenroom=${1:-target/release/greenroom}
bind=${GREENROOM_BIND:-127.0.0.1:8000}
nodes=3

fail() {
    echo "cluster: $1" >&2
    exit 1
}

PATH=$PATH:/usr/sbin
for program in redis-server nginx setpriv; do
    command -v $program >/dev/null || fail "$program is not installed (Debian: redis-server, nginx-light, util-linux)"
done
[ -x "$greenroom" ] || fail "there is no $greenroom; run make build"
tests/support/postgres.sh --find >/dev/null || exit 1

folder=$(mktemp -d)
parts=()
declare -A names

stop() {
    trap '' INT TERM HUP
    # The last that was started first: nginx, the nodes, Redis.
    for ((at = ${#parts[@]} - 1; at >= 0; at--)); do
        kill "${parts[at]}" 2>/dev/null || continue
    done
    for part in "${parts[@]}"; do
        wait "$part" 2>/dev/null || :
    done
    # PostgreSQL goes with its input.
    exec 9>&- || :
    [ -z "${postgres:-}" ] || wait "$postgres" 2>/dev/null || :
    rm -rf "$folder"
}
trap stop EXIT
trap 'echo; exit 0' INT TERM HUP

# Starts a part that also ends where this script is killed: part NAME COMMAND...
part() {
    local name=$1
    shift
    setpriv --pdeathsig TERM "$@" >"$folder/$name.out" 2>"$folder/$name.log" 9>&- &
    parts+=($!)
    names[$!]=$name
    last=$!
}

# Waits until a condition holds; gives up where the part that was started last has ended: until_up NAME CONDITION...
until_up() {
    local name=$1
    shift
    for _ in $(seq 200); do
        if "$@" 2>/dev/null; then return; fi
        kill -0 "$last" 2>/dev/null || break
        sleep 0.1
    done
    cat "$folder/$name.out" "$folder/$name.log" >&2
    fail "$name does not start"
}

is_open() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }
is_listening() { grep -q 'Listening on' "$folder/$1.out"; }

is_open "$bind" && fail "$bind is in use; set GREENROOM_BIND to another address"

mkfifo "$folder/input"
OPTIONS="-c fsync=on" tests/support/postgres.sh <"$folder/input" >"$folder/postgres.out" 2>"$folder/postgres.log" &
postgres=$! last=$!
names[$!]=postgres
exec 9>"$folder/input"
until_up postgres grep -q '^postgres://' "$folder/postgres.out"
server=$(head -1 "$folder/postgres.out")

port=16379
while is_open 127.0.0.1:$port; do port=$((port + 1)); done
part redis redis-server --bind 127.0.0.1 --port $port --dir "$folder" --save '' --appendonly no
until_up redis is_open 127.0.0.1:$port

export GREENROOM_DATABASE_URL=$server/postgres
export GREENROOM_REDIS_URL=redis://127.0.0.1:$port
export GREENROOM_TRUSTED_PROXIES=127.0.0.1
"$greenroom" demo --if-empty >"$folder/demo.log" 2>&1 9>&- || { cat "$folder/demo.log" >&2; fail "the demo is not made"; }

addresses=()
for number in $(seq $nodes); do
    part "node$number" "$greenroom" serve --bind 127.0.0.1:0 --log warn
    until_up "node$number" is_listening "node$number"
    addresses+=("$(sed -n 's|^Listening on http://||p' "$folder/node$number.out")")
done

{
    echo "pid $folder/nginx.pid; error_log stderr; daemon off; worker_processes 2; worker_rlimit_nofile 65536;"
    [ "$(id -u)" != 0 ] || echo "user root;"
    echo "events { worker_connections 16384; }"
    echo "http {"
    echo "access_log off;"
    for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $folder/$kind;"; done
    sed -e '/^# Who comes without TLS/,/^}/d' -e '/ssl_/d' -e '/listen \[::\]/d' -e '/server_name/d' \
        -e "s|listen 443 ssl http2|listen $bind|" \
        -e "s|10.0.0.11:8000|${addresses[0]}|; s|10.0.0.12:8000|${addresses[1]}|; s|10.0.0.13:8000|${addresses[2]}|" \
        docs/deploy/nginx.conf
    echo "}"
} >"$folder/nginx.conf"
part nginx nginx -p "$folder" -c "$folder/nginx.conf" -e stderr
until_up nginx is_open "$bind"

cat <<END

Greenroom on $nodes nodes:  http://$bind/   Users: alice, bob, carol; password: greenroom.
Nodes: $(for at in $(seq $nodes); do echo -n "${addresses[at - 1]} (process ${parts[at]})  "; done)
Logs:  $folder/*.log

  curl -c cookies -d 'username=alice&password=greenroom' http://$bind/login/
  curl -b cookies http://$bind/messages/api/chats/

Kill a node, and the others go on. Ctrl-C ends it all.
END

# Nodes may end, anything else may not.
while wait -n -p ended "${parts[@]}" "$postgres" || true; do
    name=${names[$ended]}
    echo "$name has ended"
    [[ $name == node* ]] || fail "$name was needed"
    parts=("${parts[@]/$ended/}")
    parts=(${parts[@]})
done
