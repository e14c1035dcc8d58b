"""A backup of a large database during writes: it hardly delays writers, and is a consistent snapshot."""

import asyncio
import os
import sqlite3
import time

from people import Server, host_of, people
from table import percentile

WRITERS = 16
SECONDS = 10
MIB = 1 << 20


class Load:
    """Users who post sequentially, and the latency of each message."""

    def __init__(self, writers, chats, rate):
        self.writers, self.chats, self.rate = writers, chats, rate
        self.acknowledged = {}
        self.delays = []

    async def run(self, until):
        await asyncio.gather(*(self.write(number, until) for number in range(len(self.writers))))

    async def write(self, number, until):
        """Posts at a rate, or without one as fast as answers arrive."""
        begun, count = time.monotonic(), 0
        while not until.is_set():
            due = begun + (count + number / len(self.writers)) * len(self.writers) / self.rate if self.rate else 0
            await asyncio.sleep(max(0, due - time.monotonic()))
            start = time.monotonic()
            body = {"content": "x" * 200, "client_id": f"{self.rate}-{number}-{count}"}
            path = f"chats/{self.chats[count % len(self.chats)]}/messages/"
            message = await self.writers[number].call("POST", path, body)
            self.acknowledged[message["id"]] = body["client_id"]
            self.delays.append((time.monotonic() - (due or start)) * 1_000)
            count += 1

    def take(self):
        """Returns the 50th and 99th percentile in milliseconds, and the number of messages, since the last call."""
        delays, self.delays = self.delays, []
        return percentile(delays, 0.5), percentile(delays, 0.99), len(delays)


def make_large(folder, size):
    """Fills a database with meaningless rows while no server uses it."""
    database = sqlite3.connect(f"{folder}/stress.db")
    now = time.time_ns() // 1_000
    rows = ((f"ballast {number}", os.urandom(500).hex(), now) for number in range(size // 1_100))
    database.executemany("INSERT INTO event_cursors (name, user_id, heads, created_at) VALUES (?, 0, ?, ?)", rows)
    database.commit()
    database.close()
    # Posts must not wait until these rows reach the disk.
    os.sync()


async def run(binary, folder, table, size=500 * MIB):
    with Server(binary, folder) as server:
        host = await host_of(server)
        writers = await people(host, WRITERS)
        chats = [await writers[0].group(writers[1:]) for _ in range(4)]
    make_large(folder, size)
    with Server(binary, folder) as server:
        for writer in writers:
            writer.address = writer.http.address = server.address
            writer.http.close()
        for rate in (200, None):
            copy = f"{folder}/copy-{rate}.db"
            await copy_under(server, Load(writers, chats, rate), copy, table)
    check(binary, copy, table)


async def copy_under(server, load, copy, table):
    stop = asyncio.Event()
    running = asyncio.create_task(load.run(stop))
    await asyncio.sleep(SECONDS)
    before, begun = load.take(), time.monotonic()
    acknowledged = set(load.acknowledged)
    environment = dict(server.environment)
    backup = await asyncio.create_subprocess_exec(server.binary, "backup", copy, env=environment,
                                                  stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    code = await backup.wait()
    took, during = time.monotonic() - begun, load.take()
    await asyncio.sleep(SECONDS)
    after = load.take()
    stop.set()
    await running
    what = f"{load.rate} messages a second" if load.rate else "flat out"
    size = os.path.getsize(copy) / MIB
    table.add(f"copying under {what}", f"exit {code}, {size:.0f} MiB in {took:.1f} s", "exit 0", code == 0)
    shown = ", ".join(f"{p50:.1f} / {p99:.1f} ms" for p50, p99, _ in (before, during, after))
    rates = ", ".join(f"{count / seconds:.0f}" for count, seconds in
                      ((before[2], SECONDS), (during[2], took), (after[2], SECONDS)))
    table.add(f"posting under {what}, p50 / p99 before, during, after", shown, "p99 during < 2x, or < 20 ms",
              during[1] < max(2 * before[1], 20))
    table.add(f"messages a second under {what}, before, during, after", rates, "-", True)
    compare(load, acknowledged, copy, what, table)


def compare(load, acknowledged, copy, what, table):
    """Asserts that the copy has all messages up to one moment, and none after it."""
    database = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
    prefix = f"{load.rate}-%"
    stored = dict(database.execute("SELECT id, client_id FROM messages WHERE client_id LIKE ?", (prefix,)))
    database.close()
    last = max(stored, default=0)
    expected = {number: key for number, key in load.acknowledged.items() if number <= last}
    missing = len(acknowledged - set(stored))
    table.add(f"messages in the copy under {what}", f"{len(stored)}, {missing} of those before it are missing",
              "a beginning of what was acknowledged", stored == expected and not missing)


def check(binary, copy, table):
    """Serves the copy, and asserts that `greenroom check` finds no difference."""
    folder = f"{copy}.served"
    os.mkdir(folder)
    os.rename(copy, f"{folder}/stress.db")
    with Server(binary, folder) as server:
        report = server.run("check").splitlines()[-1]
    table.add("the copy, served and checked", report, "0 differences", report.endswith(" 0 differences found"))
