"""Clients that do not read, in a chat with a hundred messages a second: they are closed without affecting other clients."""

import asyncio
import contextlib
import socket
import statistics
import time

from people import Closed, people
from table import MIB, kernel_memory, mib, percentile, until


class HotRoom:
    """A chat with a hundred messages a second, and the delays of clients that read."""

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
        """Posts for some seconds. Returns the 99th percentile of the delays of each second in milliseconds, sorted."""
        self.delays.clear()
        start = time.monotonic()
        await self.post(seconds)
        await asyncio.sleep(0.3)
        by_second = [[] for _ in range(seconds)]
        for due, delay in self.delays:
            by_second[min(int(due - start), seconds - 1)].append(delay * 1_000)
        return sorted(percentile(delays, 0.99) for delays in by_second)


async def slow_socket(person):
    """Opens a socket that never reads, with the smallest receive buffer. Returns it and its port."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, person.address)
    await loop.sock_sendall(raw, person.socket().request())
    return raw, raw.getsockname()[1]


class Watch:
    """Records for each connection when its kernel buffers were full, and when the server closed it."""

    def __init__(self, server, ports):
        self.server, self.ports = server, set(ports)
        self.queued, self.stuck, self.ended = {}, {}, {}
        self.kernel = 0

    async def run(self):
        while len(self.ended) < len(self.ports):
            # In another thread, so that it does not affect the delays.
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
        """Returns, for each connection, the seconds from when its oldest event had waited five seconds until the end."""
        return [ended - self.stuck[port] - 5 for port, ended in self.ended.items() if port in self.stuck]


class Before:
    """Memory of the server and the kernel at one moment, for comparison."""

    def __init__(self, server, kept):
        self.server = server
        server.forget_peak()
        self.memory, self.kernel, self.files = max(server.memory(), kept), kernel_memory(), server.files()

    def growth(self):
        """Returns the growth of the server's memory: at its peak, and now."""
        return self.server.memory("VmHWM") - self.memory, self.server.memory() - self.memory


async def crowd(server, host, table, count, calm_seconds=8, most_left=64 * MIB, name=None, kept=0):
    """`kept`: memory that the server used before, which the allocator may have returned or kept."""
    author, *readers = await people(host, 4)
    slow = await people(host, count)
    room = HotRoom(author, await author.group([*readers, *slow]))
    listeners = [await reader.listens() for reader in readers]
    reading = [asyncio.ensure_future(room.read(listener)) for listener in listeners]
    await room.post(2)
    # Watch sockets here too, since watching takes time itself.
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
    table.add(f"{name}: p99 of reading clients", f"{calm:.1f} ms before, {during:.1f} during", "+10 %, or < 20 ms",
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
    # The allocator may keep memory for the next crowd.
    second = await crowd(server, host, table, 200, 2, name="200 more")
    await crowd(server, host, table, 200, 2, 4 * MIB, "another 200", max(first, second))
