"""Stops under load, one after the other: each ends with 0, says nothing of panics, and leaves a file that is whole by itself."""

import asyncio
import contextlib
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import time

from endings import Writer
from people import Closed, Http, Server, host_of, people
from slow import slow_socket
from table import percentile, until

CROWD = 12
WRITERS = 6

# The longest that a stop may take.
ENDS_WITHIN = 10.0


class Stage:
    """People and chats of one database, whichever server has it."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.log = pathlib.Path(folder) / "log"
        self.acknowledged = {}

    def serve(self, redis=None):
        return Server(self.binary, self.folder, log="warn", errors=self.log.open("wb"), redis=redis)

    async def fill(self):
        with self.serve() as server:
            self.host = await host_of(server)
            self.crowd = await people(self.host, CROWD)
            self.writers = await people(self.host, WRITERS)
            self.heard = await self.host.group([*self.crowd, *self.writers])
            self.room = (await self.host.call("POST", "chats/", {"chat_type": "room", "title": "Big"}))["id"]
            for person in self.crowd:
                await person.call("POST", f"chats/{self.room}/join/", {})
            server.process.terminate()
            server.process.wait()

    def move_to(self, address):
        for person in (self.host, *self.crowd, *self.writers):
            person.address = person.http.address = address
            person.http.close()


class Load:
    """All kinds of clients at once, until the server is gone."""

    def __init__(self, stage, number):
        self.stage, self.number = stage, number
        self.writing, self.tasks, self.raw = [], [], []

    async def begin(self):
        stage = self.stage
        sockets = [await person.listens() for person in stage.crowd for _ in range(4)]
        self.tasks = [asyncio.ensure_future(one.closes(60)) for one in sockets]
        for person in stage.crowd:
            self.tasks.append(asyncio.ensure_future(self.polls(person.again())))
            self.tasks.append(asyncio.ensure_future(self.streams(person)))
            self.tasks.append(asyncio.ensure_future(self.searches(person.again())))
        if self.number % 3 == 0:
            self.raw = [(await slow_socket(person))[0] for person in stage.crowd[:4]]
        chats = [stage.heard, stage.room]
        self.writing = [Writer(person, chats[turn % 2], f"{self.number}-{turn}")
                        for turn, person in enumerate([*stage.writers, stage.host])]
        self.writing[-1].chat = stage.room
        self.writing = [one for one in self.writing if one.chat == stage.heard or one.http is stage.host.http]
        self.tasks += [asyncio.ensure_future(writer.run()) for writer in self.writing]

    async def polls(self, person):
        with contextlib.suppress(OSError):
            while True:
                await person.http.call("POST", "/messages/api/sync/", {"wait": 20})
                await asyncio.sleep(0)

    async def searches(self, person):
        with contextlib.suppress(OSError):
            while True:
                await person.http.call("GET", "/messages/api/search/?q=1")

    async def streams(self, person):
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*person.address)
            writer.write(f"GET /messages/api/events/ HTTP/1.1\r\nHost: x\r\n{person.header}\r\n\r\n".encode())
            while await reader.read(1 << 16):
                pass
            writer.close()

    async def end(self):
        """Every client has seen the end of its connection."""
        _, left = await asyncio.wait(self.tasks, timeout=20)
        for task in left:
            task.cancel()
        for raw in self.raw:
            raw.close()
        for writer in self.writing:
            self.stage.acknowledged |= writer.acknowledged
        return len(left)


async def stop(stage, number, log=None):
    """One start and stop. Returns what was wrong, and how long the stop took."""
    wrong = []
    with stage.serve() as server:
        stage.move_to(server.address)
        load = Load(stage, number)
        await load.begin()
        await asyncio.sleep(random.uniform(0, 0.5))
        begun = time.monotonic()
        server.process.send_signal([signal.SIGTERM, signal.SIGINT][number % 2])
        if await until(lambda: server.process.poll() is not None, 20, 0.002) is None:
            wrong.append("no end")
        took = time.monotonic() - begun
        wrong += look_at_file(stage, load)
        left = await load.end()
        if left:
            wrong.append(f"{left} clients left")
        if server.process.returncode != 0:
            wrong.append(f"exit {server.process.returncode}")
    text = stage.log.read_text()
    if text:
        wrong.append(text)
    return wrong, took


def look_at_file(stage, load):
    copy = f"{stage.folder}/copy.db"
    shutil.copyfile(f"{stage.folder}/stress.db", copy)
    database = sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)
    stored = {key for key, in database.execute("SELECT client_id FROM messages WHERE client_id LIKE ?", (f"{load.number}-%",))}
    database.close()
    missing = {key for one in load.writing for key in one.acknowledged} - stored
    return [f"{len(missing)} messages are not in the file"] if missing else []


async def run(binary, folder, table, count=50):
    stage = Stage(binary, folder)
    await stage.fill()
    bad, times = [], []
    for number in range(count):
        wrong, took = await stop(stage, number)
        times.append(took)
        if wrong:
            print(f"stop {number}: {'; '.join(wrong)}", flush=True)
            bad.append(number)
    table.add(f"{count} stops under load", f"{len(bad)} went wrong", "0", not bad)
    table.add("how long they took, p50, most", f"{percentile(times, .5):.2f} s, {max(times):.2f} s", f"< {ENDS_WITHIN} s", max(times) < ENDS_WITHIN)
