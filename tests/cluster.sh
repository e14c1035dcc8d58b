#!/usr/bin/env bash
# Runs a local cluster: PostgreSQL and Redis in temporary folders, three nodes, and nginx in front of them with the
# settings of docs/deploy/nginx.conf. Ctrl-C stops everything and removes all files.
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
for program in redis-server nginx setpriv setsid; do
    command -v $program >/dev/null || fail "$program is not installed (Debian: redis-server, nginx-light, util-linux)"
done
[ -x "$greenroom" ] || fail "there is no $greenroom; run make build"
tests/support/postgres.sh --find >/dev/null || exit 1

folder=$(mktemp -d)
declare -A names  # by process
parts=()          # that are told to end
keepers=()        # that end once nobody can write to them

stop() {
    trap '' INT TERM HUP
    [ ${#parts[@]} = 0 ] || kill "${parts[@]}" 2>/dev/null || :
    [ ${#parts[@]} = 0 ] || wait "${parts[@]}" 2>/dev/null || :
    exec 9>&-
    [ ${#keepers[@]} = 0 ] || wait "${keepers[@]}" 2>/dev/null || :
    rm -rf "$folder"
}
trap stop EXIT
trap 'echo; exit 0' INT TERM HUP
mkfifo "$folder/input"
# Opened for reading as well: opening for writing alone would block until a reader opens the pipe.
exec 9<>"$folder/input"

# Starts a command that ends when its standard input is closed: keeper NAME COMMAND...
keeper() {
    local name=$1
    shift
    # The command must not inherit the writing end of its input, nor receive Ctrl-C.
    setsid "$@" <"$folder/input" >"$folder/$name.out" 2>"$folder/$name.log" 9>&- &
    keepers+=($!)
    names[$!]=$name last=$!
}

# Starts a command that also ends if this script is killed: part NAME COMMAND...
part() {
    local name=$1
    shift
    setsid setpriv --pdeathsig TERM "$@" >"$folder/$name.out" 2>"$folder/$name.log" 9>&- &
    parts+=($!)
    names[$!]=$name last=$!
}

# Waits until a condition holds for the command started last: until_up CONDITION...
until_up() {
    local name=${names[$last]}
    for _ in $(seq 200); do
        if "$@" 2>/dev/null; then return; fi
        kill -0 "$last" 2>/dev/null || break
        sleep 0.1
    done
    cat "$folder/$name.out" "$folder/$name.log" >&2
    fail "$name does not start"
}

is_open() { (exec 3<>"/dev/tcp/${bind%:*}/${bind##*:}") 2>/dev/null; }
if is_open; then fail "$bind is in use; set GREENROOM_BIND to another address"; fi

OPTIONS="-c fsync=on" keeper postgres tests/support/postgres.sh
until_up grep -q '^postgres://' "$folder/postgres.out"
keeper redis tests/support/redis.sh
until_up grep -q '^/' "$folder/redis.out"

GREENROOM_DATABASE_URL=$(cat "$folder/postgres.out")/postgres
GREENROOM_REDIS_URL=redis+unix://$(cat "$folder/redis.out")
export GREENROOM_DATABASE_URL GREENROOM_REDIS_URL GREENROOM_TRUSTED_PROXIES=127.0.0.1
"$greenroom" demo >/dev/null 9>&-

hints=
for number in $(seq $nodes); do
    part "node$number" "$greenroom" serve --bind 127.0.0.1:0 --log warn
    until_up grep -q '^Listening on' "$folder/node$number.out"
    address=$(sed 's|^Listening on http://||' "$folder/node$number.out")
    hints="$hints -e s|node$number:8000|$address|"
    echo "node $number: http://$address/, process $last"
done

{
    echo "pid $folder/nginx.pid; daemon off; worker_processes 2; worker_rlimit_nofile 65536;"
    [ "$(id -u)" != 0 ] || echo "user root;"
    echo "events { worker_connections 16384; }"
    echo "http { access_log off;"
    for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $folder/$kind;"; done
    # Remove TLS from the configuration.
    sed -e '/^# Who comes without TLS/,/^}/d' -e '/ssl_/d' -e '/listen \[::\]/d' -e '/server_name/d' \
        -e "s|listen 443 ssl http2|listen $bind|" $hints docs/deploy/nginx.conf
    echo "}"
} >"$folder/nginx.conf"
part nginx nginx -p "$folder" -c "$folder/nginx.conf" -e stderr
until_up is_open

cat <<END

Greenroom on $nodes nodes:  http://$bind/   Users: alice, bob, carol; password: greenroom. Try:

  curl -c cookies -d 'username=alice&password=greenroom' http://$bind/login/
  curl -b cookies http://$bind/messages/api/chats/

Logs are in $folder. Kill a node, and the others go on. Ctrl-C ends it all.
END

# A node may end; the end of any other process stops the cluster.
while true; do
    wait -n -p ended "${parts[@]}" "${keepers[@]}" 2>/dev/null || :
    name=${names[$ended]}
    [[ $name == node* ]] || fail "$name has ended"
    echo "$name has ended"
    for at in "${!parts[@]}"; do
        if [ "${parts[at]}" = "$ended" ]; then unset "parts[at]"; fi
    done
done
