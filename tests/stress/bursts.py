"""Bursts: some requests of one kind by one user, while the traffic is paused. So their CPU time can be measured."""

import asyncio
import statistics
import time

from mixed import EMOJI, GOODBYE, PREFIX, hears, opened, stream
from people import PASSWORD, Http

# Requests of a burst. Those that take long are fewer.
COUNT, FEW = 30, 10
# Number of changes of each chat that a `sync/` from behind returns.
BEHIND = 5


def cpu_time(process):
    """Returns the CPU time of a process in seconds, that of its ended threads included."""
    # The kernel's clock of another process: see clock_getcpuclockid(3).
    return time.clock_gettime((~process.pid << 3) | 2)


class Bursts:
    """The kinds of bursts, each a method that sends one request. The kinds take turns."""

    def __init__(self, server, traffic):
        self.server, self.traffic = server, traffic
        self.subject, self.crowd = traffic.world.subject, traffic.world.crowd
        self.http = self.subject.person.http
        self.posted, self.newest = [], []
        self.kinds = [
            ("list of chats", COUNT, self.get("chats/")),
            ("page", COUNT, self.get(f"chats/{self.crowd}/messages/")),
            ("older page", COUNT, self.older_page),
            ("sync, first", COUNT, self.get("sync/")),
            ("sync, nothing new", COUNT, self.sync),
            ("sync, behind", COUNT, self.sync_behind),
            ("unread", COUNT, self.get("unread/")),
            ("search, common word", COUNT, self.search(self.traffic.texts.common)),
            ("search, recent word", COUNT, self.search(self.traffic.texts.recent)),
            ("search, no hit", COUNT, self.search(lambda: "xylophone")),
            ("search in a chat", COUNT, self.search(self.traffic.texts.recent, f"&chat={self.crowd}")),
            ("search for users", COUNT, self.get("users/search/?q=user")),
            ("post", COUNT, self.post),
            ("react", COUNT, self.react),
            ("edit", COUNT, self.edit),
            ("delete", COUNT, self.delete),
            ("mark as read", COUNT, self.mark),
            ("typing", COUNT, self.typing),
            ("socket, resumed", FEW, self.socket),
            ("event stream", FEW, self.event_stream),
            ("sign-in and sign-out", FEW, self.sign_in),
            ("a second of silence", 1, self.silence),
        ]

    async def run(self, turn):
        """Runs the burst whose turn it is. Returns its kind, the CPU milliseconds of a request, and those of the reference."""
        kind, count, once = self.kinds[turn % len(self.kinds)]
        async with self.traffic.paused():
            await self.prepare(kind)
            costs, references = [], []
            for number in range(count):
                references.append(await self.cost(self.settings(number)))
                costs.append(await self.cost(once(number)))
        return kind, statistics.median(costs), statistics.median(references)

    async def cost(self, request):
        """Returns the CPU time of a request in milliseconds."""
        before = cpu_time(self.server.process)
        await request
        return (cpu_time(self.server.process) - before) * 1_000

    async def settings(self, _):
        """Sends the reference: a request without a query, whose cost depends on nothing but the machine."""
        await self.call("GET", "settings/")

    async def prepare(self, kind):
        """Brings the user to the same state before each burst: all is known and read, but in the group of all."""
        await self.subject.sync(self.http)
        page = await self.call("GET", f"chats/{self.crowd}/messages/?page_size={COUNT}")
        self.newest = [message["id"] for message in reversed(page["results"])]
        if kind == "list of chats":
            for chat in self.subject.chats:
                if chat != self.crowd:
                    await self.call("POST", f"chats/{chat}/mark-as-read/", {})
        if kind == "post":
            self.posted = []

    async def call(self, method, path, body=None):
        return await self.subject.person.call(method, path, body)

    def get(self, path):
        return lambda _: self.call("GET", path)

    def search(self, word, rest=""):
        return lambda _: self.call("GET", f"search/?q={word()}{rest}")

    async def older_page(self, number):
        await self.call("GET", f"chats/{self.crowd}/messages/?before={self.newest[number % len(self.newest)]}")

    async def sync(self, _):
        assert (await self.subject.sync(self.http))[0] == 200

    async def sync_behind(self, _):
        heads = {chat: max(1, head - BEHIND) for chat, head in self.subject.heads.items()}
        await self.call("POST", "sync/", {"chats": heads})

    async def post(self, _):
        message = await self.subject.person.posts(self.subject.chats[2], self.traffic.texts.next())
        self.posted.append(message["id"])
        self.traffic.messages += 1

    async def react(self, number):
        await self.call("POST", f"messages/{self.posted[number]}/reactions/", {"emoji": EMOJI[number % len(EMOJI)]})

    async def edit(self, number):
        await self.call("PATCH", f"messages/{self.posted[number]}/", {"content": self.traffic.texts.next()})

    async def delete(self, number):
        await self.call("DELETE", f"messages/{self.posted[number]}/")

    async def mark(self, number):
        """Moves the read marker by one message."""
        await self.call("POST", f"chats/{self.crowd}/mark-as-read/", {"message_id": self.newest[number % len(self.newest)]})

    async def typing(self, number):
        await self.call("POST", f"chats/{self.subject.chats[2]}/typing/", {"is_typing": number % 2 == 0})

    async def socket(self, _):
        """Opens a socket that missed some changes of each chat, and closes it."""
        one = self.subject.person.socket("?resume=1")
        try:
            await opened(one, {chat: max(1, head - BEHIND) for chat, head in self.subject.heads.items()})
            one.writer.write(GOODBYE)
            assert await hears(one, {}) == 1000
        finally:
            one.drop()

    async def event_stream(self, _):
        reader, writer = await stream(self.subject.person, [])
        try:
            while not (await reader.readline()).startswith(b"data: "):
                pass
        finally:
            writer.transport.abort()

    async def silence(self, _):
        """Sends nothing: measures the server's background work, with sockets and streams open."""
        await asyncio.sleep(1)

    async def sign_in(self, _):
        person = self.subject.person
        http = Http(person.address)
        body = {"username": person.name, "password": PASSWORD}
        status, _, headers = await http.call("POST", "/login/", body)
        assert status == 200, status
        http.headers = (f"Cookie: {headers['set-cookie'].split(';')[0]}",)
        await http.call("POST", "/logout/")
        http.close()
