#!/bin/sh
# Runs on PostgreSQL the tests that have to do with the database, and then on two nodes with Redis between them. Where
# programs are missing they are installed, if apt-get is there and may be used; else it says what is left out, which is
# a failure with CI=true.
set -eu
cd "$(dirname "$0")/.."

may_install() {
    command -v apt-get >/dev/null || return 1
    as_root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root=sudo
    fi
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq
}

install_postgres() {
    may_install || return 1
    echo "Installing PostgreSQL for its tests"
    $as_root apt-get install -y -qq --no-install-recommends postgresql-common
    # The package would make a cluster of its own and start it.
    $as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" | $as_root tee /etc/postgresql-common/createcluster.d/greenroom.conf >/dev/null
    $as_root apt-get install -y -qq --no-install-recommends postgresql
}

install_redis() {
    may_install || return 1
    echo "Installing Redis for its tests"
    $as_root apt-get install -y -qq --no-install-recommends redis-server
    # The package starts one; the tests have their own.
    if [ -d /run/systemd/system ]; then $as_root systemctl disable -q --now redis-server; fi
}

left_out() {
    echo "LEFT OUT: all tests $1, since $2 not installed" >&2
    if [ "${CI:-}" = true ]; then exit 1; fi
    exit 0
}

programs=$(tests/support/postgres.sh --find 2>/dev/null) ||
    { install_postgres && programs=$(tests/support/postgres.sh --find); } ||
    left_out "on PostgreSQL and on several nodes" "PostgreSQL's initdb and pg_ctl are"

echo "On PostgreSQL, of $programs:"
export GREENROOM_TEST_DATABASE=postgres
${CARGO:-cargo} test --locked --test api
${CARGO:-cargo} test --locked --test faults -- --ignored postgres

tests/support/redis.sh --find >/dev/null || install_redis || left_out "on several nodes" "redis-server is"
echo "On two nodes:"
${CARGO:-cargo} test --locked --test faults -- --ignored on_nodes
GREENROOM_TEST_NODES=2 ${CARGO:-cargo} test --locked --test api
