#!/bin/sh
# A client of PostgreSQL cannot sign in by SCRAM to a server whose certificate has an Ed25519 key, with the default settings
# of both.
#
# Seen with Debian 12's PostgreSQL 15.18-0+deb12u1, its psql, and psycopg-binary 3.3.4 from PyPI, which brings libpq 18.0:
# the server starts with the certificate and offers SCRAM-SHA-256-PLUS, which libpq prefers over TLS. For that libpq
# needs the hash of the certificate's signature, and Ed25519 names none: "could not find digest for NID UNDEF". It does not
# go on with SCRAM-SHA-256 as it does without TLS. `channel_binding=disable` helps. With a P-256 key all is well.
#
# Exits with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
chmod 755 "$folder"
cd "$folder"
version=15.18-0+deb12u1
apt-get download -qq postgresql-15=$version postgresql-client-15=$version libpq5=$version >/dev/null
for package in *.deb; do dpkg -x "$package" root; done
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check psycopg-binary==3.3.4 psycopg==3.3.4
bin=$folder/root/usr/lib/postgresql/15/bin
# PostgreSQL refuses to run as root.
as_owner() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --clear-groups --no-new-privs "$@"; else "$@"; fi; }
[ "$(id -u)" != 0 ] || chown -R nobody "$folder"
trap 'as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$folder"' EXIT
echo secret >password
as_owner "$bin/initdb" -D data -A scram-sha-256 -U ann --pwfile password >/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

attempt() {
    as_owner openssl req -x509 -newkey $1 $2 -nodes -days 2 -subj /CN=localhost -keyout data/server.key -out data/server.crt 2>/dev/null
    chmod 600 data/server.key
    as_owner "$bin/pg_ctl" -D data -w -l log -o "-p $port -k $folder -c ssl=on -c listen_addresses=127.0.0.1" start >/dev/null
    for setting in prefer disable; do
        url="host=127.0.0.1 port=$port user=ann password=secret dbname=postgres sslmode=require channel_binding=$setting"
        LD_LIBRARY_PATH="$folder/root/usr/lib/$(uname -m)-linux-gnu" "$bin/psql" "$url" -Atc "SELECT 'psql: in'" 2>&1 || :
        URL="$url" venv/bin/python -c '
import os, psycopg
try:
    psycopg.connect(os.environ["URL"]).close()
    print("psycopg: in")
except psycopg.OperationalError as error:
    print("psycopg:", error)
print("libpq", psycopg.pq.version())'
    done
    as_owner "$bin/pg_ctl" -D data -m fast stop >/dev/null
}

attempt ed25519 "" >ed25519.txt
attempt ec "-pkeyopt ec_paramgen_curve:P-256" >p256.txt
cat ed25519.txt p256.txt
[ "$(grep -c "could not find digest for NID" ed25519.txt)" = 2 ] && [ "$(grep -c ": in" ed25519.txt)" = 2 ] && [ "$(grep -c ": in" p256.txt)" = 4 ]
