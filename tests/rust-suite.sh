#!/bin/sh
# Runs `cargo test` with these arguments. Where a few tests fail, they run once more, one after the other: the suites keep
# all cores busy, and a deadline may pass on a machine that has other work. What passes then is named as flaky, which is
# a fault to be mended, but no reason to stop.
set -eu
cd "$(dirname "$0")/.."

most=3
log=$(mktemp)
trap 'rm -f "$log" "$log.failed"' EXIT
{ if ${CARGO:-cargo} test --locked --no-fail-fast "$@" 2>&1; then echo "All passed: $*"; fi; } | tee "$log"
if grep -qxF "All passed: $*" "$log"; then exit 0; fi

sed -n 's/^test \([^ ]*\) .*FAILED$/\1/p' "$log" | sort -u >"$log.failed"
count=$(wc -l <"$log.failed")
if [ "$count" = 0 ] || [ "$count" -gt $most ]; then exit 1; fi
targets=
for argument in "$@"; do
    if [ "$argument" = -- ]; then break; fi
    targets="$targets $argument"
done
echo "Once more, alone: $(tr '\n' ' ' <"$log.failed")"
${CARGO:-cargo} test --locked $targets -- --include-ignored --exact --test-threads=1 $(cat "$log.failed")
sed 's/^/FLAKY, passed alone: /' "$log.failed" | tee -a target/flaky
