#!/bin/sh
# HAProxy 2.6 holds each event of an HTTP/1.1 event stream back for about 200 ms where `option http-no-delay` is not set.
#
# Seen with Debian 12's HAProxy 2.6.12-1+deb12u4 over loopback: a server sends a chunk of 30 bytes each 300 ms, each with one
# write. Without the option the events arrive in the median 200 ms after they were sent, with it within 1 ms. The proxy
# is not waiting for more of the body: each event is passed on to the kernel at once, with a flag that more will follow,
# and the kernel waits 200 ms for that.
#
# Exits with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq haproxy=2.6.12-1+deb12u4 liblua5.3-0 >/dev/null
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$folder/root/usr/lib/$(uname -m)-linux-gnu"
cat >try.py <<'PYTHON'
import http.client
import socket
import statistics
import subprocess
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(listener):
    while True:
        stream, _ = listener.accept()
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.recv(65536)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(12):
            time.sleep(0.3)
            event = f"data: {time.monotonic():.6f}\n\n".encode()
            stream.sendall(b"%x\r\n%s\r\n" % (len(event), event))
        stream.sendall(b"0\r\n\r\n")
        stream.close()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()


def delay(option):
    port = free_port()
    with open("haproxy.cfg", "w") as config:
        config.write(
            f"defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n {option}\n"
            f"frontend in\n bind 127.0.0.1:{port}\n default_backend out\n"
            f"backend out\n server one 127.0.0.1:{listener.getsockname()[1]}\n"
        )
    proxy = subprocess.Popen(["root/usr/sbin/haproxy", "-db", "-f", "haproxy.cfg"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/")
        answer = connection.getresponse()
        delays = []
        while line := answer.readline():
            if line.startswith(b"data: "):
                delays.append(time.monotonic() - float(line[6:]))
        return statistics.median(delays)
    finally:
        proxy.kill()
        proxy.wait()


print(subprocess.run(["root/usr/sbin/haproxy", "-v"], capture_output=True, text=True).stdout.splitlines()[0])
held, passed = delay(""), delay("option http-no-delay")
print(f"median delay of an event: {held * 1000:.0f} ms, with http-no-delay {passed * 1000:.1f} ms")
raise SystemExit(0 if 0.15 < held < 0.3 and passed < 0.1 else "this has changed")
PYTHON
python3 try.py
