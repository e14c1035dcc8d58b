"""Closings by the server: at its shutdown, and when sessions and memberships end."""

import asyncio
import signal
import time

from people import PASSWORD, Http, Server, Socket, host_of, people, somebody
from slow import slow_socket
from table import until


class Writer:
    """Posts messages sequentially, and records the result of each."""

    def __init__(self, person, chat, number, pause=0.0):
        self.http, self.chat, self.number, self.pause = person.http, chat, number, pause
        self.acknowledged, self.pending, self.lost = {}, None, None

    async def run(self):
        turn = 0
        while True:
            turn += 1
            await asyncio.sleep(self.pause)
            self.pending, key = time.monotonic(), f"{self.number}-{turn}"
            body = {"content": key, "client_id": key}
            try:
                status, answer, _ = await self.http.call("POST", f"/messages/api/chats/{self.chat}/messages/", body)
            except OSError:
                self.lost = self.pending
                return
            if status == 201:
                self.acknowledged[key] = answer["id"]


async def probe(address, header, statuses):
    """Requests /readyz and a socket, each over a new connection, until the port is closed."""
    while True:
        try:
            statuses["readyz"].append((await Http(address).call("GET", "/readyz"))[0])
            statuses["upgrade"].append(await Socket(address, [header]).connect())
        except (OSError, asyncio.IncompleteReadError):
            return
        await asyncio.sleep(0.01)


async def stored(person, chat):
    """Returns the ids of all messages by client id."""
    found, before = {}, 1 << 52
    while True:
        page = await person.call("GET", f"chats/{chat}/messages/?page_size=100&before={before}")
        if not page["results"]:
            return found
        found |= {message["client_id"]: message["id"] for message in page["results"]}
        before = page["results"][-1]["id"]


async def load(host):
    """Runs sockets that receive a hundred messages a second, and writers that post without a pause to a chat without subscribers."""
    authors, crowd = await people(host, 9), await people(host, 20)
    heard, unheard = await authors[0].group([host, *crowd]), await authors[0].group([host, *authors[1:]])
    sockets = [await person.listens() for person in crowd for _ in range(10)]
    writers = [Writer(author, unheard, number) for number, author in enumerate(authors[1:])]
    return sockets, [Writer(authors[0], heard, "heard", 0.01), *writers]


async def stuck_socket(host):
    """Opens a socket that does not read its backlog, so that the shutdown lasts long enough to be observed."""
    [eve] = await people(host, 1)
    chat = await host.group([eve])
    stuck, _ = await slow_socket(eve)
    for _ in range(100):
        await host.posts(chat, "x" * 5_000)
    return stuck


async def shutdown(binary, folder, table):
    with Server(binary, folder) as server:
        host = await host_of(server)
        sockets, writers = await load(host)
        stuck = await stuck_socket(host)
        closing = [asyncio.ensure_future(one.closes(60)) for one in sockets]
        writing = [asyncio.ensure_future(writer.run()) for writer in writers]
        await asyncio.sleep(3)
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        statuses = {"readyz": [], "upgrade": []}
        probing = asyncio.ensure_future(probe(server.address, host.header, statuses))
        ended = await until(lambda: server.process.poll() is not None, 15)
        codes = await asyncio.gather(*closing)
        await asyncio.gather(probing, *writing)
        stuck.close()
    report_shutdown(table, start, ended, server.process.returncode, statuses, codes, writers)
    await compare(binary, folder, table, writers)


def report_shutdown(table, start, ended, code, statuses, codes, writers):
    ended = ended or 99
    table.add("shutdown: exit", f"code {code} after {ended * 1_000:.0f} ms", "0, < 10 s", code == 0 and ended < 10)
    said = codes.count(1001)
    table.add("shutdown: sockets closed with 1001", f"{said} of {len(codes)}", "all", said == len(codes))
    for what, heard in statuses.items():
        kinds = ", ".join(f"{heard.count(kind)} x {kind}" for kind in sorted(set(heard)))
        table.add(f"shutdown: {what} during it", kinds or "nothing", "503", set(heard) == {503})
    unanswered = sum(writer.lost is not None and writer.lost < start for writer in writers)
    table.add("shutdown: posts under way unanswered", str(unanswered), "0", unanswered == 0)


async def compare(binary, folder, table, writers):
    with Server(binary, folder) as server:
        host = await somebody(server, "host")
        found = {}
        for chat in {writer.chat for writer in writers}:
            found |= await stored(host, chat)
    acknowledged = {key: number for writer in writers for key, number in writer.acknowledged.items()}
    lost = sum(found.get(key) != number for key, number in acknowledged.items())
    table.add("shutdown: acknowledged and lost", f"{lost} of {len(acknowledged)}", "0", lost == 0)


async def signed_in(person):
    """Returns the person with a session cookie."""
    body = {"username": person.name, "password": PASSWORD}
    status, _, headers = await Http(person.address).call("POST", "/login/", body)
    assert status == 200
    return "Cookie: " + headers["set-cookie"].split(";")[0]


async def time_to_close(person, end):
    """Returns the milliseconds from the request that ends a session to its socket's 4401, and the code."""
    cookie = await signed_in(person)
    listener = await Socket(person.address, [cookie]).open()
    start = time.monotonic()
    closing = asyncio.ensure_future(listener.closes())
    await end(cookie)
    code = await closing
    listener.drop()
    return (time.monotonic() - start) * 1_000, code


async def session_ends(server, host, table):
    [ann] = await people(host, 1, PASSWORD)
    path = f"users/{ann.id}/"

    async def logout(cookie):
        await Http(ann.address, cookie).call("POST", "/logout/")

    async def password(_):
        await host.call("PATCH", path, {"password": PASSWORD})

    async def deactivation(_):
        await host.call("PATCH", path, {"is_active": False})

    async def command(_):
        await asyncio.to_thread(server.run, "user", "deactivate", ann.name)

    for what, end, wanted in [("sign-out", logout, 1_000), ("new password", password, 1_000),
                              ("deactivation", deactivation, 1_000), ("deactivation elsewhere", command, 1_500)]:
        measured = []
        for _ in range(5):
            await host.call("PATCH", path, {"is_active": True})
            measured.append(await time_to_close(ann, end))
        slowest, codes = max(ms for ms, _ in measured), {code for _, code in measured}
        table.add(f"session's end: {what}", f"{', '.join(map(str, codes))} after {slowest:.0f} ms", f"4401, < {wanted} ms",
                  codes == {4401} and slowest < wanted)


async def removal(host, table, posts=1_000, connections=20):
    """Removes a member in the middle of a burst. Returns what the member receives afterwards."""
    author, bob = await people(host, 2)
    chat = await author.group([bob])
    listener = await bob.listens()
    heard = []

    async def hear_until_pong():
        while (event := await listener.event())["type"] != "pong":
            heard.append(event)

    async def post(count):
        person = author.again()
        for number in range(count):
            await person.posts(chat, str(number))

    async def remove():
        # In the middle of the burst. Events before the answer to a ping were sent before the removal's answer.
        await until(lambda: len(heard) > posts // 2, every=0.001)
        await author.call("DELETE", f"chats/{chat}/members/{bob.id}/remove/")
        listener.send({"type": "ping"})

    hearing = asyncio.ensure_future(hear_until_pong())
    posting = asyncio.gather(*(post(posts // connections) for _ in range(connections)))
    await asyncio.gather(remove(), hearing)
    before = len(heard)
    await posting
    listener.send({"type": "ping"})
    await hear_until_pong()
    listener.drop()
    last, later = heard[before - 1], len(heard) - before
    above = sum(event["seq"] > last["seq"] for event in heard)
    table.add("removed in mid-burst", f"{before} events, the last {last['type']}; {above} above it, {later} later",
              "chat_deleted, 0, 0", last["type"] == "chat_deleted" and above == later == 0 and before < posts)
