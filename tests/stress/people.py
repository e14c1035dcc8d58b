"""A server process, and its users: HTTP and WebSocket clients with the standard library alone."""

import asyncio
import base64
import contextlib
import json
import os
import pathlib
import struct
import subprocess
import time

from table import DEADLINE

TEXT, BINARY, CLOSE, PING, PONG, FIN = 0x1, 0x2, 0x8, 0x9, 0xA, 0x80
PASSWORD = "correct horse"


class Server:
    """A `greenroom serve` process, which ends with its `with` block."""

    def __init__(self, binary, folder, bind="127.0.0.1:0", database=None, redis=None, settings=None,
                 log="off", errors=None):
        self.binary, self.folder = binary, folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("GREENROOM_")}
        self.environment["GREENROOM_DATABASE_URL"] = database or f"sqlite://{folder}/stress.db"
        if redis:
            self.environment["GREENROOM_REDIS_URL"] = redis
        self.environment |= settings or {}
        serve = [binary, "serve", "--bind", bind, "--log", log]
        self.process = subprocess.Popen(serve, env=self.environment, stdout=subprocess.PIPE, stderr=errors,
                                        text=True)
        host, port = self.process.stdout.readline().strip().removeprefix("Listening on http://").rsplit(":", 1)
        self.address = (host, int(port))

    def metrics(self):
        """Returns the address of the metrics listener, which the server prints once."""
        line = self.process.stdout.readline().strip()
        return line.removeprefix("Metrics on ")

    def run(self, *args):
        """Runs another command on the same database."""
        command = [self.binary, *args]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout.strip()

    def memory(self, name="VmRSS"):
        """Returns the resident memory in bytes; with VmHWM its peak since `forget_peak`."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def connections(self):
        """Returns the server's connections in the kernel's table: peer's port -> (state, unacknowledged bytes)."""
        rows, port = {}, f":{self.address[1]:04X}"
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, own, peer, state, queues, *_ = line.split()
            if own.endswith(port):
                rows[int(peer.split(":")[1], 16)] = (state, int(queues.split(":")[0], 16))
        return rows

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Http:
    """A keep-alive connection for sequential requests."""

    def __init__(self, address, *headers):
        self.address, self.headers = address, headers
        self.reader = self.writer = None
        self.used = 0.0

    async def call(self, method, path, body=None):
        """Sends a request. Returns the status, the JSON and the headers; raises OSError without an answer."""
        if time.monotonic() - self.used > 10:
            # The server closes idle connections.
            self.close()
        self.used = time.monotonic()
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(*self.address)
        payload = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *self.headers]
        head = "\r\n".join([*lines, f"Content-Length: {len(payload)}", "", ""])
        self.writer.write(head.encode() + payload)
        try:
            return await asyncio.wait_for(self.answer(), DEADLINE)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("no answer") from error

    async def answer(self):
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), json.loads(body or b"null"), headers

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


class Closed(Exception):
    """The server has closed the socket with a code; 1006 without a close frame."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def frame(first, payload=b"", declared=None):
    """Encodes a client frame with a zero mask. The declared length may differ from the real one."""
    length = len(payload) if declared is None else declared
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 65_536:
        size = b"\xfe" + struct.pack("!H", length)
    else:
        size = b"\xff" + struct.pack("!Q", length)
    return bytes([first]) + size + bytes(4) + payload


class Socket:
    """A WebSocket of one user."""

    def __init__(self, address, headers, query=""):
        self.address, self.headers, self.query = address, headers, query
        self.reader = self.writer = None

    def request(self):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET /messages/ws/{self.query} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *self.headers, "", "",
        ]
        return "\r\n".join(lines).encode()

    async def connect(self, raw=None):
        """Sends the handshake. Returns its status, 101 if the socket is open."""
        place = {"sock": raw} if raw else dict(zip(("host", "port"), self.address))
        self.reader, self.writer = await asyncio.open_connection(**place)
        self.writer.write(self.request())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), DEADLINE)
        return int(head.split()[1])

    async def open(self, raw=None):
        """Connects and receives the `hello`."""
        assert await self.connect(raw) == 101
        assert (await self.event())["type"] == "hello"
        return self

    def send(self, value):
        self.writer.write(frame(FIN | TEXT, json.dumps(value).encode()))

    async def read(self):
        """Returns the opcode and payload of the next frame."""
        first, length = await self.reader.readexactly(2)
        if length > 125:
            (length,) = struct.unpack(*(("!H", await self.reader.readexactly(2)) if length == 126 else
                                        ("!Q", await self.reader.readexactly(8))))
        return first & 0x0F, await self.reader.readexactly(length)

    async def event(self, within=DEADLINE):
        """Returns the next event. Raises Closed if the server closes the socket."""
        while True:
            try:
                opcode, payload = await asyncio.wait_for(self.read(), within)
            except (asyncio.IncompleteReadError, ConnectionError):
                raise Closed(1006) from None
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == PING:
                self.writer.write(frame(FIN | PONG, payload))
            elif opcode == CLOSE:
                self.writer.write(frame(FIN | CLOSE, payload))
                raise Closed(struct.unpack("!H", payload[:2])[0] if payload else 1005)

    async def closes(self, within=DEADLINE):
        """Skips remaining events and returns the server's close code."""
        with contextlib.suppress(asyncio.TimeoutError):
            try:
                while True:
                    await self.event(within)
            except Closed as closed:
                return closed.code
        return None

    def port(self):
        return self.writer.get_extra_info("sockname")[1]

    def drop(self):
        if self.writer:
            self.writer.transport.abort()


class Person:
    """A user with a token."""

    def __init__(self, address, name, number, key):
        self.address, self.name, self.id = address, name, number
        self.header = f"Authorization: Token {key}"
        self.http = Http(address, self.header)

    def again(self):
        """Returns the same person with another connection."""
        return Person(self.address, self.name, self.id, self.header.split()[-1])

    async def call(self, method, path, body=None, expect=(200, 201, 204)):
        status, answer, _ = await self.http.call(method, f"/messages/api/{path}", body)
        assert status in expect, (method, path, status, answer)
        return answer

    async def posts(self, chat, text):
        return await self.call("POST", f"chats/{chat}/messages/", {"content": text})

    async def group(self, others):
        ids = [other.id for other in others]
        return (await self.call("POST", "chats/", {"chat_type": "group", "title": "Stress", "member_ids": ids}))["id"]

    def socket(self, query=""):
        return Socket(self.address, [self.header], query)

    async def listens(self, raw=None):
        return await self.socket().open(raw)


async def host_of(server):
    """Creates a staff user, who may create users."""
    server.run("user", "create", "host", "--password", PASSWORD, "--staff")
    return await somebody(server, "host")


async def somebody(server, name):
    """Returns an existing user with a token."""
    person = Person(server.address, name, 0, server.run("token", "create", name))
    person.id = (await person.call("GET", "users/me/"))["id"]
    return person


async def people(host, count, password=None):
    """Creates `count` further users."""
    found = []
    for _ in range(count):
        name = f"user{time.monotonic_ns()}"
        user = await host.call("POST", "users/", {"username": name} | ({"password": password} if password else {}))
        token = await host.call("POST", f"users/{user['id']}/tokens/", {})
        found.append(Person(host.address, name, user["id"], token["key"]))
    return found
