"""Readers who do not read, in a chat that gets a hundred messages a second: they go, and nobody else notices."""

import asyncio
import contextlib
import socket
import statistics
import time

from people import Closed, people
from table import MIB, kernel_memory, mib, percentile, until


class HotRoom:
    """A chat that gets a hundred messages a second, and how long they take to those who read."""

    def __init__(self, author, chat, size=1_500):
        self.author, self.chat, self.padding = author, chat, "x" * size
        self.delays = []

    async def post(self, seconds, rate=100):
        start = time.monotonic()
        for number in range(int(seconds * rate)):
            due = start + number / rate
            await asyncio.sleep(max(0, due - time.monotonic()))
            await self.author.posts(self.chat, f"{due} {self.padding}")

    async def read(self, listener):
        with contextlib.suppress(Closed, asyncio.CancelledError):
            while True:
                event = await listener.event(60)
                if event["type"] == "new_message":
                    due = float(event["message"]["content"].split()[0])
                    self.delays.append((due, time.monotonic() - due))

    async def measure(self, seconds):
        """Posts for so long; the 99th percentile of the delays in each second, in milliseconds, lowest first."""
        self.delays.clear()
        start = time.monotonic()
        await self.post(seconds)
        await asyncio.sleep(0.3)
        by_second = [[] for _ in range(seconds)]
        for due, delay in self.delays:
            by_second[min(int(due - start), seconds - 1)].append(delay * 1_000)
        return sorted(percentile(delays, 0.99) for delays in by_second)


async def slow_socket(person):
    """A socket whose client never reads, with the smallest of buffers; returns it and its port."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, person.address)
    await loop.sock_sendall(raw, person.socket().request())
    return raw, raw.getsockname()[1]


class Watch:
    """When the kernel could take no more for each of some connections, and when the server let go of them."""

    def __init__(self, server, ports):
        self.server, self.ports = server, set(ports)
        self.queued, self.stuck, self.ended = {}, {}, {}
        self.kernel = 0

    async def run(self):
        while len(self.ended) < len(self.ports):
            # Elsewhere, or it would show in the delays.
            rows = await asyncio.to_thread(self.server.connections)
            self.look(time.monotonic(), rows)
            self.kernel = max(self.kernel, kernel_memory())
            await asyncio.sleep(0.05)

    def look(self, now, rows):
        for port in self.ports - self.ended.keys():
            state, queued = rows.get(port, ("gone", 0))
            if state != "01":
                self.ended[port] = now
            elif queued > self.queued.get(port, 0):
                self.queued[port], self.stuck[port] = queued, now

    def after_the_limit(self):
        """Seconds from when the oldest event had waited for five seconds to the end, for each connection."""
        return [ended - self.stuck[port] - 5 for port, ended in self.ended.items() if port in self.stuck]


class Before:
    """What the server and the kernel hold, to be compared with later."""

    def __init__(self, server, kept):
        self.server = server
        server.forget_peak()
        self.memory, self.kernel, self.files = max(server.memory(), kept), kernel_memory(), server.files()

    def growth(self):
        """Of the server's memory: at its peak, and what is left of it."""
        return self.server.memory("VmHWM") - self.memory, self.server.memory() - self.memory


async def crowd(server, host, table, count, calm_seconds=8, most_left=64 * MIB, name=None, kept=0):
    """`kept`: what the server has had before, and the allocator may have given back or not."""
    author, *readers = await people(host, 4)
    slow = await people(host, count)
    room = HotRoom(author, await author.group([*readers, *slow]))
    listeners = [await reader.listens() for reader in readers]
    reading = [asyncio.ensure_future(room.read(listener)) for listener in listeners]
    await room.post(2)
    # Watched as well, since watching takes time too.
    watching = asyncio.ensure_future(Watch(server, [listener.port() for listener in listeners]).run())
    calm = await room.measure(calm_seconds)
    watching.cancel()
    before = Before(server, kept)
    opened = [await slow_socket(person) for person in slow]
    watch = Watch(server, [port for _, port in opened])
    watching = asyncio.ensure_future(watch.run())
    during = await room.measure(10)
    in_time = await until(watching.done, 5)
    await asyncio.sleep(0.5)
    [task.cancel() for task in reading]
    report(table, name or f"{count} slow reader{'s' if count > 1 else ''}", (calm, during), watch, in_time is not None)
    report_memory(table, name or f"{count} slow", before, watch, most_left)
    [raw.close() for raw, _ in opened]
    return server.memory()


def report(table, name, delays, watch, in_time):
    calm, during = (statistics.median(seconds) for seconds in delays)
    worst_calm, worst_during = (seconds[-1] for seconds in delays)
    late = max(watch.after_the_limit(), default=99)
    table.add(f"{name}: p99 of who reads", f"{calm:.1f} ms before, {during:.1f} during", "+10 %, or < 20 ms",
              during < max(calm * 1.1, 20))
    table.add(f"{name}: the same, worst second", f"{worst_calm:.1f} ms before, {worst_during:.1f} during", "< 250 ms",
              worst_during < 250)
    table.add(f"{name}: cut", f"{len(watch.ended)} of {len(watch.ports)}, {late:.1f} s after the limit", "all, < 5 s",
              in_time and late < 5)


def report_memory(table, name, before, watch, most_left):
    peak, left = before.growth()
    after, files = kernel_memory(), before.server.files() - before.files
    table.add(f"{name}: memory", f"peak {mib(peak)} more, then {mib(left)} more", f"then < {mib(most_left)}", left < most_left)
    table.add(f"{name}: kernel's memory", f"{mib(before.kernel)}, {mib(watch.kernel)}, then {mib(after)}",
              "then as before", after < before.kernel + 2 * MIB)
    table.add(f"{name}: descriptors", f"{files:+d} then", "none left", files <= 0)


async def run(server, host, table):
    await crowd(server, host, table, 1, most_left=16 * MIB)
    first = await crowd(server, host, table, 200)
    # Memory that was used once may be kept, for the next ones.
    second = await crowd(server, host, table, 200, 2, name="200 more")
    await crowd(server, host, table, 200, 2, 4 * MIB, "another 200", max(first, second))
