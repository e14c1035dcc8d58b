"""Two nodes on one PostgreSQL with Redis between them, and users who post to and listen at both."""

import asyncio
import collections
import contextlib
import os
import pathlib
import subprocess
import time

from endings import stored
from people import Closed, Http, Server, host_of, people
from table import percentile

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"


class Keeper:
    """A script that runs PostgreSQL or Redis as long as its standard input is open."""

    def __init__(self, script, **environment):
        self.process = subprocess.Popen(
            [SUPPORT / script], env=os.environ | environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.place = self.process.stdout.readline().strip()

    def command(self, text):
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer == "done\n", f"{text}: {answer}"

    async def does(self, text):
        await asyncio.to_thread(self.command, text)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Way:
    """A proxy to Redis that can be cut: it then drops everything silently."""

    async def open(self, socket):
        self.socket, self.is_cut = socket, False
        self.server, self.tasks = await asyncio.start_server(self.begin, "127.0.0.1", 0), set()
        host, port = self.server.sockets[0].getsockname()
        self.url = f"redis://{host}:{port}"
        return self

    def begin(self, reader, writer):
        task = asyncio.ensure_future(self.accept(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def accept(self, reader, writer):
        try:
            there, back = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return writer.close()
        await asyncio.gather(self.copy(reader, back), self.copy(there, writer))

    async def copy(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                while self.is_cut:
                    await asyncio.sleep(0.05)
                writer.write(data)
                await writer.drain()
        writer.close()


class Fleet:
    """The nodes, their PostgreSQL and Redis, and the users: one writer and one listener for each chat and node."""

    CHATS = 4

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.postgres = Keeper("postgres.sh", OPTIONS="-c fsync=on")
        self.redis = Keeper("redis.sh")
        self.database = f"{self.postgres.place}/postgres"
        self.nodes, self.ways = [None, None], []
        # When and where each key was first sent; acknowledged keys; the longest time that a writer had no answer.
        self.sent, self.acknowledged, self.phase = {}, {}, "before"
        self.gaps, self.slowest = collections.Counter(), collections.Counter()
        self.tasks, self.writers, self.stopping = [], [], False

    async def start(self):
        for number in range(2):
            self.ways.append(await Way().open(self.redis.place))
            self.begin(number)
        host = await host_of(self.nodes[0])
        self.crowd = await people(host, 2 * self.CHATS)
        self.chats = [await host.group(self.crowd) for _ in range(self.CHATS)]
        self.host = host
        self.listeners = [Listener(self, person, turn % 2) for turn, person in enumerate(self.crowd)]
        self.tasks = [asyncio.create_task(listener.run()) for listener in self.listeners]
        while not all(listener.is_open for listener in self.listeners):
            await asyncio.sleep(0.02)
        # The last chat has no writer at the second node: only reconciliation detects an event lost there.
        self.writers = [
            asyncio.create_task(self.write(person, self.chats[turn // 2], turn % 2, turn))
            for turn, person in enumerate(self.crowd[:-1])
        ]

    def begin(self, number):
        bind = "127.0.0.1:0" if self.nodes[number] is None else "%s:%s" % self.nodes[number].address
        self.nodes[number] = Server(self.binary, self.folder, bind, self.database, self.ways[number].url)

    def kill(self, number):
        self.nodes[number].process.kill()
        self.nodes[number].process.wait()

    def signal(self, number, name):
        self.nodes[number].process.send_signal(name)

    async def write(self, person, chat, home, writer):
        """Posts with new keys. Retries messages without an acknowledgement, also at the other node."""
        ways = [Http(node.address, person.header) for node in self.nodes]
        number, node = 0, home
        while not self.stopping:
            key = f"{writer}-{number}"
            number += 1
            self.sent[key] = (time.monotonic(), home, self.phase)
            body = {"content": key, "client_id": key}
            while True:
                begun = time.monotonic()
                try:
                    status, answer, _ = await asyncio.wait_for(
                        ways[node].call("POST", f"/messages/api/chats/{chat}/messages/", body), 5)
                except (OSError, asyncio.TimeoutError):
                    status = 0
                    ways[node].close()
                took = time.monotonic() - begun
                self.slowest[self.phase] = max(self.slowest[self.phase], took)
                if status in (200, 201):
                    break
                node = 1 - node
                await asyncio.sleep(0.05)
            gap = time.monotonic() - self.sent[key][0]
            self.gaps[self.phase] = max(self.gaps[self.phase], gap)
            self.acknowledged[key] = answer["id"]
            node = home if number % 20 == 0 else node
            await asyncio.sleep(0.02)

    async def settle(self):
        """Stops writing and waits until all listeners have received everything. Returns the faults and the seconds it took."""
        self.stopping = True
        _, unanswered = await asyncio.wait(self.writers, timeout=30)
        begun, wanted = time.monotonic(), set(self.acknowledged)
        while time.monotonic() - begun < 30 and not all(wanted <= one.known() for one in self.listeners):
            await asyncio.sleep(0.02)
        took = time.monotonic() - begun
        wrong = collections.Counter({"never answered": len(unanswered)})
        there = {}
        for chat in self.chats:
            there |= await stored(self.host, chat)
        for key, message in self.acknowledged.items():
            wrong["lost"] += there.get(key) != message
        wrong["unknown"] = len(set(there) - set(self.sent))
        for listener in self.listeners:
            wrong["unheard"] += len(wanted - listener.known())
            wrong["heard twice"] += sum(count > 1 for count in listener.heard.values())
            wrong["out of order"] += listener.disorder
        return {what: count for what, count in wrong.items() if count}, took

    async def end(self):
        for task in (*self.tasks, *self.writers):
            task.cancel()
        for node in filter(None, self.nodes):
            node.process.kill()
            node.process.wait()
        for way in self.ways:
            await way.close()
        self.redis.close()
        self.postgres.close()

    def latencies(self, phase, remote=True):
        found = []
        for listener in self.listeners:
            for key, at in listener.times.items():
                begun, home, when = self.sent[key]
                if when == phase and (home != listener.home) == remote:
                    found.append(at - begun)
        return found

    def spread(self, phase, remote=True):
        """Formats p50 and p99 in milliseconds."""
        found = self.latencies(phase, remote)
        if not found:
            return "none"
        return f"{percentile(found, 0.5) * 1000:.0f} / {percentile(found, 0.99) * 1000:.0f} ms"


class Listener:
    """A socket at one node that reconnects and resumes, at the other node if the first is unreachable."""

    def __init__(self, fleet, person, home):
        self.fleet, self.person, self.home = fleet, person, home
        self.heads, self.heard, self.times = {}, collections.Counter(), {}
        # Messages fetched after a "resync": some may also be received as events.
        self.loaded, self.resyncs = set(), 0
        self.disorder, self.is_open = 0, False

    def known(self):
        return self.loaded.union(self.heard)

    async def run(self):
        at = self.home
        while True:
            person = self.person.again()
            person.address = self.fleet.nodes[at].address
            with contextlib.suppress(OSError, Closed, AssertionError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                await self.listen(person)
            at = 1 - at
            await asyncio.sleep(0.1)

    async def listen(self, person):
        socket = await person.socket("?resume=1").open()
        socket.send({"type": "resume", "chats": self.heads})
        try:
            while True:
                # The server pings every 25 s: after a longer silence the connection is lost.
                self.take(await socket.event(40), person)
        finally:
            socket.drop()

    def take(self, event, person):
        chat, seq = str(event.get("chat_id")), event.get("seq")
        if event["type"] in ("ack", "error"):
            self.heads |= event.get("heads", {})
            # Earlier messages were part of the chat, not events.
            self.is_open = True
        if seq is None:
            return
        if seq <= self.heads.get(chat, 0):
            self.disorder += 1
        self.heads[chat] = seq
        if event["type"] == "new_message":
            key = event["message"]["client_id"]
            self.heard[key] += 1
            self.times.setdefault(key, time.monotonic())
        elif event["type"] == "resync":
            self.resyncs += 1
            asyncio.create_task(self.load(person.again(), int(chat)))

    async def load(self, person, chat):
        self.loaded.update(await stored(person, chat))
