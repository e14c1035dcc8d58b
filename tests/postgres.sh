#!/bin/sh
# Runs on PostgreSQL the tests that have to do with the database. Where its programs are missing they are installed, if
# apt-get is there and may be used; else it says what is left out, which is a failure with CI=true.
set -eu
cd "$(dirname "$0")/.."

install_postgres() {
    command -v apt-get >/dev/null || return 1
    as_root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root=sudo
    fi
    echo "Installing PostgreSQL for its tests"
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends postgresql-common
    # The package would make a cluster of its own and start it.
    $as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" | $as_root tee /etc/postgresql-common/createcluster.d/greenroom.conf >/dev/null
    $as_root apt-get install -y -qq --no-install-recommends postgresql
}

programs=$(tests/support/postgres.sh --find 2>/dev/null) ||
    { install_postgres && programs=$(tests/support/postgres.sh --find); } || {
        echo "LEFT OUT: all tests on PostgreSQL, since its initdb and pg_ctl are not installed" >&2
        if [ "${CI:-}" = true ]; then exit 1; fi
        exit 0
    }

echo "On PostgreSQL, of $programs:"
export GREENROOM_TEST_DATABASE=postgres
${CARGO:-cargo} test --locked --test api
${CARGO:-cargo} test --locked --test faults -- --ignored postgres
