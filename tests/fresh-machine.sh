#!/usr/bin/env bash
# Runs the README's two commands as a new user would: in an empty Debian 12 with only Rust, a C compiler, make and git.
# Not part of `make test`. Needs root, debootstrap, 12 GiB of disk and about an hour.
#
# `tests/fresh-machine.sh [FOLDER]`: creates the machine in FOLDER, or in a temporary folder that is removed at the end.
# It tests the committed tree, with this machine's Rust toolchain and certificates.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo "must be root, to change the root folder" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is not installed (Debian: debootstrap)" >&2; exit 1; }

folder=${1:-$(mktemp -d)}
project=$folder/root/greenroom
certificates=/etc/ssl/certs/ca-certificates.crt

inside() {
    chroot "$folder" /usr/bin/env -i HOME=/root CI=true LANG=C.UTF-8 "PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
        SSL_CERT_FILE=$certificates PIP_CERT=$certificates NODE_EXTRA_CA_CERTS=$certificates \
        GREENROOM_BIND=127.0.0.1:0 "$@"
}
clean_up() {
    if [ -n "${served:-}" ]; then kill "$served" 2>/dev/null || :; wait "$served" 2>/dev/null || :; fi
    for mount in opt/rust dev proc; do umount --recursive "$folder/$mount" 2>/dev/null || :; done
    if [ $# = 0 ]; then rm -rf --one-file-system "$folder"; fi
}
trap 'clean_up "$@"' EXIT

debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev,make,git bookworm "$folder"
cp -L /etc/resolv.conf /etc/hosts "$folder/etc/"
cp -L $certificates "$folder$certificates"
git clone -q . "$project"
mkdir -p "$folder/opt/rust"
mount --bind "$(rustc --print sysroot)" "$folder/opt/rust"
mount -t proc proc "$folder/proc"
mount --rbind /dev "$folder/dev"
mount --make-rslave "$folder/dev"

echo "== make run"
inside make -C /root/greenroom run >"$folder/root/run.log" 2>&1 &
served=$!
until grep '^Listening on ' "$folder/root/run.log"; do
    kill -0 "$served" 2>/dev/null || { cat "$folder/root/run.log"; exit 1; }
    sleep 1
done
kill "$served"
wait "$served" || :
served=

echo "== make test"
inside make -C /root/greenroom test
