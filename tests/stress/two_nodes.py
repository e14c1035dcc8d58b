#!/usr/bin/env python3
"""What a second node costs and brings: figures of release binaries on one PostgreSQL and Redis.

Each measurement starts PostgreSQL, Redis and the nodes in temporary folders:

  chats      posts a second of two nodes against one, on the same cores. `apart`: all members of a chat are connected to one
             node. `across`: the members of each chat are connected to both
  idle-node  the CPU time of a node that serves no user, for each event at another node
  reconcile  what comparing with the database costs a node with 1,000 users in 1,000 chats, and no traffic
  redis      memory and CPU of Redis for each channel, without Greenroom

With several binaries, each measurement runs with all of them in turn. The load generator is that of the first one. It needs
Linux, Python 3.9, PostgreSQL and Redis.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

from bursts import cpu_time
from fleet import Keeper
from people import Server, host_of, people

USERS = 300


class Nodes:
    """Some nodes of one deployment."""

    def __init__(self, binary, count, with_redis=True):
        self.binary, self.count, self.with_redis = binary, count, with_redis

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="greenroom-nodes-")
        self.postgres = Keeper("postgres.sh", OPTIONS="-c fsync=on")
        self.redis = Keeper("redis.sh") if self.with_redis else None
        redis = f"redis+unix://{self.redis.place}" if self.redis else None
        settings = {"GREENROOM_MAX_SOCKETS_PER_USER": "10000", "GREENROOM_METRICS_BIND": "127.0.0.1:0"}
        database = f"{self.postgres.place}/postgres"
        self.nodes, self.metrics = [], []
        for _ in range(self.count):
            node = Server(self.binary, self.folder.name, database=database, redis=redis, settings=settings)
            self.nodes.append(node)
            self.metrics.append(node.metrics())
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.process.terminate()
            node.process.wait()
        for keeper in filter(None, [self.redis, self.postgres]):
            keeper.close()
        self.folder.cleanup()

    def cpu(self, number):
        return cpu_time(self.nodes[number].process)

    def series(self, number, name):
        """Returns the sum of a metric's values of a node."""
        text = urllib.request.urlopen(self.metrics[number]).read().decode()
        values = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith((name + " ", name + "{"))]
        return sum(map(float, values))

    def reads(self, number):
        return self.series(number, "greenroom_reader_query_seconds_count")

    def url(self, number):
        return "http://%s:%s" % self.nodes[number].address


def rooms(generator, key, urls, *args):
    """Starts the load generator."""
    places = [part for url in urls for part in ("--url", url)]
    command = [generator, "load", "rooms", *places, *map(str, args), "--json", "-"]
    return subprocess.Popen(command, env=os.environ | {"GREENROOM_LOAD_TOKEN": key}, stdout=subprocess.PIPE, text=True)


def figures(process):
    text, _ = process.communicate()
    found = json.loads(text)
    checks = {name: found["checks"].get(name) for name in ("lost", "twice", "out_of_order") if found["checks"].get(name)}
    assert process.returncode == 0 and not checks, (checks, found["errors"])
    return found


def sent(found):
    return next(part for part in found["operations"] if part["name"] == "send")["per_second"]


def chats(options, binary, nodes, placement):
    """Runs two load generators at once. Returns the posts a second of both together."""
    with Nodes(binary, nodes) as fleet:
        asyncio.run(host_of(fleet.nodes[0]))
        key = fleet.nodes[0].run("token", "create", "host")
        urls = [fleet.url(number) for number in range(nodes)]
        args = ["--rooms", 50, "--members", 2, "--senders", 16, "--closed", "--duration", options.seconds, "--warmup", 3]
        loads = [
            rooms(options.generator, key, urls if placement == "across" else [urls[number % nodes]], *args) for number in range(2)
        ]
        return sum(sent(figures(load)) for load in loads)


def measure_chats(options):
    for placement in ("apart", "across"):
        cases = [(binary, nodes) for binary in options.binaries for nodes in ((1, 2) if placement == "apart" else (2,))]
        rates = {case: [] for case in cases}
        for _ in range(options.turns):
            for case in cases:
                rates[case].append(chats(options, *case, placement))
                print(f"{placement}: {case[0]}, {case[1]} nodes: {rates[case][-1]:,.0f} posts a second", flush=True)
        middle = {case: statistics.median(found) for case, found in rates.items()}
        for binary in options.binaries:
            if placement == "apart":
                print(f"apart: {binary}: two nodes / one {middle[binary, 2] / middle[binary, 1]:.2f}", flush=True)
            elif binary != options.binaries[0]:
                print(f"across: {options.binaries[0]} / {binary} {middle[options.binaries[0], 2] / middle[binary, 2]:.2f}", flush=True)


async def idle_node(binary):
    with Nodes(binary, 2) as fleet:
        host = await host_of(fleet.nodes[0])
        crowd = await people(host, USERS)
        for number, person in enumerate(crowd):
            for step in range(1, 4):
                partner = crowd[(number + step) % USERS]
                await person.call("POST", "chats/", {"chat_type": "dm", "member_ids": [partner.id]})
        await asyncio.sleep(8)

        async def costs(what, events, work):
            before, reads, at = fleet.cpu(1), fleet.reads(1), time.monotonic()
            await work
            await asyncio.sleep(8)
            took, cost, read = time.monotonic() - at, fleet.cpu(1) - before, fleet.reads(1) - reads
            if not events:
                idle[:] = cost / took, read / took
                print(f"  idle: {idle[0] * 1e6:.0f} us of CPU and {idle[1]:.2f} reads a second", flush=True)
                return
            cost, read = cost - idle[0] * took, read - idle[1] * took
            print(f"  {what}: {events} events, {cost / events * 1e6:.2f} us of CPU and {read / events:.3f} reads each", flush=True)

        idle = []
        await costs("nothing", 0, asyncio.sleep(12))
        group = await crowd[0].group(crowd[1:10])

        async def posts():
            async def some(person):
                for _ in range(500):
                    await person.posts(group, "a message of some words, as people write them")
            await asyncio.gather(*map(some, crowd[:10]))

        async def connections():
            sockets = []
            for person in crowd:
                sockets.append(await person.listens())
            for each in sockets:
                each.drop()

        async def groups():
            for number in range(500):
                await crowd[number % USERS].group([crowd[(number + step) % USERS] for step in range(1, 4)])

        async def names():
            for number, person in enumerate(crowd):
                await host.call("PATCH", f"users/{person.id}/", {"first_name": f"New {number}"})

        async def endings():
            for person in crowd[1:]:
                await host.call("DELETE", f"users/{person.id}/tokens/")

        await costs("a post", 5_000, posts())
        await costs("a user comes and goes", USERS, connections())
        await costs("a group of four", 500, groups())
        await costs("a new name", USERS, names())
        await costs("the end of a user's tokens", USERS - 1, endings())


def measure_idle_node(options):
    for _ in range(options.turns):
        for binary in options.binaries:
            print(f"idle node: {binary}", flush=True)
            asyncio.run(idle_node(binary))


def measure_reconcile(options):
    for binary in options.binaries:
        with Nodes(binary, 2) as fleet:
            asyncio.run(host_of(fleet.nodes[0]))
            key = fleet.nodes[0].run("token", "create", "host")
            args = ["--rooms", 1_000, "--members", 10, "--users", 1_000, "--rate", 0.1, "--duration", 60, "--warmup", 3]
            load = rooms(options.generator, key, [fleet.url(0)], *args)
            while fleet.series(0, "greenroom_connected_users") < 1_000:
                time.sleep(0.5)
            time.sleep(8)
            for what, command in (("connected to Redis", None), ("without Redis", "kill")):
                if command:
                    fleet.redis.command(command)
                    time.sleep(4)
                before = [(fleet.cpu(number), fleet.reads(number)) for number in range(2)]
                time.sleep(20)
                for number, (used, reads) in enumerate(before):
                    users = "1,000 users in 1,000 chats" if number == 0 else "no user"
                    used, reads = fleet.cpu(number) - used, fleet.reads(number) - reads
                    print(f"{binary}: {what}, {users}: {used / 20 * 1e3:.2f} ms of CPU and {reads / 20:.2f} reads a second", flush=True)
            load.terminate()
            load.wait()


class RedisClient:
    """A connection to Redis that only counts what it receives."""

    def __init__(self, place):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(place)
        self.send("HELLO", "3")
        self.socket.recv(1 << 16)

    def send(self, *commands):
        parts = [f"${len(part)}\r\n{part}\r\n" for part in commands]
        self.socket.sendall(f"*{len(commands)}\r\n{''.join(parts)}".encode())

    def info(self):
        self.send("INFO")
        text = b""
        while b"used_cpu_user:" not in text or not text.endswith(b"\r\n"):
            text += self.socket.recv(1 << 20)
        pairs = dict(line.split(":", 1) for line in text.decode(errors="replace").splitlines() if ":" in line)
        return int(pairs["used_memory"]), float(pairs["used_cpu_user"]) + float(pairs["used_cpu_sys"])

    def skip(self):
        """Reads what has arrived."""
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(1 << 20, socket.MSG_DONTWAIT):
                pass

    def many(self, command, names, *rest, receivers=()):
        """Sends a command for each name, in pipelines of 256, and waits for all answers. Empties the receivers."""
        for first in range(0, len(names), 256):
            some = names[first:first + 256]
            words = lambda name: [command, name, *rest]
            text = "".join(f"*{len(words(name))}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words(name)) for name in some)
            self.socket.sendall(text.encode())
            answers, rest_of_end, end = 0, b"", b"\r\n:" if command.endswith("SUBSCRIBE") else b":"
            while answers < len(some):
                data = rest_of_end + self.socket.recv(1 << 20)
                answers += data.count(end)
                rest_of_end = data[len(data) - len(end) + 1:]
            for receiver in receivers:
                receiver.skip()


def measure_redis(_):
    for count in (10_000, 100_000):
        redis = Keeper("redis.sh")
        with contextlib.closing(redis):
            watch, nodes = RedisClient(redis.place), [RedisClient(redis.place) for _ in range(2)]
            names = [f"greenroom:0123456789abcdef:chat:{number}" for number in range(count)]
            for what, node in zip(("first", "second"), nodes):
                memory, used = watch.info()
                node.many("SSUBSCRIBE", names)
                now, after = watch.info()
                print(f"redis: {count:,} channels, {what} subscriber: {(now - memory) / count:.0f} bytes and {(after - used) / count * 1e6:.2f} us of CPU each", flush=True)
            publisher = RedisClient(redis.place)
            for what, kind in (("nobody", "user"), ("two subscribers", "chat")):
                _, used = watch.info()
                places = [f"greenroom:0123456789abcdef:{kind}:{number}" for number in range(count)]
                publisher.many("SPUBLISH", places, "x" * 600, receivers=nodes)
                _, after = watch.info()
                print(f"redis: {count:,} messages of 600 bytes to {what}: {(after - used) / count * 1e6:.2f} us of CPU each", flush=True)
            memory, used = watch.info()
            nodes[1].many("SUNSUBSCRIBE", names)
            now, after = watch.info()
            print(f"redis: {count:,} channels, unsubscribing: {(memory - now) / count:.0f} bytes back, {(after - used) / count * 1e6:.2f} us of CPU each", flush=True)


MEASUREMENTS = {"chats": measure_chats, "idle-node": measure_idle_node, "reconcile": measure_reconcile, "redis": measure_redis}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=8, help="how long posts are measured (default: %(default)s)")
    parser.add_argument("--binary", action="append", dest="binaries", help="a program; several are compared (default: target/release/greenroom)")
    parser.add_argument("measurement", choices=MEASUREMENTS)
    options = parser.parse_args()
    options.binaries = [str(pathlib.Path(binary).resolve()) for binary in options.binaries or ["target/release/greenroom"]]
    options.generator = options.binaries[0]
    MEASUREMENTS[options.measurement](options)


if __name__ == "__main__":
    main()
