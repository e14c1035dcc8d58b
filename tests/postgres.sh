#!/bin/sh
# Runs the tests that depend on the database on PostgreSQL, and then on two nodes with Redis between them.
set -eu
cd "$(dirname "$0")/.."
. tests/support/tools.sh

tests/install postgres nodes
programs=$(tests/support/postgres.sh --find 2>/dev/null) || exit 0

echo "On PostgreSQL, of $programs:"
export GREENROOM_TEST_DATABASE=postgres
# Without Redis, all tests of the API run on one node. With it they run on two, below.
tests/support/redis.sh --find >/dev/null || tests/rust-suite.sh --test api
tests/rust-suite.sh --test faults -- --ignored postgres
tests/rust-suite.sh --test plans -- --ignored postgres
if tests/support/pgbouncer.sh --find >/dev/null; then
    ${CARGO:-cargo} test --locked --test faults -- --ignored pgbouncer
fi

tests/support/redis.sh --find >/dev/null || exit 0
echo "On two nodes:"
tests/rust-suite.sh --test faults -- --ignored on_nodes
GREENROOM_TEST_NODES=2 tests/rust-suite.sh --test api
