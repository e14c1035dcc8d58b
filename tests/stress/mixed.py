"""Steady mixed traffic of forty users: requests of all kinds, sockets, event streams, long polls and sign-ins."""

import asyncio
import collections
import contextlib
import random
import struct
import time

from people import CLOSE, FIN, PASSWORD, Closed, Http, frame, host_of, people
from table import DEADLINE

# Users with traffic, users without, and requests a second of all users together.
ACTIVE, IDLE, RATE = 40, 80, 30.0
# Active users with a socket, with an event stream, and with a long poll.
LISTENERS, STREAMS, POLLERS = 20, 5, 2
# Chats of each user: groups, to which half of the requests go, and dms.
GROUPS, DMS = 4, 12
# Mean lifetime of a socket or a stream, duration of a long poll, and mean pause between two sign-ins, in seconds.
LIFETIME, POLL, SIGN_IN_EVERY = 45.0, 15, 10.0
# Number of messages of one topic: a word that only these messages contain.
TOPIC = 400
PREFIX = "/messages/api/"
EMOJI = ["👍", "🎉", "❤️", "😄", "👀"]
# Requests of each kind among a hundred.
SHARES = {
    "post": 24, "sync": 20, "chats": 9, "page": 10, "older page": 3, "search": 4, "search in a chat": 2, "react": 7,
    "edit": 4, "delete": 2, "mark as read": 8, "unread": 3, "typing": 4,
}
GOODBYE = frame(FIN | CLOSE, struct.pack("!H", 1000))


class Texts:
    """The contents of messages. Their lengths and the frequencies of words stay the same for the whole run."""

    SYLLABLES = ["ka", "lo", "mi", "ren", "ta", "su", "vor", "el", "ni", "pa", "dor", "is", "um", "che", "ga", "fi"]

    def __init__(self, dice):
        self.dice, self.count = dice, 0
        fixed = random.Random(7)
        words = ("".join(fixed.choices(self.SYLLABLES, k=fixed.randint(2, 4))) for _ in range(4_000))
        self.words = list(dict.fromkeys(words))[:2_000]
        self.weights = [1 / (rank + 1) for rank in range(len(self.words))]

    def next(self):
        self.count += 1
        words = self.dice.choices(self.words, self.weights, k=self.dice.randint(2, 24))
        return " ".join([*words, f"topic{self.count // TOPIC}"])

    def common(self):
        """Returns a word that about a quarter of the messages contain."""
        return self.words[5]

    def recent(self):
        """Returns the word of the topic before the current one, which TOPIC messages contain."""
        return f"topic{max(0, self.count // TOPIC - 1)}"

    def any(self):
        return self.dice.choice(self.words[:200])


class User:
    """A user with their chats, their latest messages, and the change numbers of their last `sync/`."""

    def __init__(self, person):
        self.person, self.chats, self.heads = person, [], {}
        self.own = collections.deque(maxlen=20)

    async def sync(self, http, wait=0):
        """Polls for the changes since the last poll."""
        answer = await http.call("POST", f"{PREFIX}sync/", {"chats": self.heads, "wait": wait})
        if answer[0] == 200:
            self.heads = answer[1]["heads"]
        return answer


class World:
    """The users and their chats, and the latest messages of each chat. `subject` is the user of the bursts alone."""

    def __init__(self, users, subject, crowd):
        self.users, self.subject, self.crowd = users, subject, crowd
        self.latest = collections.defaultdict(lambda: collections.deque(maxlen=50))


async def made(server):
    """Creates a group of all users, which is too large for receipts, one of the active users, groups of ten and five, and dms."""
    host = await host_of(server)
    *users, subject = [User(person) for person in await people(host, ACTIVE + 1, PASSWORD)]
    idle = await people(host, IDLE)
    crowd = await chat_of(host, "group", [*users, subject])
    await chat_of(host, "group", [*users, subject], [person.id for person in idle])
    for size in (10, 5):
        for at in range(0, ACTIVE, size):
            await chat_of(host, "group", users[at:at + size] + ([subject] if at == 0 else []))
    for apart in range(1, DMS // 2 + 1):
        for one, other in zip(users, users[apart:] + users[:apart]):
            await chat_of(one.person, "dm", [other])
            one.chats.append(other.chats[-1])
    for other in users[:DMS]:
        await chat_of(other.person, "dm", [subject])
        other.chats.append(subject.chats[-1])
    # A page, so that bursts find messages from the beginning.
    for number in range(50):
        await users[0].person.posts(crowd, f"hello {number}")
    return World(users, subject, crowd)


async def chat_of(creator, kind, users, others=()):
    """Creates a chat. The creator of a group leaves it."""
    body = {"chat_type": kind, "member_ids": [*(user.person.id for user in users), *others]}
    chat = (await creator.call("POST", "chats/", body))["id"]
    if kind == "group":
        await creator.call("POST", f"chats/{chat}/leave/")
    for user in users:
        user.chats.append(chat)
    return chat


class Traffic:
    """The requests of all users. It records how long each took, and can be paused."""

    def __init__(self, world, seed=1):
        self.world, self.dice = world, random.Random(seed)
        self.texts = Texts(self.dice)
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = self.pauses = self.messages = 0
        # Kind -> (time, milliseconds) of each request.
        self.times = collections.defaultdict(list)
        # Number of answers that were not expected, by kind and answer.
        self.failed = collections.Counter()

    def start(self):
        """Starts the traffic and returns its tasks."""
        users = self.world.users
        work = [self.requests(user) for user in users]
        work += [self.listens(user) for user in users[:LISTENERS]]
        work += [self.streams(user) for user in users[LISTENERS:LISTENERS + STREAMS]]
        work += [self.polls(user) for user in users[-POLLERS:]]
        return [asyncio.ensure_future(one) for one in [*work, self.signs_in()]]

    @contextlib.asynccontextmanager
    async def paused(self):
        """Holds requests back, and waits until those under way are answered."""
        self.pauses += 1
        self.gate.clear()
        try:
            while self.under_way:
                await asyncio.sleep(0.005)
            # The server may still have work that follows the last answers.
            await asyncio.sleep(0.1)
            yield
        finally:
            self.gate.set()

    async def rest(self, mean):
        """Waits for a random time. If there is a pause by then, waits for its end and again, so that no rush follows it."""
        await asyncio.sleep(self.dice.expovariate(1 / mean))
        while not self.gate.is_set():
            await self.gate.wait()
            await asyncio.sleep(self.dice.expovariate(1 / mean))

    @contextlib.contextmanager
    def counted(self, kind):
        """Counts something as under way, and times it. Failed connections are recorded."""
        self.under_way += 1
        begun = time.perf_counter()
        try:
            yield
            self.times[kind].append((time.monotonic(), (time.perf_counter() - begun) * 1_000))
        except (OSError, Closed, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            self.failed[f"{kind}: {type(error).__name__}"] += 1
        finally:
            self.under_way -= 1

    async def ask(self, kind, http, method, path, body=None, expected=(200, 201, 204)):
        """Sends a request. Returns its answer, or None if it failed, and the headers."""
        with self.counted(kind):
            status, answer, headers = await http.call(method, path, body)
            if status in expected:
                return answer, headers
            self.failed[f"{kind}: {status}"] += 1
        return None, {}

    async def requests(self, user):
        """Sends requests of random kinds, one at a time."""
        while True:
            await self.rest(ACTIVE / RATE)
            await self.request(user, *self.dice.choices(list(SHARES), list(SHARES.values())))

    async def request(self, user, kind):
        chat = self.dice.choice(user.chats[:GROUPS] if self.dice.random() < 0.5 else user.chats)
        http = user.person.http
        latest = self.world.latest[chat]
        if (kind in ("older page", "react") and not latest) or (kind in ("edit", "delete") and not user.own):
            kind = "post"
        if kind == "sync":
            with self.counted(kind):
                await user.sync(http)
            return
        message = self.dice.choice(latest) if latest else None
        method, path, body = {
            "post": lambda: ("POST", f"chats/{chat}/messages/", {"content": self.texts.next()}),
            "chats": lambda: ("GET", "chats/", None),
            "page": lambda: ("GET", f"chats/{chat}/messages/", None),
            "older page": lambda: ("GET", f"chats/{chat}/messages/?before={message}", None),
            "search": lambda: ("GET", f"search/?q={self.texts.any()}", None),
            "search in a chat": lambda: ("GET", f"search/?q={self.texts.any()}&chat={chat}", None),
            "react": lambda: ("POST", f"messages/{message}/reactions/", {"emoji": self.dice.choice(EMOJI)}),
            "edit": lambda: ("PATCH", f"messages/{user.own[-1]}/", {"content": self.texts.next()}),
            "delete": lambda: ("DELETE", f"messages/{user.own.popleft()}/", None),
            "mark as read": lambda: ("POST", f"chats/{chat}/mark-as-read/", {}),
            "unread": lambda: ("GET", "unread/", None),
            "typing": lambda: ("POST", f"chats/{chat}/typing/", {"is_typing": self.dice.random() < 0.7}),
        }[kind]()
        # The sender may have deleted a message that another user reacts to.
        expected = (200, 404) if kind == "react" else (200, 201, 204)
        answer, _ = await self.ask(kind, http, method, PREFIX + path, body, expected)
        if kind == "post" and answer:
            self.messages += 1
            user.own.append(answer["id"])
            latest.append(answer["id"])

    async def listens(self, user):
        """Opens a socket, listens, closes it, and resumes with the next one."""
        heads = {}
        while True:
            await self.rest(2)
            one, hearing = user.person.socket("?resume=1" if heads else ""), None
            try:
                with self.counted("socket"):
                    await opened(one, heads)
                    hearing = asyncio.ensure_future(hears(one, heads))
                if hearing is None:
                    continue
                await asyncio.wait([hearing], timeout=self.dice.expovariate(1 / LIFETIME))
                await self.gate.wait()
                one.writer.write(GOODBYE)
                code = await asyncio.wait_for(hearing, DEADLINE)
                if code != 1000:
                    self.failed[f"socket: closed with {code}"] += 1
            finally:
                if hearing:
                    hearing.cancel()
                one.drop()

    async def streams(self, user):
        """Reads an event stream, cuts it, and continues at its last position with the next one."""
        position = []
        while True:
            await self.rest(2)
            reading = writer = None
            try:
                with self.counted("event stream"):
                    reader, writer = await stream(user.person, position[-1:])
                    reading = asyncio.ensure_future(reads(reader, position))
                if reading:
                    done, _ = await asyncio.wait([reading], timeout=self.dice.expovariate(1 / LIFETIME))
                    self.failed["event stream: ended"] += len(done)
            finally:
                if reading:
                    reading.cancel()
                if writer:
                    writer.transport.abort()

    async def polls(self, user):
        """Waits for events with one long poll after another, over a connection of its own."""
        other = User(user.person.again())
        while True:
            await self.rest(1)
            status, *_ = await other.sync(other.person.http, POLL)
            self.failed[f"long poll: {status}"] += status != 200

    async def signs_in(self):
        """Signs a user in, lists the chats, and signs out."""
        while True:
            await self.rest(SIGN_IN_EVERY)
            person = self.dice.choice(self.world.users).person
            http = Http(person.address)
            _, headers = await self.ask("sign-in", http, "POST", "/login/", {"username": person.name, "password": PASSWORD})
            if "set-cookie" in headers:
                http.headers = (f"Cookie: {headers['set-cookie'].split(';')[0]}",)
                await self.ask("chats", http, "GET", f"{PREFIX}chats/")
                await self.ask("sign-out", http, "POST", "/logout/")
            http.close()


async def opened(one, heads):
    """Opens a socket, and resumes it from `heads`, if there are any."""
    await one.open()
    if heads:
        one.send({"type": "resume", "id": 1, "chats": heads})
        while (event := note(await one.event(), heads))["type"] != "ack":
            pass
        heads.update(event["heads"])


async def hears(one, heads):
    """Receives events until the socket closes. Returns the close code."""
    try:
        while True:
            note(await one.event(2 * DEADLINE), heads)
    except Closed as closed:
        return closed.code


def note(event, heads):
    if "seq" in event:
        heads[str(event["chat_id"])] = event["seq"]
    return event


async def stream(person, position):
    """Opens an event stream at a position. Over HTTP/1.0 it is not chunked."""
    reader, writer = await asyncio.open_connection(*person.address)
    lines = [f"GET {PREFIX}events/ HTTP/1.0", "Host: x", person.header, *(f"Last-Event-ID: {at}" for at in position), "", ""]
    writer.write("\r\n".join(lines).encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE)
    if head.split()[1] != b"200":
        raise ConnectionError(head.split()[1].decode())
    return reader, writer


async def reads(reader, position):
    """Reads events until the stream ends, and keeps the position of the last one."""
    while line := await reader.readline():
        if line.startswith(b"id: "):
            position[:] = [line[4:].strip().decode()]
