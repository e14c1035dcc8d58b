"""Repeated shutdowns under load: each exits with 0, logs no warning, and leaves a complete database file without a WAL."""

import asyncio
import contextlib
import pathlib
import random
import shutil
import signal
import sqlite3
import time

from endings import Writer
from people import Http, Server, host_of, people
from slow import slow_socket
from table import percentile, until

CROWD = 12
WRITERS = 6

# Longest duration of a stop, in seconds.
ENDS_WITHIN = 10.0


class Stage:
    """Users and a chat in one database, served by one server after the other."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.log = pathlib.Path(folder) / "log"

    def serve(self):
        with self.log.open("wb") as log:
            return Server(self.binary, self.folder, log="warn", errors=log)

    async def fill(self):
        with self.serve() as server:
            self.host = await host_of(server)
            self.crowd = await people(self.host, CROWD)
            self.writers = await people(self.host, WRITERS)
            self.chat = await self.host.group([*self.crowd, *self.writers])
            server.process.terminate()
            server.process.wait()

    def move_to(self, address):
        for person in (self.host, *self.crowd, *self.writers):
            person.address = person.http.address = address
            person.http.close()

    def stored(self, number):
        """Returns the keys of a load's messages in a copy of the main file alone."""
        copy = f"{self.folder}/copy.db"
        shutil.copyfile(f"{self.folder}/stress.db", copy)
        with contextlib.closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = database.execute("SELECT client_id FROM messages WHERE client_id LIKE ?", (f"{number}-%",))
            return {key for key, in rows}


class Load:
    """Runs all kinds of clients at once, until the server has stopped."""

    def __init__(self, stage, number):
        self.stage, self.number = stage, number
        self.writers, self.tasks, self.stuck = [], [], []

    async def begin(self):
        stage = self.stage
        sockets = [await person.listens() for person in stage.crowd for _ in range(4)]
        clients = [socket.closes(60) for socket in sockets]
        for person in stage.crowd:
            clients += [self.scope(person, "POST", "sync/", {"wait": 20}), self.scope(person, "GET", "search/?q=1"),
                        self.streams(person)]
        if self.number % 3 == 0:
            # Clients that do not read delay the shutdown.
            self.stuck = [(await slow_socket(person))[0] for person in stage.crowd[:4]]
        self.writers = [Writer(person, stage.chat, f"{self.number}-{turn}") for turn, person in enumerate(stage.writers)]
        clients += [writer.run() for writer in self.writers]
        self.tasks = [asyncio.ensure_future(client) for client in clients]

    async def asks(self, person, method, path, body=None):
        http = Http(person.address, person.header)
        with contextlib.suppress(OSError):
            while True:
                await http.call(method, f"/messages/api/{path}", body)

    async def streams(self, person):
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*person.address)
            writer.write(f"GET /messages/api/events/ HTTP/1.1\r\nHost: x\r\n{person.header}\r\n\r\n".encode())
            while await reader.read(1 << 16):
                pass
            writer.close()

    async def end(self):
        """Returns how many clients have not seen their connection end."""
        _, left = await asyncio.wait(self.tasks, timeout=20)
        for task in left:
            task.cancel()
        for raw in self.stuck:
            raw.close()
        return len(left)

    def acknowledged(self):
        return {key for writer in self.writers for key in writer.acknowledged}


async def lists_users(server):
    """Runs a process that opens the file and ends, repeatedly."""
    while True:
        await asyncio.to_thread(server.run, "user", "list")


async def reads(stage, seconds):
    """Holds a read transaction for `seconds`, and keeps the file open until it is cancelled."""
    with contextlib.closing(sqlite3.connect(f"{stage.folder}/stress.db", isolation_level=None)) as database:
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM messages").fetchone()
        await asyncio.sleep(seconds)
        database.execute("COMMIT")
        await asyncio.Event().wait()


def company(stage, server, number):
    """Starts a reader that has the file open while the server stops."""
    kinds = {1: lambda: lists_users(server), 2: lambda: reads(stage, 0), 3: lambda: reads(stage, 2)}
    return [asyncio.ensure_future(kinds[number % 4]())] if number % 4 else []


async def stop(stage, number):
    """Starts and stops a server once. Returns the faults, the duration of the stop, and the number of acknowledged messages."""
    wrong = []
    with stage.serve() as server:
        stage.move_to(server.address)
        load = Load(stage, number)
        await load.begin()
        others = company(stage, server, number)
        await asyncio.sleep(random.uniform(0.1, 0.6))
        begun = time.monotonic()
        server.process.send_signal([signal.SIGTERM, signal.SIGINT][number % 2])
        ended = await until(lambda: server.process.poll() is not None, 2 * ENDS_WITHIN, 0.002)
        took = time.monotonic() - begun
        if server.process.returncode != 0:
            wrong.append("no end" if ended is None else f"exit code {server.process.returncode}")
        stored, left = stage.stored(number), await load.end()
        if left:
            wrong.append(f"{left} clients wait for the end")
        missing = load.acknowledged() - stored
        if missing:
            wrong.append(f"{len(missing)} messages are not in the file")
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    wrong += stage.log.read_text().splitlines()
    return wrong, took, len(load.acknowledged())


async def run(binary, folder, table, count=50):
    stage = Stage(binary, folder)
    await stage.fill()
    bad, times, messages = 0, [], 0
    for number in range(count):
        wrong, took, acknowledged = await stop(stage, number)
        times.append(took)
        messages += acknowledged
        if wrong:
            bad += 1
            print(f"stop {number}: {'; '.join(wrong)}", flush=True)
    table.add(f"{count} stops: exit code, log, file", f"{bad} wrong, {messages} messages", "0 wrong", bad == 0)
    table.add("stops: p50, longest", f"{percentile(times, 0.5):.1f} s, {max(times):.1f} s", f"< {ENDS_WITHIN:.0f} s",
              max(times) < ENDS_WITHIN)
