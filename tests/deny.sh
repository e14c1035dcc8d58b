#!/bin/sh
# Checks the dependencies with cargo-deny: licences, sources and banned crates, and known faults if the advisory
# database can be fetched. Installs cargo-deny into target/tools with CI=true; elsewhere names what was left out.
set -eu
cd "$(dirname "$0")/.."
. tests/support/tools.sh

cargo=${CARGO:-cargo}
version=0.20.2
if ! cargo-deny --version >/dev/null 2>&1; then
    if [ "${CI:-}" != true ]; then
        leave_out "the check of the dependencies" "cargo-deny is not on the PATH: cargo install --locked cargo-deny"
        exit
    fi
    echo "Installing cargo-deny $version into target/tools"
    $cargo install --quiet --locked --debug --root "$tools" "cargo-deny@$version" || {
        leave_out "the check of the dependencies" "cargo-deny could not be installed"
        exit
    }
fi
$cargo deny --locked --log-level warn check licenses bans sources
if ! timeout 60 cargo-deny fetch db >/dev/null 2>&1; then
    echo "Known faults of the dependencies were not checked: the advisory database cannot be fetched from here."
    exit
fi
$cargo deny --locked --log-level warn check advisories
