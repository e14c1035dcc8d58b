"""Attacks by one user, or from one address: the latency of another user's posts and list of chats during each.

Each attack lasts some seconds. The same requests are measured right before it without an attack. During the attack the 99th
percentile may be at most three times as long, and there may be no 503. The attackers share the machine with the server. They
run at the lowest priority, so that the victim waits for the server and not for the attackers' own work. The report names the
CPU time of each process.
"""

import asyncio
import contextlib
import multiprocessing
import os
import pathlib
import sqlite3
import time

from people import FIN, TEXT, Http, Server, Socket, frame, host_of, people, somebody
from table import percentile

# Duration of each attack, and of the measurement without one, in seconds.
SECONDS = 5.0
# Highest ratio of the victim's latency during an attack to that without one.
RATIO = 3.0
# Users with similar names, members of a large room, and chats of one user, who has reached the limit.
USERS, CROWD, CHATS = 50_000, 20_000, 5_000
# Pause of the victim between two rounds.
PAUSE = 0.02
PREFIX = "/messages/api/"


class Victim:
    """A user who posts and lists chats, over two connections."""

    def __init__(self, person, chat):
        self.poster, self.lister, self.chat = person, person.again(), chat

    async def measure(self, seconds):
        """Returns the 99th percentiles of posting and listing in milliseconds, and the number of failed requests."""
        self.failed, end = [], time.monotonic() + seconds
        body = {"content": "hello"}
        posts, lists = await asyncio.gather(
            self.ask(self.poster, "POST", f"chats/{self.chat}/messages/", body, end),
            self.ask(self.lister, "GET", "chats/", None, end),
        )
        return percentile(posts, 0.99), percentile(lists, 0.99), self.failed

    async def ask(self, person, method, path, body, end):
        times = []
        while time.monotonic() < end:
            begun = time.perf_counter()
            status, _, _ = await person.http.call(method, PREFIX + path, body)
            times.append((time.perf_counter() - begun) * 1_000)
            if status not in (200, 201):
                self.failed.append(status)
            await asyncio.sleep(PAUSE)
        return times


class Attack:
    """Requests that one user repeats on many connections, in a separate process, until it is ended."""

    def __init__(self, name, connections, work, by="attacker"):
        self.name, self.connections, self.work, self.by = name, connections, work, by

    async def run(self, stage):
        await asyncio.gather(*(self.one(stage, number) for number in range(self.connections)))

    async def one(self, stage, number):
        turn = 0
        while True:
            # Continue after connections that the server closes or rejects.
            with contextlib.suppress(OSError, AssertionError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError):
                await self.work(stage, number, turn)
            turn += 1
            await asyncio.sleep(0)


# Increment of the attackers' nice value.
LOWER = 19


def in_process(attack, stage):
    """Starts an attack in a process that ends with this one."""
    def work():
        os.nice(LOWER)
        asyncio.run(attack.run(stage))

    process = multiprocessing.Process(target=work, daemon=True)
    process.start()
    return process


def used(process):
    """Returns the CPU time of a process, in seconds."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stage:
    """The attackers' fixtures: the address, their tokens, chats and rooms."""

    def __init__(self, server, attacker, victim, group, room, crowded):
        self.address, self.header, self.id = server.address, attacker.header, attacker.id
        self.victim, self.group, self.room, self.crowded = victim, group, room, crowded
        self.connections = {}

    async def ask(self, number, method, path, body=None):
        """Sends a request over the connection with this number."""
        http = self.connections.setdefault(number, Http(self.address, self.header))
        try:
            status, answer, headers = await http.call(method, PREFIX + path, body)
        except (OSError, asyncio.TimeoutError):
            http.close()
            raise
        if status == 429 and "retry-after" in headers:
            # An attacker ignores `Retry-After`.
            await asyncio.sleep(0.005)
        return answer


def searches(*paths):
    async def work(stage, number, turn):
        path = paths[turn % len(paths)].format(chat=stage.group, room=stage.crowded)
        await stage.ask(number, "GET", path)
    return work


MANY_WORDS = "%20".join("abcdefghijklmnopqrstuvwxyz"[at:at + 1] + "e" for at in range(26))


async def registers(stage, number, turn):
    """Registers a name that is taken: each attempt would cost a password hash."""
    http = stage.connections.setdefault(number, Http(stage.address))
    body = {"username": "victim", "password": "a long enough password"}
    status, _, _ = await http.call("POST", "/register/", body)
    if status == 429:
        await asyncio.sleep(0.005)


async def signs_in(stage, number, turn):
    http = stage.connections.setdefault(number, Http(stage.address))
    await http.call("POST", "/login/", {"username": f"nobody{number}-{turn}", "password": "a wrong password"})


async def opens_streams(stage, number, turn):
    """Opens event streams and drops them."""
    reader, writer = await asyncio.open_connection(*stage.address)
    writer.write(f"GET {PREFIX}events/ HTTP/1.1\r\nHost: x\r\n{stage.header}\r\n\r\n".encode())
    await asyncio.wait_for(reader.read(1 << 16), 2)
    writer.transport.abort()


async def opens_sockets(stage, number, turn):
    one = Socket(stage.address, [stage.header])
    if await one.connect() == 101:
        one.send({"type": "watch", "id": 1, "chat_id": stage.room})
        await one.event(2)
    one.drop()


async def floods_a_socket(stage, number, turn):
    """Sends watches, reactions and edits as fast as a socket may."""
    one = await Socket(stage.address, [stage.header]).open()
    try:
        for count in range(100):
            one.send({"type": "watch" if count % 2 else "unwatch", "id": count, "chat_id": stage.room})
        for _ in range(100):
            await one.event(2)
        await asyncio.sleep(0.5)
    finally:
        one.drop()


async def makes_rows(stage, number, turn):
    """Creates chats and blocks without end."""
    await stage.ask(number, "POST", "chats/", {"chat_type": "group", "title": f"{number} {turn}", "member_ids": []})
    await stage.ask(number, "POST", f"users/{stage.victim + 10 + turn % 1_000}/block/", {})


async def joins(stage, number, turn):
    """Joins and leaves a large room."""
    await stage.ask(number, "POST", f"chats/{stage.crowded}/join/", {})
    await stage.ask(number, "POST", f"chats/{stage.crowded}/leave/", {})


# Highest number of users in a request.
NAMED = 200


async def adds_hundreds(stage, number, turn):
    """Adds new users at first, and then the same ones again."""
    first = stage.victim + 100 + (4 * turn + number) * NAMED % (USERS - 1_000)
    ids = list(range(first, first + NAMED))
    await stage.ask(number, "POST", f"chats/{stage.group}/members/add/", {"user_ids": ids})


async def syncs(stage, number, turn):
    """Syncs from an old head of every chat."""
    await stage.ask(number, "POST", "sync/", {"chats": {str(stage.group): 0}})


async def catches_up(stage, number, turn):
    """Catches up on all chats at once, over every transport."""
    await stage.ask(number, "GET", "sync/")
    await stage.ask(number, "GET", "chats/?page=1000")
    await opens_sockets(stage, number, turn)
    await opens_streams(stage, number, turn)


async def slow_body(stage, number, turn):
    """Sends bodies that arrive byte by byte or stop, with every way to announce a body."""
    forms = ["Content-Length: 60000", "Transfer-Encoding: chunked", "Content-Length: 60000\r\nExpect: 100-continue"]
    path = ["chats/", f"chats/{stage.group}/messages/", "sync/", "users/me/"][number % 4]
    method = "PATCH" if path == "users/me/" else "POST"
    reader, writer = await asyncio.open_connection(*stage.address)
    head = f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: x\r\n{stage.header}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}{forms[turn % 3]}\r\n\r\n".encode())
    for _ in range(200):
        writer.write(b"1\r\n \r\n" if turn % 3 == 1 else b" ")
        await asyncio.sleep(0.01)
    writer.transport.abort()


async def large_frames(stage, number, turn):
    one = await Socket(stage.address, [stage.header]).open()
    try:
        for _ in range(50):
            one.writer.write(frame(FIN | TEXT, b'{"type": "ping", "id": "' + b"x" * 60_000 + b'"}'))
        for _ in range(50):
            await one.event(2)
        await asyncio.sleep(0.2)
    finally:
        one.drop()


ATTACKS = [
    Attack("searches for users, 8 connections", 8, searches("users/search/?q=user", "users/search/?q=ser%20e")),
    Attack("searches for users, 250 connections", 250, searches("users/search/?q=user", "users/search/?q=nobody")),
    Attack("searches for chats, 8 connections", 8, searches(f"chats/?search={MANY_WORDS}", "chats/?search=user")),
    Attack("searches for chats, 250 connections", 250, searches(f"chats/?search={MANY_WORDS}", "chats/?search=user")),
    Attack("searches for messages", 32, searches(f"search/?q={MANY_WORDS}", "chats/{chat}/messages/?search=e")),
    Attack("lists of a large room's members", 32, searches("chats/{room}/members/?page=150", "chats/{room}/members/?search=e")),
    Attack("registrations with a name that is taken", 64, registers),
    Attack("failed sign-ins", 64, signs_in),
    Attack("event streams opened and left", 16, opens_streams),
    Attack("sockets opened and left", 16, opens_sockets),
    Attack("a socket's commands", 8, floods_a_socket),
    Attack("large frames", 8, large_frames),
    Attack("rows without end", 16, makes_rows),
    Attack("joining and leaving a large room", 8, joins),
    Attack("adding 200 members again and again", 4, adds_hundreds),
    Attack("syncs from long ago", 16, syncs),
    Attack("slow bodies", 250, slow_body),
    Attack("coming back to 5,000 chats", 4, catches_up, by="hoarder"),
]


def fill(path, room, hoarder):
    """Inserts users with similar names, many of them in one room, and one user with many chats, while no server runs."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        (last,) = database.execute("SELECT max(id) FROM users").fetchone()
        (seq,) = database.execute("SELECT seq FROM chats WHERE id = ?", (room,)).fetchone()
        columns = [row[1] for row in database.execute("PRAGMA table_info(users)")]
        template = database.execute("SELECT * FROM users WHERE id = ?", (last,)).fetchone()
        row = dict(zip(columns, template))
        marks = ", ".join("?" for _ in columns)

        def user(number):
            name = f"user{number:06}"
            own = {"id": last + number, "username": name, "username_key": name, "name_key": name, "email_key": "",
                   "email": "", "first_name": "", "last_name": "", "is_staff": 0, "feed": 0}
            return [own.get(column, row[column]) for column in columns]

        insert = f"INSERT INTO users ({', '.join(columns)}) VALUES ({marks})"
        database.executemany(insert, (user(number) for number in range(1, USERS + 1)))
        members = "INSERT INTO members (chat_id, user_id, role, joined_at, joined_seq, member_seq, read_seq, read_pos, " \
                  "from_pos) VALUES (?, ?, 'member', 0, ?, ?, 0, 0, 0)"
        database.executemany(members, ((room, last + number, seq, seq) for number in range(1, CROWD + 1)))
        chat = dict(zip((row[1] for row in database.execute("PRAGMA table_info(chats)")),
                        database.execute("SELECT * FROM chats WHERE id = ?", (room,)).fetchone()))
        marks = ", ".join("?" for _ in chat)
        chats = ([*{**chat, "id": room + number, "member_count": 1}.values()] for number in range(1, CHATS + 1))
        database.executemany(f"INSERT INTO chats ({', '.join(chat)}) VALUES ({marks})", chats)
        database.executemany(members, ((room + number, hoarder, seq, seq) for number in range(1, CHATS + 1)))
        database.execute("UPDATE chats SET member_count = member_count + ? WHERE id = ?", (CROWD, room))


async def set_up(binary, folder):
    """Creates a database of some size. Returns the ids of the group, the empty room and the large one."""
    with Server(binary, folder, settings={"GREENROOM_REGISTRATION": "open"}) as server:
        host = await host_of(server)
        attacker = await person(server, host, "attacker")
        victim = await person(server, host, "victim")
        hoarder = await person(server, host, "hoarder")
        group = await attacker.group([])
        await victim.group([])
        room = {"chat_type": "room", "title": "Room"}
        rooms = [(await host.call("POST", "chats/", room))["id"] for _ in range(2)]
        for number in range(200):
            await attacker.posts(group, f"{number} " + "e some words of a message " * 150)
        server.process.terminate()
        server.process.wait()
    fill(pathlib.Path(folder) / "stress.db", rooms[1], hoarder.id)
    return group, *rooms


async def person(server, host, name):
    await host.call("POST", "users/", {"username": name})
    return await somebody(server, name)


async def run(binary, folder, table, only=None):
    group, room, crowded = await set_up(binary, folder)
    with Server(binary, folder, settings={"GREENROOM_REGISTRATION": "open"}) as server:
        attackers = {name: await somebody(server, name) for name in ("attacker", "hoarder")}
        other = await somebody(server, "victim")
        (chat,) = [found["id"] for found in (await other.call("GET", "chats/"))["results"]]
        victim = Victim(other, chat)
        await victim.measure(1)
        for attack in ATTACKS:
            if only and only not in attack.name:
                continue
            await compare(server, victim, attack, Stage(server, attackers[attack.by], other.id, group, room, crowded), table)


async def compare(server, victim, attack, stage, table, where=None):
    """Measures the victim's requests without the attack and during it."""
    idle = await victim.measure(SECONDS)
    process = in_process(attack, stage)
    try:
        await asyncio.sleep(0.5 if attack.connections > 1 else 0)
        both = [server.process, process]
        begun, before = time.monotonic(), [used(one) for one in both]
        under = await victim.measure(SECONDS)
        passed = time.monotonic() - begun
        cores = [(used(one) - first) / passed for one, first in zip(both, before)]
    finally:
        process.kill()
        process.join()
    report(table, f"{where}, {attack.name}" if where else attack.name, idle, under, cores)
    # Let the server finish the attack's remaining work before the next one.
    await asyncio.sleep(1)


def report(table, name, idle, under, cores):
    figures, passed = [], not under[2]
    for what, before, after in zip(("post", "chats"), idle, under):
        figures.append(f"{what} {before:.1f} -> {after:.1f} ms ({after / before:.1f} x)")
        passed &= after <= RATIO * before
    other = f"{under[2].count(503)} of 503" if set(under[2]) <= {503} else f"answers {sorted(set(under[2]))}"
    shares = f"cores: server {cores[0]:.2f}, attackers {cores[1]:.2f}"
    table.add(name, f"p99 of another: {', '.join(figures)}, {other}; {shares}", f"<= {RATIO:.0f} x, no 503", passed)
